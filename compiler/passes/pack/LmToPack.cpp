// lm-to-pack: see PackPasses.td. One walk over the function in order; every token-row value is made
// in exactly one row set, and gathered where the other one wants it.
#include "compiler/passes/pack/PackPasses.h"
#include "dialects/lm/Experts.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringSwitch.h"
#include <numeric>

using namespace mlir;
using coppice::pack::RowSet;

namespace coppice {
#define GEN_PASS_DEF_LMTOPACK
#include "compiler/passes/pack/PackPasses.h.inc"

namespace {

/// "model.layers.3.self_attn.q_proj.weight" -> "q_proj", "lm_head.bias" -> "lm_head.bias".
std::string roleOf(StringRef tensor) {
  bool bias = tensor.consume_back(".bias");
  tensor.consume_back(".weight");
  return (tensor.rsplit('.').second.empty() ? tensor : tensor.rsplit('.').second).str() +
         (bias ? ".bias" : "");
}

/// The single-use `Op` that makes `value`, if it does.
template <typename Op> Op soleUse(Value value) {
  return value.hasOneUse() ? value.getDefiningOp<Op>() : Op();
}

class Converter {
public:
  /// `context` 0: any number of positions.
  Converter(func::FuncOp func, Type cacheElement, int64_t context)
      : func(func), cacheElement(cacheElement), context(context), b(func) {}

  LogicalResult run() {
    for (Operation &op : func.getBody().front().without_terminator())
      if (auto attention = dyn_cast<lm::AttentionOp>(op)) {
        needAll(attention.getKey());
        needAll(attention.getValue());
      }
    auto step = b.create<pack::StepOp>(func.getLoc(), func.getSymName(), IntegerAttr(),
                                       IntegerAttr(), IntegerAttr(), IntegerAttr(), IntegerAttr());
    b.setInsertionPointToStart(&step.getBody().emplaceBlock());
    for (Operation &op : func.getBody().front().without_terminator()) {
      loc = op.getLoc();
      layer = op.getAttrOfType<IntegerAttr>(kLmLayer);
      if (failed(convert(op)))
        return failure();
    }
    auto ret = cast<func::ReturnOp>(func.getBody().front().getTerminator());
    layer = {};
    b.create<pack::ReturnOp>(ret.getLoc(), buffer(ret.getOperand(0), RowSet::Logits));
    func.erase();
    return success();
  }

private:
  //===--- Row sets ---===//

  void needAll(Value value) {
    SmallVector<Value> worklist{value};
    while (!worklist.empty()) {
      Value next = worklist.pop_back_val();
      if (!lm::isTokenRows(next.getType()) || !all.insert(next).second)
        continue;
      if (Operation *def = next.getDefiningOp())
        llvm::append_range(worklist, def->getOperands());
    }
  }
  RowSet setOf(Value value) const { return all.contains(value) ? RowSet::All : RowSet::Logits; }

  /// The buffer of `value` for the rows of `set`, gathered if it exists for all rows only.
  Value buffer(Value value, RowSet set) {
    auto &mine = buffers[unsigned(set)];
    if (Value found = mine.lookup(value))
      return found;
    Value from = buffers[unsigned(RowSet::All)].lookup(value);
    assert(from && set == RowSet::Logits && "a value of the logits set is never read by all rows");
    return mine[value] = stage<pack::GatherOp>(bufferType(value, set), from, IntegerAttr());
  }
  pack::BufferType bufferType(Value value, RowSet set) {
    return pack::BufferType::get(b.getContext(), lm::rowWidth(value.getType()), set);
  }

  template <typename Op, typename... Args> Value stage(Args &&...args) {
    auto op = b.create<Op>(loc, std::forward<Args>(args)...);
    tag(op);
    return op.getResult();
  }
  void tag(Operation *op) {
    if (layer)
      op->setAttr(kPackLayer, layer);
  }

  //===--- Weights ---===//

