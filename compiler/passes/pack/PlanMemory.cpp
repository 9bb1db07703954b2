// pack-plan-memory: see PackPasses.td.
#include "compiler/passes/pack/PackPasses.h"
#include "coppice/limits.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"
#include <map>

using namespace mlir;

namespace coppice {
#define GEN_PASS_DEF_PLANMEMORY
#include "compiler/passes/pack/PackPasses.h.inc"

namespace {

/// First-fit allocation of [begin, end) byte ranges of one row's arena.
class Arena {
public:
  int64_t allocate(int64_t bytes) {
    int64_t at = 0;
    for (auto [begin, end] : live) {
      if (begin - at >= bytes)
        break;
      at = std::max(at, end);
    }
    if (bytes)
      live[at] = at + bytes;
    high = std::max(high, at + bytes);
    return at;
  }
  void release(int64_t at, int64_t bytes) {
    if (bytes)
      live.erase(at);
  }
  int64_t size() const { return high; }

private:
  std::map<int64_t, int64_t> live;
  int64_t high = 0;
};

/// Operands on which the result may lie: every item reads there only what it overwrites itself.
SmallVector<Value> reusable(Operation *op) {
  return TypeSwitch<Operation *, SmallVector<Value>>(op)
      .Case([](pack::LinearOp linear) -> SmallVector<Value> {
        // Every panel reads the whole input.
        if (!linear.getResidual() || linear.getResidual() == linear.getInput())
          return {};
        return {linear.getResidual()};
      })
      .Case([](pack::CombineOp combine) -> SmallVector<Value> {
        if (!combine.getResidual())
          return {};
        return {combine.getResidual()};
      })
      .Case<pack::RopeOp, pack::MaskOp, pack::HeadNormOp, pack::SoftcapOp>(
          [](auto stage) -> SmallVector<Value> { return {stage.getInput()}; })
      .Case<pack::ActivationOp, pack::AddOp, pack::MulOp>([](auto stage) -> SmallVector<Value> {
        if (stage.getOther())
          return {stage.getInput(), stage.getOther()};
        return {stage.getInput()};
      })
      .Default([](Operation *) { return SmallVector<Value>(); });
}

/// The widest window of those that read the cache; nothing if one of them has none.
std::optional<int64_t> windowOf(Value cache) {
  int64_t widest = 0;
  for (Operation *user : cache.getUsers()) {
    auto attention = dyn_cast<pack::AttentionOp>(user);
    if (!attention || !attention.getWindow())
      return std::nullopt;
    widest = std::max<int64_t>(widest, *attention.getWindow());
  }
  return widest ? std::optional(widest) : std::nullopt;
}

struct PlanMemory : impl::PlanMemoryBase<PlanMemory> {
  using PlanMemoryBase::PlanMemoryBase;

  void runOnOperation() override {
    if (context < 0 || context > COPPICE_MAX_ID || largestStep < 1 ||
        largestStep > COPPICE_MAX_ID) {
      getOperation().emitError() << "context is " << int64_t(context) << " and largest-step "
                                 << int64_t(largestStep) << "; they lie from 0 and 1 to "
                                 << COPPICE_MAX_ID;
      return signalPassFailure();
    }
    for (auto step : getOperation().getOps<pack::StepOp>()) {
      if (failed(placeWeights(step)))
        return signalPassFailure();
      chooseRings(step);
      plan(step);
    }
  }

  /// In the order of their first use. First of all: what does not fit need not be planned.
  static LogicalResult placeWeights(pack::StepOp step) {
    OpBuilder b(step);
    uint64_t end = 0;
    for (Operation &op : step.getBody().front())
      for (Value operand : op.getOperands())
        if (auto type = dyn_cast<pack::WeightType>(operand.getType())) {
          Operation *def = operand.getDefiningOp();
          if (def->hasAttr("offset"))
            continue;
          // A config may claim any sizes: their sum may not run over.
          uint64_t at = llvm::SaturatingAdd(end, uint64_t(63)) & ~uint64_t(63);
          def->setAttr("offset", b.getI64IntegerAttr(int64_t(at)));
          end = llvm::SaturatingAdd(at, uint64_t(type.bytes()));
        }
    if (end <= COPPICE_MAX_WEIGHT_BYTES)
      return success();
    return step->getParentOp()->emitError()
           << "the weights take " << end << " bytes (" << gigabytes(end)
           << "), and an artifact holds at most " << COPPICE_MAX_WEIGHT_BYTES << " ("
           << gigabytes(COPPICE_MAX_WEIGHT_BYTES)
           << "); choose a smaller format with --weights, i8 or i4 say, or cut more with --plan";
  }

