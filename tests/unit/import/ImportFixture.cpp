// Whole checkpoints from a config alone.
#include "ImportFixture.h"

namespace coppice::test {

void Import::writeModel(llvm::StringRef config, const Changes &changes) {
  folder.write("config.json", config);
  llvm::Expected<ImportedModel> shape = importShape(folder.path("config.json"), config, context);
  ASSERT_TRUE(bool(shape)) << llvm::toString(shape.takeError());
  SafetensorsWriter weights;
  for (auto tensor : shape->module->getOps<lm::TensorOp>())
    if (!changes.count(tensor.getSymName().str()))
      weights.add(tensor.getSymName(),
                  llvm::cast<mlir::RankedTensorType>(tensor.getType()).getShape());
  for (const auto &[name, extents] : changes)
    if (!extents.empty())
      weights.add(name, extents);
  writeWeights(weights);
}

std::string Import::function() {
  llvm::Expected<ImportedModel> model = import();
  if (!model)
    return llvm::toString(model.takeError());
  std::string text = print(*model->module);
  return text.substr(text.find("func.func"));
}

} // namespace coppice::test
