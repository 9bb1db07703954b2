// What coppice inspect says of a known artifact, as text and as JSON, and of damaged files.
#include "compiler/artifact/Inspect.h"
#include "Sample.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

using namespace coppice;
using namespace coppice::test;

namespace {
struct Inspect : ::testing::Test {
  Inspect() : path(folder.file("a.coppice")) {
    llvm::cantFail(writeArtifact(sample.program, sample.checkpoint, sample.inputs, path));
  }
  std::string inspect(bool json) {
    std::string text;
    llvm::raw_string_ostream out(text);
    error = llvm::toString(inspectArtifact(path, json, out));
    return text;
  }
  Sample sample;
  TempFolder folder;
  std::string path, error;
};

// The whole object, so that nothing in it changes unnoticed: programs rely on it.
TEST_F(Inspect, Json) {
  auto got = llvm::json::parse(inspect(true));
  ASSERT_EQ(error, "");
  ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
  // Weights: 70 + 16 + 16 + 12 bytes in a segment of 268. Cache: 48 floats, 112 = 7 * 16 positions.
  llvm::json::Object &bytes = *got->getAsObject()->getObject("bytes");
  int64_t metadata = *bytes.getInteger("metadata");
  EXPECT_EQ(bytes.getInteger("padding"), 8192 + 268 - 128 - metadata - 100 - 114);
  bytes.erase("metadata");
  bytes.erase("padding");
  auto expected = llvm::json::parse(R"({
    "format_version": 1, "kernel_abi": 1,
    "bytes": {"file": 8460, "prefix": 128, "tokenizer": 0, "code": 100, "weights": [
      {"role": "up_proj", "formats": "f16, f32", "count": 2, "bytes": 86},
      {"role": "norm", "formats": "f32", "count": 1, "bytes": 16},
      {"role": "kv_map", "formats": "u32", "count": 1, "bytes": 12}]},
    "model": {"family": "llama", "vocabulary": 300, "token_limit": 299, "context": 100,
      "parameters_before": 2000, "parameters": 500, "stop_tokens": [2, 7]},
    "layers": [
      {"attention": true, "ffn": true, "head_dim": 8,
       "heads": {"before": 4, "kept": 3, "ranges": [[0, 0], [2, 3]]},
       "kv_heads": {"before": 2, "kept": 2, "ranges": [[0, 1]]},
       "neurons": {"before": 11, "kept": 5, "ranges": [[0, 2], [5, 5], [10, 10]]}},
      {"attention": false, "ffn": true, "head_dim": 8,
       "heads": {"before": 4, "kept": 0, "ranges": []},
       "kv_heads": {"before": 2, "kept": 0, "ranges": []},
       "neurons": {"before": 11, "kept": 1, "ranges": [[4, 4]]}}],
    "entry_points": [{"level": 0, "target": "x86-64-v3", "features": ["avx2", "fma"],
      "code_bytes": 100, "kernels": ["linear_f16", "add"], "stages": 2,
      "arena_bytes_per_row": 128, "kv_bytes_per_position": 192, "kv_bytes_at_context": 21504,
      "plan": null}],
    "provenance": {"compiler": "coppice 0.1.0", "source":
      "abababababababababababababababababababababababababababababababab"}
  })");
  ASSERT_TRUE(bool(expected)) << llvm::toString(expected.takeError());
  std::string a, b;
  llvm::raw_string_ostream(a) << llvm::formatv("{0:2}", *got);
  llvm::raw_string_ostream(b) << llvm::formatv("{0:2}", *expected);
  EXPECT_EQ(a, b);
}

// The text holds the same facts, a cut block is called cut, numbers are grouped.
TEST_F(Inspect, Text) {
  std::string text = inspect(false);
  ASSERT_EQ(error, "");
  for (const char *part :
       {"llama, 2 layers, vocabulary 300, context 100", "500 of 2,000 (25.0 %)",
        "x86-64-v3: avx2, fma", "arena 128 bytes a row", "192 bytes a position, 21,504 at full",
        "abababababab", "8,460", "2 x f16, f32", "3 of 4", "5 of 11", "cut", "none"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

// Names in a file cannot write to the terminal.
TEST_F(Inspect, EscapesNames) {
  sample.program.target = "\x1b[2J";
  llvm::cantFail(writeArtifact(sample.program, sample.checkpoint, sample.inputs, path));
  EXPECT_EQ(inspect(false).find('\x1b'), std::string::npos);
  sample.program.target = "\xff";
  llvm::cantFail(writeArtifact(sample.program, sample.checkpoint, sample.inputs, path));
  EXPECT_TRUE(bool(llvm::json::parse(inspect(true))));
}

// Files that are missing, are no artifacts, were cut or damaged are refused by name, and nothing is
// printed.
TEST_F(Inspect, Refuses) {
  std::vector<uint8_t> whole = readFile(path);
  auto refused = [&](const char *part) {
    EXPECT_EQ(inspect(false), "");
    EXPECT_NE(error.find("'" + path + "': "), std::string::npos) << error;
    EXPECT_NE(error.find(part), std::string::npos) << error;
  };
  std::vector<uint8_t> bytes = whole;
  bytes.back() ^= 1;
  writeFile(path, bytes);
  refused("checksum of its weights");
  bytes = whole;
  bytes[200] ^= 1;
  writeFile(path, bytes);
  refused("checksum of its head");
  writeFile(path, llvm::ArrayRef(whole).drop_back(1));
  refused("damaged");
  writeFile(path, {});
  refused("not an artifact");
  llvm::sys::fs::remove(path);
  refused("cannot be read");
}
} // namespace
