// tokenizer.json with bits flipped and cut anywhere: refused, or tables that the runtime takes and
// that encode and decode any text without reading outside.
#include "compiler/artifact/tokenizer/Tokenizer.h"
#include "runtime/host/TokenizerTables.h"
#include "tests/unit/hostile/Support.h"
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

using namespace coppice;
using namespace coppice::hostile;

namespace {
/// A model's folder whose tokenizer.json is changed in place.
class Tokenizer {
public:
  explicit Tokenizer(const std::string &name)
      : original(readTestFile("golden/tokenizer/models/" + name + "/tokenizer.json")) {
    folder.write("tokenizer.json", original);
    file = open(folder.path("tokenizer.json").c_str(), O_RDWR | O_CLOEXEC);
  }
  ~Tokenizer() { close(file); }

  void put(size_t at, uint8_t byte) { ASSERT_EQ(pwrite(file, &byte, 1, off_t(at)), 1); }
  void cut(size_t length) { ASSERT_EQ(ftruncate(file, off_t(length)), 0); }

  /// Compiles it; what is accepted is given to the runtime.
  llvm::Error tryIt() {
    auto tables = compileTokenizer(folder.path(), 100000);
    if (!tables)
      return tables.takeError();
    EXPECT_TRUE(tables->has_value());
    Bytes buffer = buildTokenizer(**tables);
    // The reader wants 16-byte alignment, as the artifact gives it.
    std::unique_ptr<uint8_t, void (*)(void *)> aligned(
        static_cast<uint8_t *>(aligned_alloc(16, (buffer.size() + 15) / 16 * 16)), free);
    memcpy(aligned.get(), buffer.data(), buffer.size());
    coppice_tokenizer made;
    EXPECT_EQ(runtime::readTokenizer(aligned.get(), buffer.size(), made), COPPICE_OK);
    return llvm::Error::success();
  }

  Bytes original;

private:
  Folder folder;
  int file;
};
} // namespace

// Bits flipped over the whole file.
TEST(HostileTokenizer, EveryBit) {
  Tally tally("bit flips");
  for (const char *name : {"dropped", "sentence", "qwen2"}) {
    Tokenizer tokenizer(name);
    for (size_t bit = 0; bit < tokenizer.original.size() * 8; bit += strideOr(59)) {
      uint8_t before = tokenizer.original[bit / 8];
      tokenizer.put(bit / 8, uint8_t(before ^ 1 << bit % 8));
      tally.either(tokenizer.tryIt(), "tokenizer.json");
      tokenizer.put(bit / 8, before);
    }
  }
}

// Cut at 200 places: refused.
TEST(HostileTokenizer, CutAnywhere) {
  Tally tally("cuts");
  Tokenizer tokenizer("sentence");
  size_t end = llvm::toStringRef(tokenizer.original).rtrim().size();
  for (size_t i = 200; i-- > 0;) {
    tokenizer.cut(i * end / 200);
    tally.mustRefuse(tokenizer.tryIt(), "cut " + std::to_string(i), "tokenizer.json");
  }
}
