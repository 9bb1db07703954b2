// Checkpoints on disk: which files are taken, how shards join, what is said where there is none.
#include "compiler/import/Checkpoint.h"
#include "Folder.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include <gtest/gtest.h>

using namespace coppice;
using namespace coppice::test;

namespace {

std::string errorOf(const Folder &folder) { return messageOf(Checkpoint::open(folder.path())); }

// Tensors come in name order with type, shape and data, and are found by name.
TEST(Checkpoint, ReadsASingleFile) {
  Folder folder;
  folder.write("model.safetensors", SafetensorsWriter()
                                        .add("b", {2, 3}, "F16", 2, 1)
                                        .add("a", {4}, "F32", 4, 2)
                                        .add("c", {1}, "BF16", 2, 3)
                                        .bytes());
  auto checkpoint = Checkpoint::open(folder.path());
  ASSERT_TRUE(bool(checkpoint)) << llvm::toString(checkpoint.takeError());
  ASSERT_EQ((*checkpoint)->tensors().size(), 3u);
  EXPECT_EQ((*checkpoint)->tensors()[0].name, "a");
  EXPECT_EQ((*checkpoint)->tensors()[2].dtype, DType::BF16);
  const TensorInfo *b = (*checkpoint)->find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->shape, (llvm::SmallVector<int64_t, 2>{2, 3}));
  EXPECT_EQ(b->data.size(), 12u);
  EXPECT_EQ(b->data[11], 1);
  EXPECT_EQ((*checkpoint)->find("d"), nullptr);
}

// A link that leads nowhere is a broken download, not a folder without weights, of which a dry run
// would make up its own.
TEST(Checkpoint, SeesLinksThatLeadNowhere) {
  Folder folder;
  EXPECT_FALSE(Checkpoint::exists(folder.path()));
  ASSERT_FALSE(llvm::sys::fs::create_link(folder.path("gone"), folder.path("model.safetensors")));
  EXPECT_TRUE(Checkpoint::exists(folder.path()));
  EXPECT_HOLDS(errorOf(folder), "model.safetensors: cannot read it: No such file or directory");
}

// Dropping pages, neighbours' included, does not change what is read afterwards.
TEST(Checkpoint, DroppedPagesComeBack) {
  Folder folder;
  folder.write(
      "model.safetensors",
      SafetensorsWriter().add("a", {5000}, "F32", 4, 5).add("b", {5000}, "F32", 4, 6).bytes());
  auto checkpoint = llvm::cantFail(Checkpoint::open(folder.path()));
  const TensorInfo *a = checkpoint->find("a"), *b = checkpoint->find("b");
  EXPECT_EQ(b->data[0] + b->data.back(), 12);
  checkpoint->drop(*a);
  checkpoint->drop(*b);
  EXPECT_EQ(a->data[0] + a->data.back(), 10);
  EXPECT_EQ(b->data[0] + b->data.back(), 12);
}

// Tensors of other dtypes do not disturb, and are listed apart.
TEST(Checkpoint, ListsUnusableTensorsApart) {
  Folder folder;
  folder.write("model.safetensors",
               SafetensorsWriter().add("ids", {2}, "I64", 8).add("w", {2}).bytes());
  auto checkpoint = llvm::cantFail(Checkpoint::open(folder.path()));
  EXPECT_EQ(checkpoint->tensors().size(), 1u);
  ASSERT_EQ(checkpoint->unusable().size(), 1u);
  EXPECT_EQ(checkpoint->unusable()[0].name, "ids");
  EXPECT_EQ(checkpoint->unusable()[0].dtype, "I64");
}

// The hash is BLAKE3 of the file's bytes; the constant is b3sum's of a file without tensors.
TEST(Checkpoint, HashesTheBytes) {
  Folder folder;
  folder.write("model.safetensors", safetensorsFile("{}", ""));
  auto checkpoint = llvm::cantFail(Checkpoint::open(folder.path()));
  EXPECT_EQ(llvm::toHex(checkpoint->hash(), /*LowerCase=*/true),
            "b8b38d1cb0675f6b3512a37c75287375d8a17f9992e59155c409a35837560cf9");
}

std::string index(llvm::StringRef map) { return ("{\"weight_map\":{" + map + "}}").str(); }

// Shards join into one list, in name order across files.
TEST(Checkpoint, JoinsShards) {
  Folder folder;
  folder.write("one.safetensors", SafetensorsWriter().add("c", {1}).bytes());
  folder.write("two.safetensors", SafetensorsWriter().add("a", {1}).add("d", {1}).bytes());
  folder.write("model.safetensors.index.json",
               index(R"("c":"one.safetensors","a":"two.safetensors","d":"two.safetensors")"));
  auto checkpoint = Checkpoint::open(folder.path());
  ASSERT_TRUE(bool(checkpoint)) << llvm::toString(checkpoint.takeError());
  ASSERT_EQ((*checkpoint)->tensors().size(), 3u);
  EXPECT_EQ((*checkpoint)->tensors()[0].name, "a");
  EXPECT_EQ((*checkpoint)->find("c")->file, folder.path("one.safetensors"));
}