  /// One weight of a matrix for each expert; null after an error.
  Value packedExperts(ArrayRef<lm::LinearOp> linears) {
    SmallVector<Value> sources;
    lm::LinearOp leader = linears.front();
    auto first = leader.getWeight().getDefiningOp<lm::WeightOp>();
    for (lm::LinearOp linear : linears) {
      auto weight = linear.getWeight().getDefiningOp<lm::WeightOp>();
      if (weight.getType() != first.getType())
        return weight.emitError()
                   << "tensor '" << weight.getTensor() << "' is read as " << weight.getType()
                   << ", and '" << first.getTensor() << "' as " << first.getType()
                   << ": the experts of a layer must be equally wide and of one type",
               Value();
      if (!constants.contains(weight))
        b.clone(*weight, constants);
      sources.push_back(constants.lookup(weight.getResult()));
    }
    auto type = cast<RankedTensorType>(first.getType());
    auto packedType =
        pack::WeightType::get(b.getContext(), type.getDimSize(0), type.getDimSize(1),
                              type.getElementType(), pack::Layout::Panels, sources.size());
    auto op = b.create<pack::WeightOp>(first.getLoc(), packedType, sources,
                                       b.getStringAttr("experts." + roleOf(first.getTensor())),
                                       IntegerAttr());
    tag(op);
    return op;
  }
  Value packed(Value source, pack::Layout layout) {
    Value &slot = weights[{source, unsigned(layout)}];
    if (slot)
      return slot;
    auto type = cast<RankedTensorType>(source.getType());
    bool matrix = type.getRank() == 2;
    Type element = matrix ? type.getElementType() : b.getF32Type();
    auto packedType = pack::WeightType::get(b.getContext(), matrix ? type.getDimSize(0) : 1,
                                            type.getShape().back(), element,
                                            matrix ? layout : pack::Layout::Rows);
    auto weight = source.getDefiningOp<lm::WeightOp>();
    auto op = b.create<pack::WeightOp>(
        source.getLoc(), packedType, constants.lookup(source),
        b.getStringAttr(weight ? roleOf(weight.getTensor()) : std::string("folded.bias")),
        IntegerAttr());
    if (Operation *def = source.getDefiningOp())
      if (auto at = def->getAttrOfType<IntegerAttr>(kLmLayer))
        op->setAttr(kPackLayer, at);
    return slot = op;
  }
  Value vector(Value source) { return source ? packed(source, pack::Layout::Rows) : Value(); }
  Value matrixOf(Value source) {
    bool linear = llvm::any_of(source.getUsers(), [&](Operation *user) {
      auto op = dyn_cast<lm::LinearOp>(user);
      return op && lm::isTokenRows(op.getType());
    });
    return packed(source, linear ? pack::Layout::Panels : pack::Layout::Rows);
  }
  Value table(ArrayRef<int32_t> words, bool integers, StringRef role) {
    auto type = pack::WeightType::get(b.getContext(), 1, words.size(),
                                      integers ? Type(b.getI32Type()) : Type(b.getF32Type()),
                                      pack::Layout::Rows);
    auto op = b.create<pack::ConstantOp>(loc, type, b.getDenseI32ArrayAttr(words),
                                         b.getStringAttr(role), IntegerAttr());
    return op;
  }

  //===--- Ops ---===//

  LogicalResult convert(Operation &op) {
    if (op.getNumResults() == 1 && !lm::isTokenRows(op.getResult(0).getType())) {
      b.clone(op, constants); // a weight, or an expression over constant rows
      return success();
    }
    return TypeSwitch<Operation *, LogicalResult>(&op)
        .Case<lm::EmbedOp, lm::LayerNormOp, lm::RmsNormOp, lm::LinearOp, lm::ActivationOp,
              lm::MulOp, lm::AddOp, lm::RopeOp, lm::AttentionOp, lm::SelectOp, lm::MaskOp,
              lm::SoftcapOp, lm::MoeOp, lm::ObserveOp>([&](auto typed) {
          RowSet set = setOf(typed.getResult());
          Value made = emit(typed, set);
          if (made)
            buffers[unsigned(set)][typed.getResult()] = made;
          return success(made || fused.contains(&op));
        })
        .Default([](Operation *other) -> LogicalResult {
          return other->emitOpError(
              "has no stages to compile to; remove it or choose another model family");
        });
  }

  Value emit(lm::EmbedOp op, RowSet set) {
    auto id = dyn_cast<BlockArgument>(op.getIds());
    if (!id)
      return op.emitOpError("looks up neither tokens nor positions"), Value();
    return stage<pack::EmbedOp>(bufferType(op.getResult(), set),
                                id.getArgNumber() == 0 ? pack::RowId::Token : pack::RowId::Position,
                                matrixOf(op.getTable()), op.getOffset(), IntegerAttr());
  }

