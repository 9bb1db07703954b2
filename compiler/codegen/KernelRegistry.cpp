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
      std::string name = suffix;
      all["linear_" + name] = [t](KernelBuilder &k) { kernels::linear(k, t); };
      all["embed_rows_" + name] = [t](KernelBuilder &k) { kernels::embedRows(k, t); };
      all["embed_panel_" + name] = [t](KernelBuilder &k) { kernels::embedPanel(k, t); };
    }
    using namespace kernels;
    all["layer_norm"] = [](KernelBuilder &k) { norm(k, NormKind::Layer); };
    all["rms_norm"] = [](KernelBuilder &k) { norm(k, NormKind::Rms); };
    all["rope_table"] = ropeTable;
    all["rope"] = rope;
    all["kv_write"] = kvWrite;
    all["attention"] = attention;
    all["activation_relu"] = [](KernelBuilder &k) { activation(k, ActivationKind::Relu); };
    all["activation_gelu"] = [](KernelBuilder &k) { activation(k, ActivationKind::Gelu); };
    all["activation_gelu_tanh"] = [](KernelBuilder &k) { activation(k, ActivationKind::GeluTanh); };
    all["activation_silu"] = [](KernelBuilder &k) { activation(k, ActivationKind::Silu); };
    all["add"] = [](KernelBuilder &k) { binary(k, BinaryKind::Add); };
    all["mul"] = [](KernelBuilder &k) { binary(k, BinaryKind::Mul); };
    all["select"] = kernels::select;
    all["mask"] = mask;
    all["gather"] = gather;
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
