// coppice-run as a program, on the toy model: what it prints, writes and refuses, and its exit
// codes. Greedy decoding of the toy always takes the largest id, 4.
#include "ToyArtifact.h"
#include "runtime/files/NewFile.h"
#include "tools/Message.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {
std::string readFile(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

class RunTool : public testing::Test {
protected:
  RunTool() {
    const char *base = getenv("TMPDIR");
    directory = std::string(base ? base : "/tmp") + "/coppice-run-XXXXXX";
    if (!mkdtemp(directory.data()))
      abort();
  }
  ~RunTool() override { EXPECT_EQ(system(("rm -r " + directory).c_str()), 0); }

  /// The exit code of coppice-run on the toy with `arguments`; what it printed is in out and err.
  int run(const std::string &arguments, const toy::Artifact &artifact = {}) {
    toy::File file(artifact.build());
    return runOn(file.path(), arguments);
  }

  int runOn(const std::string &file, const std::string &arguments) {
    // A redirection among the arguments comes later, and wins.
    std::string command = std::string(COPPICE_RUN) + " >" + directory + "/out 2>" + directory +
                          "/err " + file + " " + arguments;
    int status = system(command.c_str());
    out = readFile(directory + "/out");
    err = readFile(directory + "/err");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::string directory, out, err;
};
} // namespace

// Generated ids come with spaces on standard output and nothing else does.
TEST_F(RunTool, PrintsIds) {
  EXPECT_EQ(run("--tokens 1,2,3 -n 4"), 0) << err;
  EXPECT_EQ(out, "4 4 4 4\n");
  EXPECT_NE(err.find("prefill: 3 tokens"), std::string::npos) << err;
  EXPECT_EQ(run("--tokens 1 -n 1 --threads 1"), 0) << err;
  EXPECT_NE(err.find("; 1 thread\n"), std::string::npos) << err;
  EXPECT_EQ(run("--tokens=1,2,3 -n 2 --echo --quiet"), 0);
  EXPECT_EQ(out, "1 2 3 4 4\n");
  EXPECT_EQ(err, "");
}

// Threads change nothing.
TEST_F(RunTool, PrintsTheSameWithThreads) {
  for (const char *threads : {"1", "2", "3", "8"}) {
    EXPECT_EQ(run(std::string("--tokens 1,2 -n 9 --temperature 3 --seed 5 --threads ") + threads),
              0);
    static std::string first;
    first = first.empty() ? out : first;
    EXPECT_EQ(out, first);
  }
}

// It ends at a stop token, which is not printed, and at the end of the context.
TEST_F(RunTool, Stops) {
  toy::Artifact stops;
  stops.stopTokens = {4};
  EXPECT_EQ(run("--tokens 1 -n 10", stops), 0);
  EXPECT_EQ(out, "\n");
  EXPECT_NE(err.find("stop token"), std::string::npos);
  // 40 positions: 38 of the prompt, two of generated tokens, and a third that takes none.
  std::string tokens = "1";
  for (int i = 1; i < 38; ++i)
    tokens += ",1";
  EXPECT_EQ(run("--tokens " + tokens + " -n 100"), 0);
  EXPECT_EQ(out, "4 4 4\n");
  EXPECT_NE(err.find("context is full"), std::string::npos);
  EXPECT_EQ(run("--tokens 1,2,3 --context 4 -n 100"), 0);
  EXPECT_EQ(out, "4 4\n");
}

// Input without an end is refused and does not take all memory.
TEST_F(RunTool, BoundsStandardInput) {
  for (const char *from : {"-p", "--tokens"}) {
    std::string limited = "--quiet " + std::string(from) + " - < /dev/zero";
    EXPECT_EQ(run(limited), 1);
    EXPECT_NE(err.find("standard input has more than 16777216 bytes"), std::string::npos) << err;
  }
}

// Ids may come from standard input, more of them than a command line takes.
TEST_F(RunTool, ReadsStandardInput) {
  std::ofstream(directory + "/ids") << "1, 2\n3\n";
  EXPECT_EQ(run("--tokens - -n 1 --echo < " + directory + "/ids"), 0) << err;
  EXPECT_EQ(out, "1 2 3 4\n");
}

// --logits writes the formula for every token, also over several steps, and the tokens.
TEST_F(RunTool, WritesLogits) {
  toy::Artifact artifact;
  artifact.context = 300;
  std::vector<int32_t> tokens;
  std::string ids;
  for (int32_t i = 0; i < 200; ++i) {
    tokens.push_back(i % 7);
    ids += (i ? "," : "") + std::to_string(i % 7);
  }
  std::string file = directory + "/logits.safetensors";
  EXPECT_EQ(run("--tokens " + ids + " --logits " + file, artifact), 0) << err;
  EXPECT_EQ(out, "");
  std::string bytes = readFile(file);
  uint64_t header = 0;
  ASSERT_GT(bytes.size(), 8u);
  memcpy(&header, bytes.data(), 8);
  ASSERT_EQ(bytes.size(), 8 + header + 200 * 5 * 4 + 200 * 4);
  EXPECT_EQ(header % 8, 0u);
  std::string json = bytes.substr(8, header);
  EXPECT_EQ(json.substr(0, json.find_last_not_of(' ') + 1),
            R"({"logits":{"dtype":"F32","shape":[200,5],"data_offsets":[0,4000]},)"
            R"("tokens":{"dtype":"I32","shape":[200],"data_offsets":[4000,4800]}})");
  for (size_t i = 0; i < 200; ++i)
    for (uint32_t v = 0; v < 5; ++v) {
      float logit;
      memcpy(&logit, bytes.data() + 8 + header + (i * 5 + v) * 4, 4);
      ASSERT_EQ(logit, toy::logit(tokens, i, v)) << i;
    }
  EXPECT_EQ(memcmp(bytes.data() + 8 + header + 4000, tokens.data(), 800), 0);
  // Nothing is left beside it, and generation can follow from the last row.
  EXPECT_EQ(system(("test $(ls " + directory + " | grep -c logits) = 1").c_str()), 0);
  EXPECT_EQ(run("--tokens " + ids + " -n 2 --logits " + file, artifact), 0) << err;
  EXPECT_EQ(out, "4 4\n");
}

// Logits never take the place of a pipe, a link or the artifact they come from; what is behind a
// link is replaced, with its mode.
TEST_F(RunTool, KeepsWhatIsNoResult) {
  std::string pipe = directory + "/pipe", link = directory + "/link", real = directory + "/real";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(run("--tokens 1 --logits " + pipe), 1);
  EXPECT_NE(err.find("it is not a regular file"), std::string::npos) << err;
  struct stat status;
  ASSERT_EQ(lstat(pipe.c_str(), &status), 0);
  EXPECT_TRUE(S_ISFIFO(status.st_mode));

  std::ofstream(real) << "before";
  ASSERT_EQ(chmod(real.c_str(), 0640), 0);
  ASSERT_EQ(symlink("real", link.c_str()), 0);
  EXPECT_EQ(run("--tokens 1 --logits " + link), 0) << err;
  ASSERT_EQ(lstat(link.c_str(), &status), 0);
  EXPECT_TRUE(S_ISLNK(status.st_mode));
  EXPECT_NE(readFile(real).find("\"logits\""), std::string::npos);
  ASSERT_EQ(stat(real.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
  ASSERT_EQ(unlink(real.c_str()), 0);
  EXPECT_EQ(run("--tokens 1 --logits " + link), 1);
  EXPECT_NE(err.find("a symbolic link to a file that is not there"), std::string::npos) << err;

  toy::File file(toy::Artifact().build());
  std::string before = readFile(file.path());
  ASSERT_EQ(symlink(file.path(), (directory + "/same").c_str()), 0);
  for (const std::string &name : {std::string(file.path()), directory + "/same"}) {
    EXPECT_EQ(runOn(file.path(), "--tokens 1 --logits " + name), 1);
    EXPECT_NE(err.find("it is the artifact itself"), std::string::npos) << err;
    EXPECT_EQ(readFile(file.path()), before);
  }
}

// Another spelling of a path is the same file, whether it exists or not; another file is not.
TEST_F(RunTool, KnowsOneFileByManyNames) {
  std::string file = directory + "/file";
  EXPECT_TRUE(coppice::isSameFile(file, directory + "/./file"));
  EXPECT_TRUE(coppice::isSameFile(file, directory + "//file"));
  EXPECT_FALSE(coppice::isSameFile(file, directory + "/other"));
  EXPECT_FALSE(coppice::isSameFile(file, directory + "/none/file"));
  std::ofstream{file};
  EXPECT_FALSE(coppice::isSameFile(file, directory + "/other"));
  ASSERT_EQ(link(file.c_str(), (directory + "/other").c_str()), 0);
  EXPECT_TRUE(coppice::isSameFile(file, directory + "/other"));
}

// Messages are one line of UTF-8 that no terminal obeys, whatever they quote.
TEST_F(RunTool, QuotesWithoutCommands) {
  using coppice::tools::visible;
  EXPECT_EQ(visible("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x8C\xB3"),
            "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x8C\xB3");
  EXPECT_EQ(visible("a\x1B[2J\n\x7F"), "a\\x1B[2J\\x0A\\x7F");
  EXPECT_EQ(visible("\xC2\x9B"), "\\x9B");
  EXPECT_EQ(visible("\x9B"
                    "2J\x85"),
            "\\x9B2J\\x85");                             // alone: what some terminals obey
  EXPECT_EQ(visible("\xE2\x9B"), "\\xE2\\x9B");          // cut short
  EXPECT_EQ(visible("\xC0\x9B"), "\\xC0\\x9B");          // not the shortest form
  EXPECT_EQ(visible("\xED\xA0\x80"), "\\xED\\xA0\\x80"); // a surrogate
}

// A file that cannot be written leaves nothing behind and says so.
TEST_F(RunTool, SaysWhatItCannotWrite) {
  EXPECT_EQ(run("--tokens 1 --logits " + directory + "/none/x"), 1);
  EXPECT_NE(err.find("cannot write"), std::string::npos) << err;
  EXPECT_EQ(run("--tokens 1 -n 3 > /dev/full"), 1);
  EXPECT_NE(err.find("standard output"), std::string::npos) << err;
}

// Errors in the input exit with 1 and one sentence.
TEST_F(RunTool, RefusesBadInput) {
  auto refused = [&](const char *arguments, const char *says) {
    EXPECT_EQ(run(arguments), 1) << arguments;
    EXPECT_EQ(out, "");
    EXPECT_EQ(err.find("error: "), 0u) << err;
    EXPECT_NE(err.find(says), std::string::npos) << err;
  };
  refused("-p hello", "no tokenizer");
  refused("--tokens 1,100", "token 100 at position 1: the model's ids are below 100");
  refused("--tokens ''", "no tokens");
  refused("--tokens 1 --context 41", "--context 41 is more than the model's 40");
  refused("--tokens 1,2,3 --context 2", "the prompt has 3 tokens, the context has 2 positions");
  EXPECT_EQ(runOn("/nonexistent", "--tokens 1"), 1);
  EXPECT_NE(err.find("/nonexistent"), std::string::npos) << err;
  EXPECT_EQ(runOn(directory, "--tokens 1"), 1);
  EXPECT_NE(err.find("coppice compile " + directory + " -o model.coppice"), std::string::npos)
      << err;
  std::vector<uint8_t> damaged = toy::Artifact().build();
  damaged.back() ^= 1;
  toy::File file(damaged);
  EXPECT_EQ(runOn(file.path(), "--tokens 1"), 1);
  EXPECT_NE(err.find("checksum"), std::string::npos) << err;
  EXPECT_EQ(runOn(file.path(), "--tokens 1 -n 1 --skip-weight-check"), 0) << err;
}

// Wrong calls exit with 2 and point to the help.
TEST_F(RunTool, RefusesWrongCalls) {
  for (const char *arguments : {"",
                                "--tokens 1 -p x",
                                "--tokens 1,x",
                                "--tokens -1",
                                "--tokens 1,,2",
                                "--tokens ,1",
                                "--tokens 1,",
                                "--tokens 1 --logits ''",
                                "--tokens 1 --logits -",
                                "--tokens 1 -n -1",
                                "--tokens 1 --temperature warm",
                                "--tokens 1 --temperature -1",
                                "--tokens 1 --top-p 0",
                                "--tokens 1 --top-p 1.5",
                                "--tokens 1 --threads 5000",
                                "--tokens 1 --what",
                                "--tokens",
                                "--tokens 1 another",
                                "--tokens 1 --seed 1e5",
                                "--tokens 99999999999999999999"}) {
    EXPECT_EQ(run(arguments), 2) << arguments;
    EXPECT_EQ(out, "") << arguments;
    EXPECT_NE(err.find("--help"), std::string::npos) << err;
  }
  // One option is wrong, and that one is named; near misses get a hint.
  EXPECT_EQ(run("--tokens 1 --temperature -1"), 2);
  EXPECT_NE(err.find("--temperature takes a number of at least 0, not -1"), std::string::npos);
  EXPECT_EQ(err.find("--top-p"), std::string::npos) << err;
  EXPECT_EQ(run("--tokns 1"), 2);
  EXPECT_NE(err.find("did you mean --tokens?"), std::string::npos) << err;
  EXPECT_EQ(run("--prompt x"), 2);
  EXPECT_NE(err.find("did you mean -p?"), std::string::npos) << err;
  EXPECT_EQ(runOn("", "--version"), 0);
  EXPECT_EQ(out.find("coppice-run "), 0u);
  EXPECT_EQ(runOn("", ""), 2);
  EXPECT_EQ(runOn("", "--help"), 0);
  EXPECT_NE(out.find("--logits FILE"), std::string::npos);
}