  Value emit(lm::LayerNormOp op, RowSet set) {
    return stage<pack::NormOp>(bufferType(op.getResult(), set), kind(pack::NormKind::Layer),
                               buffer(op.getInput(), set), vector(op.getScale()),
                               vector(op.getBias()), eps(op.getEps()), IntegerAttr());
  }
  Value emit(lm::RmsNormOp op, RowSet set) {
    if (op.getGroup())
      return stage<pack::HeadNormOp>(bufferType(op.getResult(), set), buffer(op.getInput(), set),
                                     vector(op.getScale()), eps(op.getEps()), IntegerAttr());
    return stage<pack::NormOp>(bufferType(op.getResult(), set), kind(pack::NormKind::Rms),
                               buffer(op.getInput(), set), vector(op.getScale()), Value(),
                               eps(op.getEps()), IntegerAttr());
  }
  pack::NormKindAttr kind(pack::NormKind value) {
    return pack::NormKindAttr::get(b.getContext(), value);
  }
  FloatAttr eps(const APFloat &value) { return b.getF32FloatAttr(float(value.convertToDouble())); }

  Value emit(lm::LinearOp op, RowSet set) {
    // A linear whose result is only added to a residual is made where the sum stands.
    if (op.getResult().hasOneUse())
      if (auto add = dyn_cast<lm::AddOp>(*op.getResult().user_begin()))
        if (withResidual(add) == op && setOf(add.getResult()) == set)
          return fused.insert(op), Value();
    return linear(op, Value(), set);
  }
  Value linear(lm::LinearOp op, Value residual, RowSet set) {
    return stage<pack::LinearOp>(bufferType(op.getResult(), set), buffer(op.getInput(), set),
                                 packed(op.getWeight(), pack::Layout::Panels), vector(op.getBias()),
                                 residual, IntegerAttr());
  }
  /// The linear, or the experts, that a sum of token rows takes into itself.
  Operation *withResidual(lm::AddOp add) {
    if (!lm::isTokenRows(add.getLhs().getType()) || !lm::isTokenRows(add.getRhs().getType()))
      return nullptr;
    for (Value side : {add.getRhs(), add.getLhs()})
      if (side.hasOneUse() && isa_and_nonnull<lm::LinearOp, lm::MoeOp>(side.getDefiningOp()))
        return side.getDefiningOp();
    return nullptr;
  }

  Value emit(lm::AddOp op, RowSet set) {
    Operation *source = withResidual(op);
    if (!source || !fused.contains(source))
      return binary<pack::AddOp>(op, set);
    Value other = source->getResult(0) == op.getRhs() ? op.getLhs() : op.getRhs();
    if (auto moe = dyn_cast<lm::MoeOp>(source))
      return experts(moe, buffer(other, set), set);
    return linear(cast<lm::LinearOp>(source), buffer(other, set), set);
  }

  //===--- Experts ---===//

  Value emit(lm::MoeOp op, RowSet set) {
    if (op.getResult().hasOneUse())
      if (auto add = dyn_cast<lm::AddOp>(*op.getResult().user_begin()))
        if (withResidual(add) == op && setOf(add.getResult()) == set)
          return fused.insert(op), Value();
    return experts(op, Value(), set);
  }

