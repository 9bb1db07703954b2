// A plan from anywhere, applied to a small imported model: refused with one line and the model as
// it was, or masks that verify.
//
// The input's first byte chooses the model.
#include "compiler/import/Import.h"
#include "compiler/plan/ApplyPlan.h"
#include "dialects/lm/LM.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "tests/fuzz/Fuzz.h"
#include "tests/fuzz/JsonMutator.h"

using namespace coppice;

static const char *const names[] = {"llama-gqa", "opt-pre"};

namespace {
struct Models {
  Models() : context(mlir::MLIRContext::Threading::DISABLED) {
    context.getDiagEngine().registerHandler([](mlir::Diagnostic &) {});
    for (size_t i = 0; i < std::size(names); ++i) {
      std::string folder = std::string(COPPICE_TESTS "/models/") + names[i];
      auto checkpoint = llvm::cantFail(Checkpoint::open(folder));
      modules[i] = std::move(llvm::cantFail(importModel(folder, checkpoint.get(), context)).module);
    }
  }
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> modules[std::size(names)];
};
} // namespace

/// A context keeps every attribute it has seen: a new one from time to time.
static Models &freshModels() {
  static std::unique_ptr<Models> models;
  static unsigned uses;
  if (uses++ % 2000 == 0)
    models = std::make_unique<Models>();
  return *models;
}

static unsigned operations(mlir::ModuleOp module) {
  unsigned count = 0;
  module.walk([&](mlir::Operation *) { ++count; });
  return count;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  fuzz::ExactCopy copy(data + 1, size - 1);
  auto plan = parsePlan({reinterpret_cast<const char *>(copy.get()), size - 1}, "plan.json");
  if (!plan) {
    std::string message = llvm::toString(plan.takeError());
    FUZZ_CHECK(llvm::StringRef(message).starts_with("plan.json"));
    return 0;
  }
  mlir::OwningOpRef<mlir::ModuleOp> &original = freshModels().modules[data[0] % std::size(names)];
  mlir::OwningOpRef<mlir::ModuleOp> module(original->clone());
  unsigned before = operations(*module);
  if (llvm::Error error = applyPlan(*module, *plan)) {
    std::string message = llvm::toString(std::move(error));
    FUZZ_CHECK(llvm::StringRef(message).starts_with("plan.json"));
    FUZZ_CHECK(operations(*module) == before);
  }
  FUZZ_CHECK(mlir::succeeded(mlir::verify(*module)));
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maxSize,
                                          unsigned seed) {
  if (size < 2 || seed % 16 == 0)
    return LLVMFuzzerMutate(data, size, maxSize);
  return 1 + fuzz::mutateJson(data + 1, size - 1, maxSize - 1, seed / 16);
}
