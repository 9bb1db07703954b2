// The ops of the lm dialect.
#ifndef COPPICE_LM_OPS
#define COPPICE_LM_OPS

include "dialects/lm/LMBase.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class LM_Op<string mnemonic, list<Trait> traits = []> : Op<LM_Dialect, mnemonic, traits> {
  let hasVerifier = 1;
}
class LM_PureOp<string mnemonic, list<Trait> traits = []>
    : LM_Op<mnemonic, !listconcat([Pure], traits)>;

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

def LM_TensorOp : LM_Op<"tensor", [Symbol]> {
  let summary = "Declares a tensor of the checkpoint";
  let description = [{
    Name, shape and element type as the checkpoint states them. Tensors that no `lm.weight` reads
    are dropped by symbol-dce.

    ```mlir
    lm.tensor private @"model.norm.weight" : tensor<64xf16>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, OptionalAttr<StrAttr>:$sym_visibility,
                       TypeAttrOf<LM_WeightTensor>:$type);
  let hasCustomAssemblyFormat = 1;
}

def LM_WeightOp : LM_PureOp<"weight", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "A tensor of the checkpoint, with the rows and columns that are kept";
  let description = [{
    `rows` and `cols` list what is kept of the declared tensor, in the order in which it is kept;
    without a list everything is kept. A vector has rows only. `transposed` reads the declared
    matrix as [in, out]; the lists count in the result's, untransposed, sense: rows are outputs.

    ```mlir
    %w = lm.weight @"model.layers.0.mlp.up_proj.weight" rows <0 to 3, 7> : tensor<5x64xf16>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$tensor, OptionalAttr<LM_IndexListAttr>:$rows,
                       OptionalAttr<LM_IndexListAttr>:$cols, UnitAttr:$transposed);
  let results = (outs LM_WeightTensor:$result);
  let assemblyFormat = [{
    $tensor (`rows` $rows^)? (`cols` $cols^)? (`transposed` $transposed^)? attr-dict `:` type($result)
  }];
  let hasCanonicalizer = 1;
}

//===----------------------------------------------------------------------===//
// Rows in
//===----------------------------------------------------------------------===//

def LM_EmbedOp : LM_PureOp<"embed"> {
  let summary = "Row ids[t] + offset of a table, for each token";
  let arguments = (ins LM_Ids:$ids, LM_Matrix:$table, DefaultValuedAttr<I32Attr, "0">:$offset);
  let results = (outs LM_Rows:$result);
  let assemblyFormat = [{
    $ids `,` $table (`offset` $offset^)? attr-dict `:` type($ids) `,` type($table) `->` type($result)
  }];
}

//===----------------------------------------------------------------------===//
// Normalisation
//===----------------------------------------------------------------------===//

def LM_LayerNormOp : LM_PureOp<"layer_norm", [AttrSizedOperandSegments]> {
  let summary = "(x - mean) / sqrt(variance + eps) * scale + bias, over each row";
  let description = [{The variance is the mean of squared deviations (no Bessel correction), as in
    Ba et al., arXiv 1607.06450.}];
  let arguments = (ins LM_AnyRows:$input, Optional<LM_Row>:$scale, Optional<LM_Row>:$bias,
                       F64Attr:$eps);
  let results = (outs LM_AnyRows:$result);
  let assemblyFormat = [{
    $input (`scale` $scale^ `:` type($scale))? (`bias` $bias^ `:` type($bias))? `eps` $eps attr-dict `:` type($input) `->` type($result)
  }];
}

def LM_RmsNormOp : LM_PureOp<"rms_norm"> {
  let summary = "x / sqrt(mean(x^2) + eps) * scale, over each row or each group of its columns";
  let description = [{
    Zhang and Sennrich, arXiv 1910.07467, with eps inside the root. With `group` every run of so
    many columns is normalised alone, by the one `scale` of a group: the norm that some models put
    on each head of query and key.

    ```mlir
    %n = lm.rms_norm %q scale %s group 8 eps 1.0e-06 : tensor<?x24xf32>, tensor<8xf32> -> tensor<?x24xf32>
    ```
  }];
  let arguments = (ins LM_AnyRows:$input, LM_Row:$scale, OptionalAttr<I32Attr>:$group,
                       F64Attr:$eps);
  let results = (outs LM_AnyRows:$result);
  let assemblyFormat = [{
    $input `scale` $scale (`group` $group^)? `eps` $eps attr-dict `:` type($input) `,` type($scale) `->` type($result)
  }];
}

//===----------------------------------------------------------------------===//
// Arithmetic over rows; on constant rows it is an expression that the compiler evaluates
//===----------------------------------------------------------------------===//

def LM_LinearOp : LM_PureOp<"linear"> {
  let summary = "input x weight^T + bias";
  let description = [{
    `weight` is [out, in]. With a constant row as input the result is a constant row: the form in
    which a constant is folded into a bias. A weight without columns makes the result the bias
    (zero without one).

    ```mlir
    %y = lm.linear %x, %w bias %b : tensor<?x64xf32>, tensor<172x64xf16>, tensor<172xf16> -> tensor<?x172xf32>
    ```
  }];
  let arguments = (ins LM_AnyRows:$input, LM_Matrix:$weight, Optional<LM_Row>:$bias);
  let results = (outs LM_AnyRows:$result);
  let assemblyFormat = [{
    $input `,` $weight (`bias` $bias^)? attr-dict `:` type($input) `,` type($weight) (`,` type($bias)^)? `->` type($result)
  }];
  let hasCanonicalizer = 1;
}

def LM_ActivationOp : LM_PureOp<"activation"> {
  let summary = "An element-wise function";
  let description = [{
    `relu` max(x, 0); `gelu` x Phi(x), Phi the normal distribution function; `gelu_tanh` its tanh
    form (Hendrycks and Gimpel, arXiv 1606.08415); `silu` x / (1 + exp(-x)).
  }];
  let arguments = (ins LM_ActivationKindAttr:$kind, LM_AnyRows:$input);
  let results = (outs LM_AnyRows:$result);
  let assemblyFormat = [{ $kind $input attr-dict `:` type($input) `->` type($result) }];
}

def LM_MulOp : LM_PureOp<"mul", [Commutative]> {
  let summary = "Element-wise product";
  let description = [{
    The result has token rows if either side has: every token's row is multiplied with a constant
    row.
  }];
  let arguments = (ins LM_AnyRows:$lhs, LM_AnyRows:$rhs);
  let results = (outs LM_AnyRows:$result);
  let assemblyFormat = [{ $lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($result) }];
}

def LM_AddOp : LM_PureOp<"add"> {
  let summary = "Element-wise sum";
  let description = [{
    The result has token rows if either side has: a constant row is added to every token's row.
  }];
  let arguments = (ins LM_AnyRows:$lhs, LM_AnyRows:$rhs);
  let results = (outs LM_AnyRows:$result);
  let assemblyFormat = [{ $lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($result) }];
}

def LM_SoftcapOp : LM_PureOp<"softcap"> {
  let summary = "cap * tanh(x / cap), element-wise";
  let description = [{Keeps values within -cap to cap: Bello et al., arXiv 1611.09940, as Gemma 2
    applies it to its logits.}];
  let arguments = (ins LM_AnyRows:$input, F64Attr:$cap);
  let results = (outs LM_AnyRows:$result);
  let assemblyFormat = [{ $input `cap` $cap attr-dict `:` type($input) `->` type($result) }];
}

def LM_SplatOp : LM_PureOp<"splat"> {
  let summary = "A constant row of one value";
  let description = [{
    What a model's description adds to or multiplies into its weights and rows, and no checkpoint
    holds.

    ```mlir
    %one = lm.splat 1.0 : tensor<24xf32>
    ```
  }];
  let arguments = (ins F64Attr:$value);
  let results = (outs LM_Row:$result);
  let assemblyFormat = [{ $value attr-dict `:` type($result) }];
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

def LM_RopeOp : LM_PureOp<"rope"> {
  let summary = "Rotary position embedding, by heads";
  let description = [{
    Within each head of `head_dim` the pairs (i, i + R/2), i < R/2, R = 2 * size(inv_freq), are
    rotated by the angle position * inv_freq[i]; the rest of the head passes. The angle is the
    float32 product, as Hugging Face computes it; its sine and cosine are exact to float32, and
    multiplied by `magnitude` (1 without it), the factor of YaRN (Peng et al., arXiv 2309.00071) and
    LongRoPE (Ding et al., arXiv 2402.13753). Su et al., arXiv 2104.09864, in the half-split form.
  }];
  let arguments = (ins LM_Rows:$input, LM_Ids:$positions, I32Attr:$head_dim,
                       DenseF32ArrayAttr:$inv_freq, OptionalAttr<F64Attr>:$magnitude);
  let results = (outs LM_Rows:$result);
  let assemblyFormat = [{
    $input `at` $positions `head_dim` $head_dim `inv_freq` custom<ExactFloats>($inv_freq) (`magnitude` $magnitude^)? attr-dict `:` type($input) `,` type($positions) `->` type($result)
  }];
}

def LM_AttentionOp : LM_PureOp<"attention"> {
  let summary = "Causal softmax attention with a map from query head to KV head";
  let description = [{
    Head h reads q[h], k[kv_map[h]] and v[kv_map[h]], each `head_dim` wide:
    softmax(scale * q k^T over tokens 0..t) v. The query has size(kv_map) heads; the number of KV
    heads is the width of `key` over `head_dim`. Heads may be none at all.

    With `window` W a token at t sees the tokens above t - W only (Beltagy et al., arXiv 2004.05150).
    With `softcap` C every scaled score s becomes C * tanh(s / C) before the softmax.

    ```mlir
    %o = lm.attention %q, %k, %v head_dim 8 kv_map [0, 0, 0] scale 0.5 window 16 softcap 50.0
        : tensor<?x24xf32>, tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x24xf32>
    ```
  }];
  let arguments = (ins LM_Rows:$query, LM_Rows:$key, LM_Rows:$value, I32Attr:$head_dim,
                       DenseI32ArrayAttr:$kv_map, F64Attr:$scale, OptionalAttr<I32Attr>:$window,
                       OptionalAttr<F64Attr>:$softcap);
  let results = (outs LM_Rows:$result);
  let assemblyFormat = [{
    $query `,` $key `,` $value `head_dim` $head_dim `kv_map` $kv_map `scale` $scale
    (`window` $window^)? (`softcap` $softcap^)? attr-dict
    `:` type($query) `,` type($key) `,` type($value) `->` type($result)
  }];
  let extraClassDeclaration = [{
    int64_t getNumHeads() { return getKvMap().size(); }
    int64_t getNumKvHeads();
  }];
}

//===----------------------------------------------------------------------===//
// Blocks, masks, selections, marks
//===----------------------------------------------------------------------===//

def LM_BlockOp : LM_Op<"block", [SingleBlock, RecursiveMemoryEffects, RecursivelySpeculatable]> {
  let summary = "One residual block, from residual in to residual out";
  let description = [{
    The region computes the block from its one argument, the residual; its own norms are inside,
    the norm after the residual in post-norm models too. `skip` marks a block that a plan cuts:
    its result is its input. Where the blocks of a layer run side by side, the ffn block adds to the
    attention block's result what it computes from that block's input, a value from outside of its
    region.

    ```mlir
    %h1 = lm.block attention layer 0 (%x = %h0) : tensor<?x64xf32> {
      ...
      lm.yield %y : tensor<?x64xf32>
    }
    ```
  }];
  let arguments = (ins LM_BlockKindAttr:$kind, I32Attr:$layer, LM_Rows:$input, UnitAttr:$skip);
  let results = (outs LM_Rows:$result);
  let regions = (region SizedRegion<1>:$body);
  let hasRegionVerifier = 1;
  let hasCustomAssemblyFormat = 1;
}

def LM_YieldOp : LM_PureOp<"yield", [Terminator, ReturnLike, ParentOneOf<["BlockOp", "MoeOp"]>]> {
  let summary = "The result of a region";
  let arguments = (ins LM_Rows:$value);
  let assemblyFormat = [{ $value attr-dict `:` type($value) }];
}

def LM_MaskOp : LM_PureOp<"mask", [
    TypesMatchWith<"the result has the input's type", "result", "input", "$_self">]> {
  let summary = "Puts zero, or a constant, in place of the dead columns";
  let description = [{
    A choice, not a product: a dead column is zero even where the input is infinite. `fill` holds
    one value per dead column, in the order of `dead`.

    ```mlir
    %m = lm.mask %x dead <0 to 7> : tensor<?x64xf32>
    %n = lm.mask %x dead <3, 9> fill %c : tensor<?x64xf32>, tensor<2xf32>
    ```
  }];
  let arguments = (ins LM_Rows:$input, LM_IndexListAttr:$dead, Optional<LM_Row>:$fill);
  let results = (outs LM_Rows:$result);
  let assemblyFormat = [{
    $input `dead` $dead (`fill` $fill^)? attr-dict `:` type($result) (`,` type($fill)^)?
  }];
  let builders = [OpBuilder<(ins "::mlir::Value":$input, "IndexListAttr":$dead,
                                 CArg<"::mlir::Value", "{}">:$fill)>];
  let hasCanonicalizer = 1;
}

def LM_SelectOp : LM_PureOp<"select"> {
  let summary = "The listed columns, in the list's order";
  let arguments = (ins LM_AnyRows:$input, LM_IndexListAttr:$kept);
  let results = (outs LM_AnyRows:$result);
  let assemblyFormat = [{ $input `cols` $kept attr-dict `:` type($input) `->` type($result) }];
  let hasCanonicalizer = 1;
}

def LM_ObserveOp : LM_Op<"observe", [
    MemoryEffects<[MemWrite]>,
    TypesMatchWith<"the result has the input's type", "result", "input", "$_self">]> {
  let summary = "Marks a value that calibration or scoring wants";
  let description = [{The identity. Nothing moves across it, and nothing removes it: it is said to
    write, so that it outlives the last use of its result.}];
  let arguments = (ins LM_Rows:$input, StrAttr:$name);
  let results = (outs LM_Rows:$result);
  let assemblyFormat = [{ $name $input attr-dict `:` type($result) }];
}

//===----------------------------------------------------------------------===//
// Experts
//===----------------------------------------------------------------------===//

def LM_MoeOp : LM_Op<"moe", [RecursiveMemoryEffects, RecursivelySpeculatable]> {
  let summary = "A router and the experts it picks from, per token";
  let description = [{
    `scores` has one column per expert. Dead experts' scores are minus infinity before softmax and
    choice; the `top_k` largest remain, ties to the lower number, renormalised to sum 1 if
    `normalize`. Region e computes expert e from the token's row; the result is the weighted sum.
  }];
  let arguments = (ins LM_Rows:$input, LM_Rows:$scores, I32Attr:$top_k, UnitAttr:$normalize,
                       OptionalAttr<LM_IndexListAttr>:$dead);
  let results = (outs LM_Rows:$result);
  let regions = (region VariadicRegion<SizedRegion<1>>:$experts);
  let hasRegionVerifier = 1;
  let assemblyFormat = [{
    $input `scores` $scores `top_k` $top_k (`normalize` $normalize^)? (`dead` $dead^)? attr-dict
    `:` type($input) `,` type($scores) `->` type($result) $experts
  }];
}

#endif // COPPICE_LM_OPS
