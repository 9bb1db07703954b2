// Every published config of tests/published: read whole, and as many parameters follow as
// transformers makes of it (counts.json, which tests/golden/models/make_published.py wrote).
#include "ImportFixture.h"
#include "compiler/import/Files.h"
#include "compiler/import/Json.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace coppice;
using namespace coppice::test;

namespace {

// Nothing that a published file says is refused, and every width is read as the library reads it.
TEST_F(Import, CountsPublishedParameters) {
  std::string root = COPPICE_SOURCE_DIR "/tests/published/";
  llvm::json::Value counts = llvm::cantFail(readJsonFile(root + "counts.json"));
  ASSERT_GT(counts.getAsObject()->size(), 40u);
  for (const auto &[name, count] : *counts.getAsObject()) {
    std::string path = root + llvm::StringRef(name).str() + "/config.json";
    auto text = llvm::MemoryBuffer::getFile(path);
    ASSERT_TRUE(bool(text)) << path;
    auto model = importShape(path, (*text)->getBuffer(), context);
    ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
    int64_t parameters = 0;
    for (lm::TensorOp tensor : model->module->getOps<lm::TensorOp>())
      parameters += llvm::cast<mlir::RankedTensorType>(tensor.getType()).getNumElements();
    EXPECT_EQ(parameters, count.getAsObject()->getInteger("parameters"))
        << llvm::StringRef(name).str();
  }
}

} // namespace
