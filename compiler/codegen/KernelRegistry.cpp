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
      all["expert_linear_" + name] = [t](KernelBuilder &k) { kernels::expertLinear(k, t); };
      all["embed_rows_" + name] = [t](KernelBuilder &k) { kernels::embedRows(k, t); };
      all["embed_panel_" + name] = [t](KernelBuilder &k) { kernels::embedPanel(k, t); };
    }
    for (auto [suffix, type] : {std::pair("i8", CodeType::I8), std::pair("i4", CodeType::I4)}) {
      CodeType t = type;
      std::string name = suffix;
      all["linear_" + name] = [t](KernelBuilder &k) { kernels::quantizedLinear(k, t); };
      all["expert_linear_" + name] = [t](KernelBuilder &k) {
        kernels::quantizedExpertLinear(k, t);
      };
      all["embed_rows_" + name] = [t](KernelBuilder &k) { kernels::quantizedEmbedRows(k, t); };
      all["embed_panel_" + name] = [t](KernelBuilder &k) { kernels::quantizedEmbedPanel(k, t); };
    }
    using namespace kernels;
    for (bool quantized : {false, true}) {
      std::string suffix = quantized ? "_quantize" : "";
      const std::pair<const char *, ActivationKind> activations[] = {
          {"relu", ActivationKind::Relu},
          {"gelu", ActivationKind::Gelu},
          {"gelu_tanh", ActivationKind::GeluTanh},
          {"silu", ActivationKind::Silu}};
      for (auto [name, kind] : activations) {
        ActivationKind which = kind;
        all[std::string("activation_") + name + suffix] = [which, quantized](KernelBuilder &k) {
          activation(k, which, quantized);
        };
      }
      all["layer_norm" + suffix] = [quantized](KernelBuilder &k) {
        norm(k, NormKind::Layer, quantized);
      };
      all["rms_norm" + suffix] = [quantized](KernelBuilder &k) {
        norm(k, NormKind::Rms, quantized);
      };
    }
    all["quantize"] = kernels::quantize;
    all["head_norm"] = headNorm;
    all["softcap"] = softcap;
    all["rope_table"] = ropeTable;
    all["rope"] = rope;
    const std::pair<const char *, KvFormat> caches[] = {
        {"f32", KvFormat::F32}, {"bf16", KvFormat::BF16}, {"i8", KvFormat::I8}};
    for (auto [suffix, type] : caches) {
      KvFormat t = type;
      std::string name = suffix;
      for (bool more : {false, true}) {
        all[(more ? "kv_write_ring_" : "kv_write_") + name] = [t, more](KernelBuilder &k) {
          kvWrite(k, t, more);
        };
        for (bool softcap : {false, true}) {
          std::string of = std::string(more ? "_window" : "") + (softcap ? "_softcap_" : "_");
          all["attention" + of + name] = [t, more, softcap](KernelBuilder &k) {
            attention(k, t, {/*window=*/more, softcap});
          };
        }
      }
    }
    all["add"] = [](KernelBuilder &k) { binary(k, BinaryKind::Add); };
    all["mul"] = [](KernelBuilder &k) { binary(k, BinaryKind::Mul); };
    all["select"] = kernels::select;
    all["mask"] = mask;
    all["gather"] = gather;
    all["route"] = route;
    all["group"] = kernels::group;
    all["dispatch"] = dispatch;
    all["combine"] = combine;
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
