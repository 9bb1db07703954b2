// The lm dialect, its attributes, and the type constraints its ops share.
#ifndef COPPICE_LM_BASE
#define COPPICE_LM_BASE

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def LM_Dialect : Dialect {
  let name = "lm";
  let cppNamespace = "::coppice::lm";
  let summary = "A transformer language model as a pure graph";
  let description = [{
    Values are `tensor<?xNxf32>`: one row per token, `N` known. A `tensor<N>` without the token
    dimension is a constant row, the same for every token: a bias, or an expression over biases.
    Weights are named, never held: `lm.tensor` declares a tensor of the checkpoint and `lm.weight`
    reads it, with the rows and columns that are kept. The dialect knows no caches, targets,
    layouts or bytes, and every op is pure.

    The rows of one function are the tokens of one sequence, in order: attention is causal.
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::mlir::func::FuncDialect"];
}

class LM_Attr<string name, string attrMnemonic> : AttrDef<LM_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def LM_IndexListAttr : LM_Attr<"IndexList", "list"> {
  let summary = "A list of distinct row or column numbers, in the order in which they are kept";
  let description = [{
    Printed with inclusive ranges: `#lm.list<0 to 3, 7, 9 to 15>`. Any order is allowed; the
    numbers are distinct and not negative. `#lm.list<>` is the empty list.
  }];
  let parameters = (ins ArrayRefParameter<"int32_t">:$indices);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    size_t size() const { return getIndices().size(); }
    /// The list `[begin, end)`.
    static IndexListAttr range(::mlir::MLIRContext *context, int32_t begin, int32_t end);
    /// The numbers of `[0, extent)` that are not in this list, ascending.
    IndexListAttr complement(int32_t extent) const;
    /// This list read through `inner`: result[i] = indices[inner[i]].
    IndexListAttr compose(IndexListAttr inner) const;
    /// True for `0, 1, ... extent-1` in that order.
    bool isIdentity(int32_t extent) const;
    /// The largest index plus one; 0 for the empty list.
    int32_t extent() const;
  }];
}

def LM_Relu : I32EnumAttrCase<"Relu", 0, "relu">;
def LM_Gelu : I32EnumAttrCase<"Gelu", 1, "gelu">;
def LM_GeluTanh : I32EnumAttrCase<"GeluTanh", 2, "gelu_tanh">;
def LM_Silu : I32EnumAttrCase<"Silu", 3, "silu">;
def LM_ActivationKind : I32EnumAttr<"ActivationKind", "an element-wise function",
                                    [LM_Relu, LM_Gelu, LM_GeluTanh, LM_Silu]> {
  let cppNamespace = "::coppice::lm";
  let genSpecializedAttr = 0;
}
def LM_ActivationKindAttr : EnumAttr<LM_Dialect, LM_ActivationKind, "activation_kind">;

def LM_AttentionBlock : I32EnumAttrCase<"Attention", 0, "attention">;
def LM_FfnBlock : I32EnumAttrCase<"Ffn", 1, "ffn">;
def LM_BlockKind : I32EnumAttr<"BlockKind", "what a residual block computes",
                               [LM_AttentionBlock, LM_FfnBlock]> {
  let cppNamespace = "::coppice::lm";
  let genSpecializedAttr = 0;
}
def LM_BlockKindAttr : EnumAttr<LM_Dialect, LM_BlockKind, "block_kind">;

// A value per token: tensor<?xNxf32>.
def LM_Rows : Type<And<[CPred<"::coppice::lm::isTokenRows($_self)">]>,
                   "tensor<?xNxf32>, one row per token", "::mlir::RankedTensorType">;
// A constant row: tensor<N> of a float type.
def LM_Row : Type<And<[CPred<"::coppice::lm::isConstantRow($_self)">]>,
                  "tensor<N> of floats, a constant row", "::mlir::RankedTensorType">;
def LM_AnyRows : AnyTypeOf<[LM_Rows, LM_Row], "token rows or a constant row",
                           "::mlir::RankedTensorType">;
// A matrix of weights: tensor<RxCxT>, [out, in].
def LM_Matrix : Type<And<[CPred<"::coppice::lm::isMatrix($_self)">]>,
                     "tensor<RxC> of floats, a weight matrix", "::mlir::RankedTensorType">;
def LM_Ids : Type<And<[CPred<"::coppice::lm::isIds($_self)">]>,
                  "tensor<?xi32>, one number per token", "::mlir::RankedTensorType">;
def LM_WeightTensor : AnyTypeOf<[LM_Row, LM_Matrix], "a weight vector or matrix",
                                "::mlir::RankedTensorType">;

#endif // COPPICE_LM_BASE
