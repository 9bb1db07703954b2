// Writes the logits of every token of the prompt as safetensors, step by step, into a file beside
// the wanted one that takes its name when it is whole.
#include "tools/coppice-run/Run.h"
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace {

// The file that a signal handler has to remove; set before the file is there, and empty otherwise.
// Several kilobytes so that no lock or allocation is needed to read it.
char partialName[4096];
std::atomic<bool> hasPartial{false};

void setPartial(const std::string &name) {
  hasPartial = false;
  if (name.empty() || name.size() >= sizeof partialName)
    return;
  std::memcpy(partialName, name.c_str(), name.size() + 1);
  hasPartial = true;
}

/// A file that is there under its name only after commit().
class File {
public:
  explicit File(const std::string &name) : name(name) {
    // Another process's leftover may lie there: the next number is as good.
    for (int i = 0; i < 100 && !stream; ++i) {
      beside = name + ".part" + std::to_string(getpid()) + "-" + std::to_string(i);
      setPartial(beside);
      int descriptor = open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (descriptor >= 0)
        stream = fdopen(descriptor, "wb");
      else if (errno != EEXIST)
        break;
    }
    if (!stream)
      setPartial("");
  }
  ~File() {
    if (!stream)
      return;
    std::fclose(stream);
    unlink(beside.c_str());
    setPartial("");
  }
  File(const File &) = delete;
  File &operator=(const File &) = delete;

  bool write(const void *data, size_t bytes) {
    return stream && std::fwrite(data, 1, bytes, stream) == bytes;
  }
  bool commit() {
    FILE *done = stream;
    stream = nullptr;
    if (!done)
      return false;
    bool placed = std::fclose(done) == 0 && std::rename(beside.c_str(), name.c_str()) == 0;
    int error = errno;
    if (!placed)
      unlink(beside.c_str());
    setPartial("");
    errno = error;
    return placed;
  }

private:
  std::string name, beside;
  FILE *stream = nullptr;
};

std::string headerOf(uint64_t tokens, uint64_t vocabulary) {
  std::string rows = std::to_string(tokens), columns = std::to_string(vocabulary);
  std::string split = std::to_string(tokens * vocabulary * 4);
  std::string end = std::to_string(tokens * vocabulary * 4 + tokens * 4);
  std::string json = R"({"logits":{"dtype":"F32","shape":[)" + rows + "," + columns +
                     R"(],"data_offsets":[0,)" + split + R"(]},"tokens":{"dtype":"I32","shape":[)" +
                     rows + R"(],"data_offsets":[)" + split + "," + end + "]}}";
  json.resize((json.size() + 7) / 8 * 8, ' '); // keeps the data aligned
  uint64_t length = json.size();
  return std::string(reinterpret_cast<const char *>(&length), sizeof length) + json;
}

} // namespace

void removePartialFile() {
  if (hasPartial)
    unlink(partialName);
}

bool prefillToFile(Run &run) {
  const std::string &name = run.arguments.logits;
  File file(name);
  auto failed = [&] {
    char text[128];
    return report("%s: cannot write: %s", name.c_str(), strerror_r(errno, text, sizeof text));
  };
  uint32_t vocabulary = run.info.vocabulary, rows = coppice_engine_max_rows(run.engine.get());
  std::string header = headerOf(run.tokens.size(), vocabulary);
  if (!file.write(header.data(), header.size()))
    return failed();
  std::vector<float> logits(size_t(rows) * vocabulary);
  std::vector<coppice_token> step;
  for (size_t at = 0; at < run.tokens.size(); at += step.size()) {
    step.clear();
    for (size_t i = at; i < std::min<size_t>(at + rows, run.tokens.size()); ++i)
      step.push_back({run.session, run.tokens[i], true});
    double start = seconds();
    coppice_status status =
        coppice_engine_step(run.engine.get(), step.data(), step.size(), logits.data());
    run.prefillSeconds += seconds() - start;
    if (status != COPPICE_OK)
      return report("cannot run the prompt: %s", coppice_status_text(status));
    if (!file.write(logits.data(), step.size() * vocabulary * sizeof(float)))
      return failed();
    std::copy_n(logits.end() - vocabulary - long((rows - step.size()) * vocabulary), vocabulary,
                run.logits.begin());
  }
  if (!file.write(run.tokens.data(), run.tokens.size() * sizeof(int32_t)) || !file.commit())
    return failed();
  return true;
}
