// Weights that are not numbers: every tensor, at its first, a middle and its last element, with
// NaN, infinity, minus infinity, and a finite value that float16 cannot hold.
#include "compiler/artifact/WeightStream.h"
#include "compiler/codegen/Stages.h"
#include "compiler/import/Import.h"
#include "compiler/pipeline/PassList.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "tests/unit/hostile/Support.h"
#include "llvm/Support/Endian.h"

using namespace coppice;
using namespace coppice::hostile;

namespace {
/// A model up to its packed weights; no code is made, which is what takes long.
class Model {
public:
  explicit Model(const std::string &name) {
    folder.write("config.json", readTestFile("models/" + name + "/config.json"));
    file = readTestFile("models/" + name + "/model.safetensors");
    folder.write("model.safetensors", file);
    checkpoint = llvm::cantFail(Checkpoint::open(folder.path()));
    context.disableMultithreading();
    module = llvm::cantFail(importModel(folder.path(), checkpoint.get(), context)).module;
  }

  /// Packs the weights of the folder as it now is. The graph does not depend on values.
  llvm::Error pack(llvm::StringRef format, bool findDead) {
    auto opened = llvm::cantFail(Checkpoint::open(folder.path()));
    mlir::OwningOpRef<mlir::ModuleOp> copy(module->clone());
    std::string message;
    mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
      if (message.empty())
        message = diagnostic.str();
      return mlir::success();
    });
    mlir::PassManager pm(&context);
    addMaskPasses(pm, nullptr, findDead ? opened.get() : nullptr);
    addShrinkPasses(pm);
    addPackPasses(pm, format, "f32", /*context=*/0);
    addMemoryPasses(pm, /*context=*/0);
    if (failed(pm.run(*copy)))
      return llvm::createStringError(message);
    auto list = buildStages(*copy->getOps<pack::StepOp>().begin());
    if (!list)
      return list.takeError();
    return streamWeights(
        list->weights, *opened, 1, [](uint64_t, uint64_t) {},
        [](llvm::ArrayRef<uint8_t>) { return llvm::Error::success(); });
  }

  Folder folder;
  Bytes file;
  std::unique_ptr<Checkpoint> checkpoint;
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

/// The bits of a value in a checkpoint's type.
uint32_t bitsOf(DType type, const char *kind) {
  bool nan = kind[0] == 'n', minus = kind[0] == '-', big = kind[0] == 'b';
  switch (type) {
  case DType::F32:
    return big ? 0x47800000 : nan ? 0x7fc00001 : minus ? 0xff800000 : 0x7f800000;
  case DType::F16:
    return nan ? 0x7e01 : minus ? 0xfc00 : 0x7c00;
  case DType::BF16:
    return big ? 0x4780 : nan ? 0x7fc1 : minus ? 0xff80 : 0x7f80;
  }
  return 0;
}
} // namespace

// Matrices of every kind, o_proj too, which i8 alone leaves in float16 here.
constexpr const char *kNarrow[] = {"f16", "i8,*.o*_proj.weight=i8", "i4,head=i4,embed=i4"};

// Each is refused by the tensor's name, stored, narrowed or quantized, with --find-dead and
// without.
TEST(HostileWeights, NotFinite) {
  Tally tally("weights");
  for (const char *name : {"llama-linear", "llama-gqa", "opt-pre"}) {
    Model model(name);
    ASSERT_FALSE(bool(model.pack("stored", true))) << name;
    ASSERT_FALSE(bool(model.pack("f16", false))) << name;
    size_t at = 0;
    for (const TensorInfo &tensor : model.checkpoint->tensors()) {
      size_t size = dtypeBytes(tensor.dtype), count = tensor.data.size() / size;
      for (size_t element : {size_t(0), count / 2, count - 1})
        for (const char *kind : {"nan", "inf", "-inf", "big"}) {
          bool big = *kind == 'b'; // 65536: fits but where it is narrowed to float16
          if (at++ % strideOr(7) != 0 || (big && tensor.dtype == DType::F16))
            continue;
          Bytes changed = model.file;
          size_t dataAt = 8 + llvm::support::endian::read64le(model.file.data());
          const uint8_t *lowest = tensor.data.data();
          for (const TensorInfo &other : model.checkpoint->tensors())
            lowest = std::min(lowest, other.data.data());
          size_t place = dataAt + size_t(tensor.data.data() - lowest) + element * size;
          uint32_t bits = bitsOf(tensor.dtype, kind);
          memcpy(&changed[place], &bits, size);
          model.folder.write("model.safetensors", changed);
          // Vectors stay float32 when weights are narrowed.
          bool narrowed = tensor.shape.size() == 2;
          std::string what = std::string(kind) + " in " + tensor.name.str() + " of " + name;
          if (!big) {
            tally.mustRefuse(model.pack("stored", at % 2), what, tensor.name);
            tally.mustRefuse(model.pack(kNarrow[at % 3], at % 2), what, tensor.name);
          } else if (narrowed) {
            tally.mustRefuse(model.pack("f16", false), what, tensor.name);
            EXPECT_FALSE(bool(model.pack(kNarrow[1 + at % 2], false))) << what;
          } else {
            EXPECT_FALSE(bool(model.pack("f16", false))) << what;
          }
        }
    }
  }
}
