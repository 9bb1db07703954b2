// The ops of the pack dialect. Each stage op is one stage of the step; argument words and items of
// its kernel are in compiler/codegen/KernelArgs.h.
#ifndef COPPICE_PACK_OPS
#define COPPICE_PACK_OPS

include "dialects/lm/LMBase.td"
include "dialects/pack/PackBase.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

// Rows of activations as they lie in the arena.
def Pack_Rows : AnyTypeOf<[Pack_BufferType, Pack_QuantizedType]>;

class Pack_Op<string mnemonic, list<Trait> traits = []> : Op<Pack_Dialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// The step and its weights
//===----------------------------------------------------------------------===//

def Pack_StepOp : Pack_Op<"step", [Symbol, SingleBlock, NoRegionArguments, IsolatedFromAbove]> {
  let summary = "One step of the model: stages in order";
  let description = [{
    `arena` is the bytes of arena per row of capacity, `kv` the bytes of KV cache per position;
    memory planning sets both. With caches that are rings it sets `ring` too, their bytes per
    position, and how many positions they hold: the widest window and `largestStep` rows.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, OptionalAttr<I64Attr>:$arena,
                       OptionalAttr<I64Attr>:$kv, OptionalAttr<I64Attr>:$ring,
                       OptionalAttr<I64Attr>:$ringPositions, OptionalAttr<I64Attr>:$largestStep);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
  let hasRegionVerifier = 1;
}

def Pack_ReturnOp : Pack_Op<"return", [Terminator, ParentOneOf<["StepOp"]>]> {
  let summary = "The logits of the rows that want them";
  let arguments = (ins Pack_BufferType:$logits);
  let assemblyFormat = "$logits attr-dict `:` type($logits)";
  let hasVerifier = 1;
}

def Pack_WeightOp : Pack_Op<"weight", [Pure]> {
  let summary = "Packs a weight or a constant row";
  let description = [{
    The source is an `lm.weight` or a constant-row expression; it is evaluated while the artifact
    is written. A weight of several experts has an `lm.weight` for each. `offset` is its place in the
    weight segment in bytes, set by memory planning.
  }];
  let arguments = (ins Variadic<LM_WeightTensor>:$sources, StrAttr:$role,
                       OptionalAttr<I64Attr>:$offset);
  let results = (outs Pack_WeightType:$result);
  let assemblyFormat = "$role $sources attr-dict `:` type($sources) `->` type($result)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The first; of a weight that is not of experts the only one.
    ::mlir::Value getSource() { return getSources().front(); }
  }];
}