  Value experts(lm::MoeOp op, Value residual, RowSet set) {
    SmallVector<lm::ExpertParts> parts;
    SmallVector<lm::LinearOp> gates, ups, downs;
    for (unsigned e = 0; e < op.getExperts().size(); ++e) {
      std::string why;
      std::optional<lm::ExpertParts> found = lm::findExpert(op, e, why);
      if (found && !parts.empty() &&
          found->activation.getKind() != parts.front().activation.getKind())
        found = std::nullopt, why = "its activation is not that of expert 0";
      if (!found)
        return op.emitError() << "expert " << e
                              << " has no stages to compile to: it must be a gated FFN without "
                                 "biases, and "
                              << why,
               Value();
      parts.push_back(*found);
      gates.push_back(found->gate);
      ups.push_back(found->up);
      downs.push_back(found->down);
    }
    int64_t count = parts.size(), picks = op.getTopK();
    MLIRContext *context = b.getContext();
    Value scores = buffer(op.getScores(), set);
    if (op.getDead()) {
      // What the choice sees of a dead expert, here alone.
      auto infinity = llvm::bit_cast<int32_t>(-std::numeric_limits<float>::infinity());
      SmallVector<int32_t> fill(op.getDead()->size(), infinity);
      scores = stage<pack::MaskOp>(cast<pack::BufferType>(scores.getType()), scores,
                                   table(op.getDead()->getIndices(), true, "mask"),
                                   table(fill, false, "mask"), IntegerAttr());
    }
    Value choices = stage<pack::RouteOp>(pack::ChoicesType::get(context, picks, count, set), scores,
                                         op.getNormalizeAttr(), IntegerAttr());
    Value groups = stage<pack::GroupOp>(pack::GroupsType::get(context, picks, count, set), choices,
                                        IntegerAttr());
    auto routed = [&](Value like) {
      return pack::BufferType::get(context, lm::rowWidth(like.getType()), pack::routed(set));
    };
    Value rows = stage<pack::DispatchOp>(routed(op.getInput()), buffer(op.getInput(), set), groups,
                                         IntegerAttr());
    for (auto [e, part] : llvm::enumerate(parts)) {
      mark(part.gateMarks, rows, e, groups);
      mark(part.upMarks, rows, e, groups);
    }
    auto linears = [&](Value input, ArrayRef<lm::LinearOp> of) -> Value {
      Value weight = packedExperts(of);
      return weight ? stage<pack::ExpertLinearOp>(routed(lm::LinearOp(of.front()).getResult()),
                                                  input, weight, groups, IntegerAttr())
                    : Value();
    };
    Value gate = linears(rows, gates), up = gate ? linears(rows, ups) : Value();
    if (!up)
      return Value();
    Value hidden = stage<pack::ActivationOp>(gate.getType(), parts.front().activation.getKind(),
                                             gate, up, IntegerAttr());
    for (auto [e, part] : llvm::enumerate(parts))
      mark(part.downMarks, hidden, e, groups);
    Value down = linears(hidden, downs);
    return down ? stage<pack::CombineOp>(bufferType(op.getResult(), set), down, choices, groups,
                                         residual, IntegerAttr())
                : Value();
  }
  /// Marks what an expert's linear reads.
  void mark(ArrayRef<StringRef> names, Value rows, int32_t expert, Value groups) {
    for (StringRef name : names)
      tag(b.create<pack::ObserveOp>(loc, b.getStringAttr(name), rows, b.getI32IntegerAttr(expert),
                                    groups));
  }
  template <typename Op, typename From> Value binary(From op, RowSet set) {
    Value lhs = op.getLhs(), rhs = op.getRhs();
    if (!lm::isTokenRows(lhs.getType()))
      std::swap(lhs, rhs);
    bool rows = lm::isTokenRows(rhs.getType());
    return stage<Op>(bufferType(op.getResult(), set), buffer(lhs, set),
                     rows ? buffer(rhs, set) : Value(), rows ? Value() : vector(rhs),
                     IntegerAttr());
  }

  Value emit(lm::ActivationOp op, RowSet set) {
    if (op.getResult().hasOneUse())
      if (auto mul = dyn_cast<lm::MulOp>(*op.getResult().user_begin()))
        if (gate(mul) == op && setOf(mul.getResult()) == set)
          return fused.insert(op), Value();
    return stage<pack::ActivationOp>(bufferType(op.getResult(), set), op.getKind(),
                                     buffer(op.getInput(), set), Value(), IntegerAttr());
  }
  lm::ActivationOp gate(lm::MulOp mul) {
    if (auto activation = soleUse<lm::ActivationOp>(mul.getLhs()))
      return activation;
    return soleUse<lm::ActivationOp>(mul.getRhs());
  }
  Value emit(lm::MulOp op, RowSet set) {
    lm::ActivationOp activation = gate(op);
    if (activation && fused.contains(activation)) {
      Value other = activation.getResult() == op.getLhs() ? op.getRhs() : op.getLhs();
      return stage<pack::ActivationOp>(bufferType(op.getResult(), set), activation.getKind(),
                                       buffer(activation.getInput(), set), buffer(other, set),
                                       IntegerAttr());
    }
    return binary<pack::MulOp>(op, set);
  }

  Value emit(lm::RopeOp op, RowSet set) {
    ArrayRef<float> frequencies = op.getInvFreq();
    Value &slot = ropeTables[{op.getInvFreqAttr(), op.getMagnitudeAttr(), unsigned(set)}];
    if (!slot) {
      SmallVector<int32_t> words;
      for (float f : frequencies)
        words.push_back(llvm::bit_cast<int32_t>(f));
      auto type = pack::BufferType::get(b.getContext(), 2 * frequencies.size(), set);
      FloatAttr magnitude = op.getMagnitude() ? eps(*op.getMagnitude()) : FloatAttr();
      slot = stage<pack::RopeTableOp>(type, table(words, false, "rope"), magnitude, IntegerAttr());
      slot.getDefiningOp()->removeAttr(kPackLayer); // shared by the layers
    }
    return stage<pack::RopeOp>(bufferType(op.getResult(), set), buffer(op.getInput(), set), slot,
                               op.getHeadDim(), IntegerAttr());
  }

