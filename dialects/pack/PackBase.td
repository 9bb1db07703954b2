// The pack dialect: its types, and the enumerations they are made of.
#ifndef COPPICE_PACK_BASE
#define COPPICE_PACK_BASE

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def Pack_Dialect : Dialect {
  let name = "pack";
  let cppNamespace = "::coppice::pack";
  let summary = "One step of a model as a list of stages over packed weights and an arena";
  let description = [{
    A `pack.step` holds stages in the order in which they run. Each stage reads and writes whole
    buffers: one row per token of the step, `N` floats wide. Values are still SSA: where a buffer
    lies in the arena is an attribute that memory planning sets. Every stage works either on all
    rows of the step or only on those whose logits are wanted; `pack.gather` goes from the one to
    the other. Layers of experts work on routed rows, one for each expert that a row chose.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::coppice::lm::LMDialect"];
}

def Pack_AllRows : I32EnumAttrCase<"All", 0, "all">;
def Pack_LogitRows : I32EnumAttrCase<"Logits", 1, "logits">;
def Pack_RoutedRows : I32EnumAttrCase<"Routed", 2, "routed">;
def Pack_RoutedLogitRows : I32EnumAttrCase<"RoutedLogits", 3, "routed_logits">;
def Pack_RowSet : I32EnumAttr<"RowSet", "which rows of a step",
                              [Pack_AllRows, Pack_LogitRows, Pack_RoutedRows,
                               Pack_RoutedLogitRows]> {
  let description = [{
    `routed` holds the rows of `all`, and `routed_logits` those of `logits`, each as often as it
    chooses an expert, in the order of the experts.
  }];
  let cppNamespace = "::coppice::pack";
  let genSpecializedAttr = 0;
}

def Pack_RowMajor : I32EnumAttrCase<"Rows", 0, "rows">;
def Pack_Panels : I32EnumAttrCase<"Panels", 1, "panels">;
def Pack_Layout : I32EnumAttr<"Layout", "how a packed weight lies in memory",
                              [Pack_RowMajor, Pack_Panels]> {
  let description = [{
    `rows`: row-major. `panels`: panels of 32 output rows, then 16, 8, 4, 2, 1 for the rest, each
    panel [in][rows of the panel], without padding. Quantized weights are groups instead of inputs in
    both: compiler/codegen/KernelArgs.h has every byte.
  }];
  let cppNamespace = "::coppice::pack";
  let genSpecializedAttr = 0;
}

def Pack_TokenId : I32EnumAttrCase<"Token", 0, "token">;
def Pack_PositionId : I32EnumAttrCase<"Position", 1, "position">;
def Pack_RowId : I32EnumAttr<"RowId", "which number of a row looks a table up",
                             [Pack_TokenId, Pack_PositionId]> {
  let cppNamespace = "::coppice::pack";
  let genSpecializedAttr = 0;
}
def Pack_RowIdAttr : EnumAttr<Pack_Dialect, Pack_RowId, "row_id">;

def Pack_LayerNorm : I32EnumAttrCase<"Layer", 0, "layer">;
def Pack_RmsNorm : I32EnumAttrCase<"Rms", 1, "rms">;
def Pack_NormKind : I32EnumAttr<"NormKind", "which normalisation", [Pack_LayerNorm, Pack_RmsNorm]> {
  let cppNamespace = "::coppice::pack";
  let genSpecializedAttr = 0;
}
def Pack_NormKindAttr : EnumAttr<Pack_Dialect, Pack_NormKind, "norm_kind">;

class Pack_Type<string name, string typeMnemonic> : TypeDef<Pack_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def Pack_BufferType : Pack_Type<"Buffer", "buffer"> {
  let summary = "Activations: one row of `width` floats for each row of a row set";
  let description = [{`!pack.buffer<64, all>`. Rows lie round_up(width, 16) floats apart.}];
  let parameters = (ins "int64_t":$width, EnumParameter<Pack_RowSet>:$set);
  let assemblyFormat = "`<` $width `,` $set `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Bytes of one row in the arena, a multiple of 64.
    int64_t rowBytes() const { return (getWidth() + 15) / 16 * 64; }
  }];
}

def Pack_QuantizedType : Pack_Type<"Quantized", "quantized"> {
  let summary = "Activations as int8: codes and scales of `width` values for each row of a row set";
  let description = [{
    `!pack.quantized<64 zero 8, all>`. Groups of 32 values, each 32 signed codes, the scale (f32),
    and -zero times the sum of the codes (i32), where dot products with codes offset by `zero`
    start: 128 for i8 weights, 8 for i4. Rows lie round_up(40 * groups, 64) bytes apart.
  }];
  let parameters = (ins "int64_t":$width, "int64_t":$zero, EnumParameter<Pack_RowSet>:$set);
  let assemblyFormat = "`<` $width `zero` $zero `,` $set `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Bytes of one row in the arena, a multiple of 64.
    int64_t rowBytes() const { return ((getWidth() + 31) / 32 * 40 + 63) / 64 * 64; }
  }];
}

