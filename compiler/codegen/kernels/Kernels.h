// One function per operation: emits the body of a kernel whose function is open in `k`. What
// arguments and items mean is written in compiler/codegen/KernelArgs.h.
#pragma once
#include "compiler/codegen/KernelBuilder.h"

namespace coppice::kernels {

enum class NormKind { Layer, Rms };
enum class ActivationKind { Relu, Gelu, GeluTanh, Silu };
enum class BinaryKind { Add, Mul };
/// What an attention has beyond the plain one, which pays for neither.
struct AttentionKind {
  bool window, softcap;
};

void linear(KernelBuilder &k, WeightType type);
void quantizedLinear(KernelBuilder &k, CodeType type);
void embedRows(KernelBuilder &k, WeightType type);
void embedPanel(KernelBuilder &k, WeightType type);
void quantizedEmbedRows(KernelBuilder &k, CodeType type);
void quantizedEmbedPanel(KernelBuilder &k, CodeType type);
void quantize(KernelBuilder &k);
void norm(KernelBuilder &k, NormKind kind, bool quantized);
void headNorm(KernelBuilder &k);
void softcap(KernelBuilder &k);
void ropeTable(KernelBuilder &k);
void rope(KernelBuilder &k);
void kvWrite(KernelBuilder &k, KvFormat format, bool ring);
void attention(KernelBuilder &k, KvFormat format, AttentionKind kind);
void activation(KernelBuilder &k, ActivationKind kind, bool quantized);
void binary(KernelBuilder &k, BinaryKind kind);
void select(KernelBuilder &k);
void mask(KernelBuilder &k);
void gather(KernelBuilder &k);
void route(KernelBuilder &k);
void group(KernelBuilder &k);
void dispatch(KernelBuilder &k);
void expertLinear(KernelBuilder &k, WeightType type);
void quantizedExpertLinear(KernelBuilder &k, CodeType type);
void combine(KernelBuilder &k);

} // namespace coppice::kernels