  /// Of each KV head where its query heads begin, where the last ones end, and then the heads.
  static SmallVector<int32_t> readers(ArrayRef<int32_t> kvHeadOf, int64_t kvHeads) {
    SmallVector<int32_t> bounds(kvHeads + 1), heads(kvHeadOf.size());
    for (int32_t kvHead : kvHeadOf)
      ++bounds[kvHead + 1];
    std::partial_sum(bounds.begin(), bounds.end(), bounds.begin());
    SmallVector<int32_t> next = bounds;
    for (auto [head, kvHead] : llvm::enumerate(kvHeadOf))
      heads[next[kvHead]++] = int32_t(head);
    llvm::append_range(bounds, heads);
    return bounds;
  }
  Value emit(lm::AttentionOp op, RowSet set) {
    auto cache =
        pack::CacheType::get(b.getContext(), op.getNumKvHeads(), op.getHeadDim(), cacheElement);
    Value written = stage<pack::KvWriteOp>(cache, buffer(op.getKey(), RowSet::All),
                                           buffer(op.getValue(), RowSet::All), IntegerAttr());
    Value map = table(readers(op.getKvMap(), op.getNumKvHeads()), true, "kv_map");
    IntegerAttr window = op.getWindowAttr();
    if (window && context && window.getInt() >= context)
      window = {};
    return stage<pack::AttentionOp>(bufferType(op.getResult(), set), buffer(op.getQuery(), set),
                                    written, map, eps(op.getScale()), window,
                                    op.getSoftcap() ? eps(*op.getSoftcap()) : FloatAttr(),
                                    IntegerAttr());
  }

  Value emit(lm::SoftcapOp op, RowSet set) {
    return stage<pack::SoftcapOp>(bufferType(op.getResult(), set), buffer(op.getInput(), set),
                                  eps(op.getCap()), IntegerAttr());
  }
  Value emit(lm::SelectOp op, RowSet set) {
    return stage<pack::SelectOp>(bufferType(op.getResult(), set), buffer(op.getInput(), set),
                                 table(op.getKept().getIndices(), true, "select"), IntegerAttr());
  }
  Value emit(lm::MaskOp op, RowSet set) {
    return stage<pack::MaskOp>(bufferType(op.getResult(), set), buffer(op.getInput(), set),
                               table(op.getDead().getIndices(), true, "mask"), vector(op.getFill()),
                               IntegerAttr());
  }
  Value emit(lm::ObserveOp op, RowSet set) {
    Value rows = buffer(op.getInput(), set);
    tag(b.create<pack::ObserveOp>(loc, op.getName(), rows));
    return rows;
  }

  func::FuncOp func;
  Type cacheElement;
  int64_t context;
  OpBuilder b;
  Location loc = func.getLoc();
  IntegerAttr layer;
  llvm::DenseSet<Value> all;
  llvm::DenseSet<Operation *> fused;
  llvm::DenseMap<Value, Value> buffers[2];
  llvm::DenseMap<std::pair<Value, unsigned>, Value> weights;
  llvm::DenseMap<std::tuple<Attribute, Attribute, unsigned>, Value> ropeTables;
  IRMapping constants;
};

struct LmToPack : impl::LmToPackBase<LmToPack> {
  using LmToPackBase::LmToPackBase;

  void runOnOperation() override {
    Type element = llvm::StringSwitch<Type>(kv)
                       .Case("f32", Float32Type::get(&getContext()))
                       .Case("bf16", BFloat16Type::get(&getContext()))
                       .Case("i8", IntegerType::get(&getContext(), 8))
                       .Default(Type());
    if (!element) {
      getOperation().emitError() << "unknown KV cache format '" << kv << "'; use f32, bf16 or i8";
      return signalPassFailure();
    }
    for (func::FuncOp func : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      Converter converter(func, element, context);
      if (failed(converter.run()))
        return signalPassFailure();
    }
  }
};

} // namespace
} // namespace coppice