def Pack_WeightType : Pack_Type<"Weight", "weight"> {
  let summary = "A packed weight: rows x cols elements in a layout";
  let description = [{
    `!pack.weight<172 by 64 by f16, panels>`; a vector has one row. Elements are f32, f16, bf16, or
    i32 for lists of indices; i8 and i4 are quantized in groups of 32 along the columns, with an f16
    scale for each group. `!pack.weight<96 by 64 by f16, panels, 8>` holds such a matrix for each of
    8 experts, each at the first multiple of 64 bytes from the end of the one before.
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$cols, "::mlir::Type":$element,
                        EnumParameter<Pack_Layout>:$layout,
                        DefaultValuedParameter<"int64_t", "1">:$experts);
  let assemblyFormat = "`<` $rows `by` $cols `by` $element `,` $layout (`,` $experts^)? `>`";
  let genVerifyDecl = 1;
  let builders = [TypeBuilder<(ins "int64_t":$rows, "int64_t":$cols, "::mlir::Type":$element,
                                   "Layout":$layout), [{
    return $_get($_ctxt, rows, cols, element, layout, 1);
  }]>];
  let extraClassDeclaration = [{
    /// i8 or i4.
    bool isQuantized() const { return getElement().isInteger(8) || getElement().isInteger(4); }
    /// What is added to a quantized code where it is stored: 128 or 8.
    int64_t zero() const { return int64_t(1) << (getElement().getIntOrFloatBitWidth() - 1); }
    int64_t rowBytes() const {
      int64_t bits = getElement().getIntOrFloatBitWidth(), pack = 32 / bits;
      if (!isQuantized())
        return getCols() * (bits / 8);
      int64_t rest = getCols() % 32;
      return getCols() / 32 * (4 * bits + 2) + (rest ? (rest + pack - 1) / pack * 4 + 2 : 0);
    }
    /// Bytes from one expert's matrix to the next, a multiple of 64.
    int64_t stride() const { return (getRows() * rowBytes() + 63) / 64 * 64; }
    int64_t bytes() const { return (getExperts() - 1) * stride() + getRows() * rowBytes(); }
  }];
}

def Pack_ChoicesType : Pack_Type<"Choices", "choices"> {
  let summary = "The experts that each row of a row set is sent to, and their weights";
  let description = [{
    `!pack.choices<2 of 8, all>`: of 8 experts 2, the one of the highest score first. Rows are those
    of a buffer of width 2 * 2: the experts' numbers (i32), then the weights (f32).
  }];
  let parameters = (ins "int64_t":$picks, "int64_t":$experts, EnumParameter<Pack_RowSet>:$set);
  let assemblyFormat = "`<` $picks `of` $experts `,` $set `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Bytes of one row in the arena, a multiple of 64.
    int64_t rowBytes() const { return (2 * getPicks() + 15) / 16 * 64; }
  }];
}

def Pack_GroupsType : Pack_Type<"Groups", "groups"> {
  let summary = "The choices of a row set in the order of experts";
  let description = [{
    `!pack.groups<2 of 8, all>`: which of the routed rows are each expert's, which rows they come
    from, and where each row's choices are among them. compiler/codegen/KernelArgs.h has every word.
  }];
  let parameters = (ins "int64_t":$picks, "int64_t":$experts, EnumParameter<Pack_RowSet>:$set);
  let assemblyFormat = "`<` $picks `of` $experts `,` $set `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Bytes in the arena for each row, a multiple of 64; experts + 1 words are there once.
    int64_t rowBytes() const { return (getExperts() + 1 + 2 * getPicks() + 15) / 16 * 64; }
  }];
}

def Pack_CacheType : Pack_Type<"Cache", "cache"> {
  let summary = "One layer's part of a session's KV cache";
  let description = [{
    `!pack.cache<4 by 64 by bf16>`: keys and values of 4 KV heads of 64 elements. Elements are f32,
    bf16 or i8; i8 has a scale (f32) for each position's keys, and one for its values, of each head.
    Every byte is in compiler/codegen/KernelArgs.h.
  }];
  let parameters = (ins "int64_t":$heads, "int64_t":$headDim, "::mlir::Type":$element);
  let assemblyFormat = "`<` $heads `by` $headDim `by` $element `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Bytes per position: keys, values and scales of all heads.
    int64_t bytesPerPosition() const {
      int64_t bits = getElement().getIntOrFloatBitWidth();
      return getHeads() * (2 * getHeadDim() * (bits / 8) + (bits == 8 ? 8 : 0));
    }
  }];
}

#endif // COPPICE_PACK_BASE
