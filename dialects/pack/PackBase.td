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
    the other.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::coppice::lm::LMDialect"];
}

def Pack_AllRows : I32EnumAttrCase<"All", 0, "all">;
def Pack_LogitRows : I32EnumAttrCase<"Logits", 1, "logits">;
def Pack_RowSet : I32EnumAttr<"RowSet", "which rows of a step", [Pack_AllRows, Pack_LogitRows]> {
  let cppNamespace = "::coppice::pack";
  let genSpecializedAttr = 0;
}

def Pack_RowMajor : I32EnumAttrCase<"Rows", 0, "rows">;
def Pack_Panels : I32EnumAttrCase<"Panels", 1, "panels">;
def Pack_Layout : I32EnumAttr<"Layout", "how a packed weight lies in memory",
                              [Pack_RowMajor, Pack_Panels]> {
  let description = [{
    `rows`: row-major. `panels`: panels of 32 output rows, then 16, 8, 4, 2, 1 for the rest, each
    panel [in][rows of the panel], without padding.
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

def Pack_WeightType : Pack_Type<"Weight", "weight"> {
  let summary = "A packed weight: rows x cols elements in a layout";
  let description = [{
    `!pack.weight<172 x 64 x f16, panels>`; a vector has one row. Elements are f32, f16, bf16, or
    i32 for lists of indices.
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$cols, "::mlir::Type":$element,
                        EnumParameter<Pack_Layout>:$layout);
  let assemblyFormat = "`<` $rows `by` $cols `by` $element `,` $layout `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    int64_t bytes() const {
      return getRows() * getCols() * (getElement().getIntOrFloatBitWidth() / 8);
    }
  }];
}

def Pack_CacheType : Pack_Type<"Cache", "cache"> {
  let summary = "One layer's part of a session's KV cache, float32";
  let parameters = (ins "int64_t":$heads, "int64_t":$headDim);
  let assemblyFormat = "`<` $heads `by` $headDim `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Floats per position: keys and values of all heads.
    int64_t floatsPerPosition() const { return 2 * getHeads() * getHeadDim(); }
  }];
}

#endif // COPPICE_PACK_BASE
