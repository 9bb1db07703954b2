// config.json (and, after a zero byte, generation_config.json) from anywhere, over the checkpoint
// of a model of the tree: refused with one line, or a graph that verifies.
//
// The input's first byte chooses the checkpoint.
#include "compiler/import/Import.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "tests/fuzz/Fuzz.h"
#include "tests/fuzz/JsonMutator.h"

using namespace coppice;

static const char *const models[] = {
    "llama-gqa",      "llama-linear",   "llama-rope3",  "opt-pre",         "opt-post",
    "falcon-grouped", "gemma3-pattern", "gpt2",         "mixtral-window",  "neox-parallel",
    "phi-2",          "phi3-longrope",  "qwen2-window", "qwen3-moe-mixed", "starcoder2-window"};
static std::unique_ptr<Checkpoint> checkpoints[std::size(models)];

extern "C" int LLVMFuzzerInitialize(int *, char ***) {
  for (size_t i = 0; i < std::size(models); ++i)
    checkpoints[i] =
        llvm::cantFail(Checkpoint::open(std::string(COPPICE_TESTS "/models/") + models[i]));
  return 0;
}

/// A context keeps every attribute it has seen: a new one from time to time.
static mlir::MLIRContext &freshContext() {
  static std::unique_ptr<mlir::MLIRContext> context;
  static unsigned uses;
  if (uses++ % 500 == 0) {
    context = std::make_unique<mlir::MLIRContext>(mlir::MLIRContext::Threading::DISABLED);
    context->getDiagEngine().registerHandler([](mlir::Diagnostic &) {});
  }
  return *context;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  llvm::StringRef text(reinterpret_cast<const char *>(data) + 1, size - 1);
  auto [config, generation] = text.split('\0');
  fuzz::ExactCopy configCopy(config.data(), config.size());
  fuzz::ExactCopy generationCopy(generation.data(), generation.size());
  auto asText = [](const fuzz::ExactCopy &copy, size_t bytes) {
    return llvm::StringRef(reinterpret_cast<const char *>(copy.get()), bytes);
  };
  std::optional<llvm::StringRef> second;
  if (config.size() < text.size())
    second = asText(generationCopy, generation.size());
  auto model = importModelText("folder", asText(configCopy, config.size()), second,
                               *checkpoints[data[0] % std::size(models)], freshContext());
  if (!model) {
    std::string message = llvm::toString(model.takeError());
    FUZZ_CHECK(llvm::StringRef(message).starts_with("folder/") ||
               llvm::StringRef(message).starts_with(COPPICE_TESTS));
    FUZZ_CHECK(!llvm::StringRef(message).starts_with("folder/config.json: the imported graph"));
    return 0;
  }
  FUZZ_CHECK(mlir::succeeded(mlir::verify(*model->module)));
  FUZZ_CHECK(model->context > 0 && model->vocab > 0);
  for (int32_t stop : model->stopTokens)
    FUZZ_CHECK(stop >= 0 && stop < model->vocab);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maxSize,
                                          unsigned seed) {
  if (size < 2 || seed % 16 == 0)
    return LLVMFuzzerMutate(data, size, maxSize);
  // config.json stays, or what is behind it.
  const void *zero = memchr(data + 1, 0, size - 1);
  size_t config = zero ? static_cast<const uint8_t *>(zero) - data : size;
  if (config < size && seed % 16 < 4)
    return config + 1 +
           fuzz::mutateJson(data + config + 1, size - config - 1, maxSize - config - 1, seed / 16);
  std::string rest(reinterpret_cast<const char *>(data) + config, size - config);
  config = 1 + fuzz::mutateJson(data + 1, config - 1, maxSize - 1 - rest.size(), seed / 16);
  memcpy(data + config, rest.data(), rest.size());
  return config + rest.size();
}