  static std::string gigabytes(uint64_t bytes) {
    return llvm::formatv("{0:F1} GB", double(bytes) / 1e9);
  }

  int64_t ringPositions(int64_t window) const {
    return llvm::alignTo(window + largestStep, COPPICE_KV_RING);
  }

  /// Marks the caches that are shorter as rings. All rings are as long as the longest.
  void chooseRings(pack::StepOp step) {
    int64_t most = context ? context : COPPICE_MAX_ID, positions = 0;
    most = llvm::alignTo(most, COPPICE_KV_BLOCK);
    for (auto write : step.getBody().getOps<pack::KvWriteOp>()) {
      std::optional<int64_t> window = windowOf(write);
      write.setRing(window && write.getType().bytesPerPosition() && ringPositions(*window) < most);
      if (write.getRing())
        positions = std::max(positions, ringPositions(*window));
    }
    OpBuilder b(step);
    auto attribute = [&](int64_t value) {
      return positions ? b.getI64IntegerAttr(value) : IntegerAttr();
    };
    int64_t bytes = 0;
    for (auto write : step.getBody().getOps<pack::KvWriteOp>())
      if (write.getRing()) {
        write.setPlace(bytes);
        bytes += write.getType().bytesPerPosition();
      }
    step.setRingAttr(attribute(bytes));
    step.setRingPositionsAttr(attribute(positions));
    step.setLargestStepAttr(attribute(largestStep));
  }

  void plan(pack::StepOp step) {
    OpBuilder b(step);
    Block &body = step.getBody().front();
    llvm::DenseMap<Value, Operation *> lastUse;
    for (Operation &op : body)
      for (Value operand : op.getOperands())
        lastUse[operand] = &op;

    // The logits have no place: the linear that makes them writes where the caller wants them, and
    // a cap on them stays there.
    Operation *head = cast<pack::ReturnOp>(body.getTerminator()).getLogits().getDefiningOp();
    auto cap = dyn_cast<pack::SoftcapOp>(head);
    Operation *uncapped = cap ? cap.getInput().getDefiningOp() : nullptr;

    Arena arena;
    llvm::DenseMap<Value, int64_t> places;
    int64_t kv = 0;
    for (Operation &op : body) {
      if (isa<pack::ObserveOp>(op))
        release(op, lastUse, places, arena); // what it marks may end here
      if (op.getNumResults() == 0 || isa<pack::WeightOp, pack::ConstantOp>(op) || &op == head ||
          &op == uncapped)
        continue;
      if (auto write = dyn_cast<pack::KvWriteOp>(op)) {
        if (!write.getRing()) {
          write.setPlace(kv);
          kv += write.getType().bytesPerPosition();
        }
      } else if (int64_t bytes = pack::arenaBytesOf(op.getResult(0)); bytes >= 0) {
        int64_t at = -1;
        for (Value operand : reusable(&op))
          if (at < 0 && lastUse.lookup(operand) == &op &&
              operand.getType() == op.getResult(0).getType()) {
            at = places.lookup(operand);
            places.erase(operand); // its bytes pass to the result
          }
        if (at < 0)
          at = arena.allocate(bytes);
        places[op.getResult(0)] = at;
        op.setAttr("place", b.getI64IntegerAttr(at));
      }
      release(op, lastUse, places, arena);
    }
    step.setArena(arena.size());
    step.setKv(kv);
  }

  static void release(Operation &op, const llvm::DenseMap<Value, Operation *> &lastUse,
                      llvm::DenseMap<Value, int64_t> &places, Arena &arena) {
    auto end = [&](Value value) {
      auto place = places.find(value);
      if (place == places.end())
        return;
      arena.release(place->second, pack::arenaBytesOf(value));
      places.erase(place);
    };
    for (Value operand : op.getOperands())
      if (lastUse.lookup(operand) == &op)
        end(operand);
    for (Value result : op.getResults())
      if (!lastUse.count(result))
        end(result);
  }
};

} // namespace
} // namespace coppice