def Pack_ConstantOp : Pack_Op<"constant", [Pure]> {
  let summary = "A small table that the compiler made: frequencies, maps, index lists";
  let arguments = (ins DenseI32ArrayAttr:$words, StrAttr:$role, OptionalAttr<I64Attr>:$offset);
  let results = (outs Pack_WeightType:$result);
  let assemblyFormat = "$role $words attr-dict `:` type($result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Stages
//===----------------------------------------------------------------------===//

// A stage makes one buffer or cache. `place` is the result's arena offset in bytes per row.
class Pack_Stage<string mnemonic, list<Trait> traits = []>
    : Pack_Op<mnemonic, !listconcat([Pure], traits)> {
  let hasVerifier = 1;
}

def Pack_EmbedOp : Pack_Stage<"embed"> {
  let summary = "Row id + offset of a table, for each row";
  let arguments = (ins Pack_RowIdAttr:$id, Pack_WeightType:$table, I32Attr:$offset,
                       OptionalAttr<I64Attr>:$place);
  let results = (outs Pack_BufferType:$result);
  let assemblyFormat = [{
    $id `of` $table `offset` $offset attr-dict `:` type($table) `->` type($result)
  }];
}

def Pack_HeadNormOp : Pack_Stage<"head_norm"> {
  let summary = "RMS norm of each head of each row";
  let description = [{
    Each run of columns as wide as `scale` is normalised alone. The result may lie where the input
    lies.
  }];
  let arguments = (ins Pack_BufferType:$input, Pack_WeightType:$scale, F32Attr:$eps,
                       OptionalAttr<I64Attr>:$place);
  let results = (outs Pack_BufferType:$result);
  let assemblyFormat = [{
    $input `scale` $scale `eps` $eps attr-dict `:` type($input) `,` type($scale) `->` type($result)
  }];
}

def Pack_NormOp : Pack_Stage<"norm", [AttrSizedOperandSegments]> {
  let summary = "Layer norm or RMS norm of each row, quantized if the result is";
  let arguments = (ins Pack_NormKindAttr:$kind, Pack_BufferType:$input,
                       Optional<Pack_WeightType>:$scale, Optional<Pack_WeightType>:$bias,
                       F32Attr:$eps, OptionalAttr<I64Attr>:$place);
  let results = (outs Pack_Rows:$result);
  let assemblyFormat = [{
    $kind $input (`scale` $scale^ `:` type($scale))? (`bias` $bias^ `:` type($bias))? `eps` $eps
    attr-dict `:` type($input) `->` type($result)
  }];
}

def Pack_QuantizeOp : Pack_Stage<"quantize"> {
  let summary = "Rows as int8 codes with a scale for each group of 32";
  let description = [{
    scale = max |x| / 127 of the group, code = round_half_even(x * (127 / max |x|)), 0 for a group of
    zeros.
  }];
  let arguments = (ins Pack_BufferType:$input, OptionalAttr<I64Attr>:$place);
  let results = (outs Pack_QuantizedType:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
}

def Pack_LinearOp : Pack_Stage<"linear", [AttrSizedOperandSegments]> {
  let summary = "input x weight^T + bias + residual";
  let description = [{
    A quantized weight takes an input that is quantized for its zero point. The result may lie where
    the residual lies.
  }];
  let arguments = (ins Pack_Rows:$input, Pack_WeightType:$weight,
                       Optional<Pack_WeightType>:$bias, Optional<Pack_BufferType>:$residual,
                       OptionalAttr<I64Attr>:$place);
  let results = (outs Pack_BufferType:$result);
  let assemblyFormat = [{
    $input `,` $weight (`bias` $bias^ `:` type($bias))? (`residual` $residual^ `:` type($residual))?
    attr-dict `:` type($input) `,` type($weight) `->` type($result)
  }];
}

def Pack_RopeTableOp : Pack_Stage<"rope_table"> {
  let summary = "Cosines, then sines, of each row's angles, times the magnitude";
  let arguments = (ins Pack_WeightType:$invFreq, OptionalAttr<F32Attr>:$magnitude,
                       OptionalAttr<I64Attr>:$place);
  let results = (outs Pack_BufferType:$result);
  let assemblyFormat = [{
    $invFreq (`magnitude` $magnitude^)? attr-dict `:` type($invFreq) `->` type($result)
  }];
}

def Pack_RopeOp : Pack_Stage<"rope"> {
  let summary = "Rotates each head by the row's table";
  let description = [{The result may lie where the input lies.}];
  let arguments = (ins Pack_BufferType:$input, Pack_BufferType:$table, I32Attr:$headDim,
                       OptionalAttr<I64Attr>:$place);
  let results = (outs Pack_BufferType:$result);
  let assemblyFormat = [{
    $input `by` $table `head_dim` $headDim attr-dict `:` type($input) `,` type($table) `->` type($result)
  }];
}

def Pack_KvWriteOp : Pack_Stage<"kv_write"> {
  let summary = "Puts keys and values of each row into its session's cache";
  let description = [{
    In the cache's format: bf16 is rounded to nearest even, i8 to the nearest of 127 steps of the
    head's largest value. `place` is the cache's offset in bytes per position, set by memory planning,
    which says too if the cache is a ring: then the offset is among the rings.
  }];
  let arguments = (ins Pack_BufferType:$key, Pack_BufferType:$value, OptionalAttr<I64Attr>:$place,
                       UnitAttr:$ring);
  let results = (outs Pack_CacheType:$result);
  let assemblyFormat = "$key `,` $value attr-dict `:` type($key) `,` type($value) `->` type($result)";
}

def Pack_AttentionOp : Pack_Stage<"attention"> {
  let summary = "Causal attention of each row's query heads over its session's cache";
  let description = [{
    `kv_map` says which query heads read which KV head, so that each key and value is loaded once for
    all of them: for every KV head where its query heads begin in the list, then where the last ones
    end, then the list, all heads in it once. `window` and `softcap` are lm.attention's.
  }];
  let arguments = (ins Pack_BufferType:$query, Pack_CacheType:$cache, Pack_WeightType:$kvMap,
                       F32Attr:$scale, OptionalAttr<I32Attr>:$window,
                       OptionalAttr<F32Attr>:$softcap, OptionalAttr<I64Attr>:$place);
  let results = (outs Pack_BufferType:$result);
  let assemblyFormat = [{
    $query `over` $cache `kv_map` $kvMap `:` type($kvMap) `scale` $scale
    (`window` $window^)? (`softcap` $softcap^)? attr-dict
    `:` type($query) `,` type($cache) `->` type($result)
  }];
}

def Pack_ActivationOp : Pack_Stage<"activation"> {
  let summary = "An element-wise function, times another buffer if given, quantized if the result is";
  let description = [{A result that is not quantized may lie where either buffer lies.}];
  let arguments = (ins LM_ActivationKindAttr:$kind, Pack_BufferType:$input,
                       Optional<Pack_BufferType>:$other, OptionalAttr<I64Attr>:$place);
  let results = (outs Pack_Rows:$result);
  let assemblyFormat = [{
    $kind $input (`times` $other^ `:` type($other))? attr-dict `:` type($input) `->` type($result)
  }];
}

def Pack_SoftcapOp : Pack_Stage<"softcap"> {
  let summary = "cap * tanh(x / cap), element-wise";
  let description = [{The result may lie where the input lies.}];
  let arguments = (ins Pack_BufferType:$input, F32Attr:$cap, OptionalAttr<I64Attr>:$place);
  let results = (outs Pack_BufferType:$result);
  let assemblyFormat = "$input `cap` $cap attr-dict `:` type($input) `->` type($result)";
}

class Pack_Binary<string mnemonic> : Pack_Stage<mnemonic, [AttrSizedOperandSegments]> {
  let description = [{
    With a second buffer, or a constant row, or both. The result may lie where either buffer lies.
  }];
  let arguments = (ins Pack_BufferType:$input, Optional<Pack_BufferType>:$other,
                       Optional<Pack_WeightType>:$constant, OptionalAttr<I64Attr>:$place);
  let results = (outs Pack_BufferType:$result);
  let assemblyFormat = [{
    $input (`,` $other^ `:` type($other))? (`constant` $constant^ `:` type($constant))?
    attr-dict `:` type($input) `->` type($result)
  }];
}
def Pack_AddOp : Pack_Binary<"add"> { let summary = "Element-wise sum"; }
def Pack_MulOp : Pack_Binary<"mul"> { let summary = "Element-wise product"; }

def Pack_SelectOp : Pack_Stage<"select"> {
  let summary = "The listed columns of each row";
  let arguments = (ins Pack_BufferType:$input, Pack_WeightType:$index, OptionalAttr<I64Attr>:$place);
  let results = (outs Pack_BufferType:$result);
  let assemblyFormat = "$input `by` $index attr-dict `:` type($input) `,` type($index) `->` type($result)";
}

def Pack_MaskOp : Pack_Stage<"mask"> {
  let summary = "Zero, or a constant, in the listed columns of each row";
  let description = [{The result may lie where the input lies.}];
  let arguments = (ins Pack_BufferType:$input, Pack_WeightType:$index,
                       Optional<Pack_WeightType>:$fill, OptionalAttr<I64Attr>:$place);
  let results = (outs Pack_BufferType:$result);
  let assemblyFormat = [{
    $input `by` $index (`fill` $fill^ `:` type($fill))? attr-dict `:` type($input) `,` type($index) `->` type($result)
  }];
}

def Pack_GatherOp : Pack_Stage<"gather"> {
  let summary = "The rows whose logits are wanted, out of all rows";
  let arguments = (ins Pack_BufferType:$input, OptionalAttr<I64Attr>:$place);
  let results = (outs Pack_BufferType:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
}

// A mark, not a stage: it has no kernel, and no item of the step waits for it.
def Pack_ObserveOp : Pack_Op<"observe", [MemoryEffects<[MemWrite]>]> {
  let summary = "Marks rows that calibration reads when the stage before is done";
  let description = [{
    Keeps the buffer where it lies, whole and as it was made, up to this place. Nothing removes it:
    it is said to write. Observations become no part of an artifact; the compiler hands the list of
    them to who runs the step and looks. Of routed rows those of one expert are marked.

    ```mlir
    pack.observe "model.layers.0.mlp.down_proj.weight" %3 : !pack.buffer<172, all>
    pack.observe "model.layers.1.mlp.experts.5.down_proj.weight" %4 expert 5 of %g : !pack.groups<2 of 8, all> : !pack.buffer<96, routed>
    ```
  }];
  let arguments = (ins StrAttr:$name, Pack_BufferType:$input, OptionalAttr<I32Attr>:$expert,
                       Optional<Pack_GroupsType>:$groups);
  let assemblyFormat = [{
    $name $input (`expert` $expert^ `of` $groups `:` type($groups))? attr-dict `:` type($input)
  }];
  let builders = [OpBuilder<(ins "::mlir::StringRef":$name, "::mlir::Value":$input), [{
    build($_builder, $_state, name, input, ::mlir::IntegerAttr(), ::mlir::Value());
  }]>];
  let hasVerifier = 1;
}

include "dialects/pack/ExpertOps.td"

//===----------------------------------------------------------------------===//
// Inside kernels
//===----------------------------------------------------------------------===//

def Pack_Dot4Op : Pack_Op<"dot4", [Pure, AllTypesMatch<["acc", "result"]>,
                                   AllTypesMatch<["codes", "values"]>]> {
  let summary = "acc + dot products of four unsigned and four signed bytes a lane, exact";
  let description = [{
    Lane i of the result is acc[i] plus the sum over b < 4 of codes[4i+b], unsigned, times
    values[4i+b], signed; the sum wraps modulo 2^32 and nothing saturates, on any target. Codes are
    below 2^`bits`: the caller's promise, by which targets without a dot product of bytes take
    shorter code from 7 bits down. Kernels alone hold this op; `lower-dot4` turns it into the
    target's instructions.

    ```mlir
    %r = pack.dot4 %acc, %codes, %values bits 4 : vector<16xi32>, vector<64xi8>
    ```
  }];
  let arguments = (ins VectorOfLengthAndType<[16], [I32]>:$acc,
                       VectorOfLengthAndType<[64], [I8]>:$codes,
                       VectorOfLengthAndType<[64], [I8]>:$values, I32Attr:$bits);
  let results = (outs VectorOfLengthAndType<[16], [I32]>:$result);
  let assemblyFormat = [{
    $acc `,` $codes `,` $values `bits` $bits attr-dict `:` type($acc) `,` type($codes)
  }];
  let hasVerifier = 1;
}

#endif // COPPICE_PACK_OPS