// An index that names a file or a tensor that is not there.
TEST(Checkpoint, RefusesIndexesThatDoNotHold) {
  Folder folder;
  folder.write("one.safetensors", SafetensorsWriter().add("a", {1}).bytes());
  folder.write("model.safetensors.index.json", index(R"("a":"two.safetensors")"));
  EXPECT_HOLDS(errorOf(folder),
               "puts tensor \"a\" into two.safetensors, and there is no such file");
  folder.write("model.safetensors.index.json", index(R"("b":"one.safetensors")"));
  EXPECT_HOLDS(errorOf(folder),
               "puts tensor \"b\" into one.safetensors, and it is not in that file");
  folder.write("model.safetensors.index.json", "{}");
  EXPECT_HOLDS(errorOf(folder), "weight_map, an object");
  folder.write("model.safetensors.index.json", index(""));
  EXPECT_HOLDS(errorOf(folder), "weight_map is empty");
}

// A shard's name leads nowhere but into the folder.
TEST(Checkpoint, RefusesShardNamesThatArePaths) {
  Folder folder;
  for (const char *name : {"../x.safetensors", "/etc/passwd", "a/b.safetensors", "..", ".", "",
                           "a\\\\b.safetensors", "a\\u0000b"}) {
    folder.write("model.safetensors.index.json", index("\"a\":\"" + std::string(name) + "\""));
    EXPECT_HOLDS(errorOf(folder), "the name of a file beside the index is wanted");
  }
  folder.write("model.safetensors.index.json", index("\"a\":1"));
  EXPECT_HOLDS(errorOf(folder), "the name of a file beside the index is wanted");
}

// One name in two shards: which of them is meant cannot be known.
TEST(Checkpoint, RefusesDuplicatesAcrossShards) {
  Folder folder;
  folder.write("one.safetensors", SafetensorsWriter().add("a", {1}).add("b", {1}).bytes());
  folder.write("two.safetensors", SafetensorsWriter().add("b", {1}).bytes());
  folder.write("model.safetensors.index.json",
               index(R"("a":"one.safetensors","b":"two.safetensors")"));
  EXPECT_HOLDS(errorOf(folder), "tensor \"b\" stands in both");
}

// A folder with only a pickle is refused with the line that converts it; the folder's name is
// quoted for the shell.
TEST(Checkpoint, RefusesPicklesWithTheLineThatConverts) {
  Folder folder;
  std::string inner = folder.path("it's here");
  ASSERT_FALSE(llvm::sys::fs::create_directory(inner));
  folder.write("it's here/pytorch_model.bin", "x");
  std::string message = messageOf(Checkpoint::open(inner));
  EXPECT_HOLDS(message, "only safetensors are read");
  EXPECT_HOLDS(message, "python3 -c \"import sys, glob, torch, safetensors.torch as s;");
  EXPECT_HOLDS(message, "s.save_file(w, d + '/model.safetensors'");
  EXPECT_HOLDS(message, "it'\\''s here'");
}

// Without any checkpoint the message says what was looked for.
TEST(Checkpoint, SaysWhatWasLookedFor) {
  Folder folder;
  EXPECT_HOLDS(errorOf(folder), "model.safetensors or model.safetensors.index.json is wanted");
  EXPECT_HOLDS(messageOf(Checkpoint::open(folder.path("none"))), "there is no such folder");
  EXPECT_FALSE(holds(messageOf(Checkpoint::open(folder.path("none"))), "hub"));
  EXPECT_HOLDS(messageOf(Checkpoint::open("nobody/no-model-1.5b")),
               "there is no such folder; if this is the name of a model on the Hugging Face hub, "
               "download it first, with `hf download nobody/no-model-1.5b --local-dir "
               "no-model-1.5b`");
  folder.write("file", "x");
  EXPECT_HOLDS(messageOf(Checkpoint::open(folder.path("file"))), "and this is a file");
}

// What git leaves in place of a large file is called by its name, whichever file it is. The text is
// that of a real one.
TEST(Checkpoint, NamesGitLfsPointers) {
  Folder folder;
  folder.write("model.safetensors",
               "version https://git-lfs.github.com/spec/v1\n"
               "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
               "size 12345\n");
  EXPECT_HOLDS(errorOf(folder), "model.safetensors: this is a git LFS pointer");
  EXPECT_HOLDS(errorOf(folder), "`git lfs pull`");
}

// Links that lead in a circle are not files that are missing: the system's reason is given.
TEST(Checkpoint, TellsCirclesFromWhatIsMissing) {
  for (const char *name : {"model.safetensors", "model.safetensors.index.json"}) {
    Folder folder;
    ASSERT_FALSE(llvm::sys::fs::create_link(folder.path(name), folder.path(name)));
    EXPECT_HOLDS(errorOf(folder), name + std::string(": cannot read it: Too many levels of "));
  }
  Folder folder;
  folder.write("model.safetensors.index.json", index(R"("a":"one.safetensors")"));
  EXPECT_HOLDS(errorOf(folder), "there is no such file beside the index");
  std::string shard = folder.path("one.safetensors");
  ASSERT_FALSE(llvm::sys::fs::create_link(shard, shard));
  EXPECT_HOLDS(errorOf(folder), "one.safetensors: cannot read it: Too many levels of ");
}

// Things that are no files, and an empty one, are refused plainly.
TEST(Checkpoint, RefusesWhatIsNoFile) {
  Folder folder;
  ASSERT_FALSE(llvm::sys::fs::create_directory(folder.path("model.safetensors")));
  EXPECT_HOLDS(errorOf(folder), "this is a directory");
  Folder other;
  other.write("model.safetensors", "");
  EXPECT_HOLDS(errorOf(other), "the file has 0 bytes");
  Folder device;
  ASSERT_FALSE(llvm::sys::fs::create_link("/dev/null", device.path("model.safetensors")));
  EXPECT_HOLDS(errorOf(device), "this is not a regular file");
}

} // namespace
