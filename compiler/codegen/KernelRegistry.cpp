// Names of kernels to the functions that emit them.
#include "compiler/codegen/KernelRegistry.h"
#include "compiler/codegen/kernels/Kernels.h"
#include <functional>
#include <map>

using namespace coppice;

using Emitter = std::function<void(KernelBuilder &)>;

static const std::map<std::string, Emitter, std::less<>> &registry() {
  static const auto kernels = [] {
    std::map<std::string, Emitter, std::less<>> all;
    const std::pair<const char *, WeightType> types[] = {
        {"f32", WeightType::F32}, {"f16", WeightType::F16}, {"bf16", WeightType::BF16}};
    for (auto [suffix, type] : types) {
      WeightType t = type;
      all[std::string("linear_") + suffix] = [t](KernelBuilder &k) { kernels::linear(k, t); };
    }
    return all;
  }();
  return kernels;
}

std::vector<std::string> coppice::kernelNames() {
  std::vector<std::string> names;
  for (const auto &[name, emitter] : registry())
    names.push_back(name);
  return names;
}

llvm::Error coppice::buildKernel(mlir::ModuleOp module, llvm::StringRef name,
                                 const Target &target) {
  auto found = registry().find(name.str());
  if (found == registry().end())
    return llvm::createStringError("internal error: no kernel is called \"%s\"",
                                   name.str().c_str());
  KernelBuilder k(module, name, target);
  found->second(k);
  k.finish();
  return llvm::Error::success();
}
