// route, group, dispatch and combine: what lies around the linears of experts; and how those go
// over the experts.
//
// Rows of a routed set lie in the order of their experts, an expert's in the order of the step, so
// that every matrix is read once for all rows that chose it, and not at all if none did. What a row
// gets is a sum over its own choices in the order in which they were made: none of it depends on
// other rows.
#include "compiler/codegen/kernels/Experts.h"
#include "compiler/codegen/Math.h"
#include "compiler/codegen/kernels/Kernels.h"

using namespace coppice;
using namespace mlir;
using Values = KernelBuilder::Values;

static Value loadIndex(KernelBuilder &k, Value base, Value index) {
  return k.create<arith::ExtUIOp>(k.i64, k.load(k.i32, k.element(base, index, k.i32)));
}

static void storeIndex(KernelBuilder &k, Value index, Value base, Value at) {
  k.store(k.create<arith::TruncIOp>(k.i32, index), k.element(base, at, k.i32));
}

//===-- Choice -----------------------------------------------------------------------------===//

/// A number that orders scores as the choice does: higher scores, then lower experts are larger. A
/// score that is no number is the largest, so that it shows.
static Value rankOf(KernelBuilder &k, Value score, Value after) {
  Value positive = k.add(score, k.f32c(0)); // minus zero becomes zero
  Value unordered = k.create<arith::CmpFOp>(arith::CmpFPredicate::UNO, score, score);
  Value bits = k.bitcast(k.i32, positive);
  Value sign = k.create<arith::ShRSIOp>(bits, k.intConstant(k.i32, 31));
  Value flipped = k.create<arith::XOrIOp>(
      bits, k.create<arith::AndIOp>(sign, k.intConstant(k.i32, 0x7fffffff)));
  Value ordered = k.select(unordered, k.intConstant(k.i32, 0x7fffffff), flipped);
  Value high = k.create<arith::ShLIOp>(k.create<arith::ExtSIOp>(k.i64, ordered), k.i64c(32));
  return k.create<arith::OrIOp>(high, after);
}

/// Writes the numbers of the `picks` largest of `experts` scores to `out`, the largest first.
static void choose(KernelBuilder &k, Value scores, Value experts, Value picks, Value out) {
  Value last = k.sub(experts, k.i64c(1));
  k.forRange(k.i64c(0), picks, 1, Values{k.i64c(INT64_MAX)}, [&](Value pick, ValueRange before) {
    Values best = k.forRange(
        k.i64c(0), experts, 1, Values{k.i64c(INT64_MIN)}, [&](Value e, ValueRange largest) {
          Value score = k.load(k.f32, k.element(scores, e, k.f32));
          Value rank = rankOf(k, score, k.sub(last, e));
          Value better = k.create<arith::AndIOp>(k.less(largest[0], rank), k.less(rank, before[0]));
          return Values{k.select(better, rank, largest[0])};
        });
    Value after = k.create<arith::AndIOp>(best[0], k.i64c(0xffffffff));
    storeIndex(k, k.sub(last, after), out, pick);
    return best;
  });
}

void kernels::route(KernelBuilder &k) {
  using A = args::Route;
  Value in = k.buffer(k.arg(A::in)), out = k.buffer(k.arg(A::out));
  Value experts = k.arg(A::experts), picks = k.arg(A::picks), zero = k.i64c(0);
  Value amongPicked = k.less(zero, k.arg(A::normalize));
  Value stride = k.rowBytes(experts), outStride = k.rowBytes(k.mul(picks, k.i64c(2)));
  k.forRange(k.begin, k.end, 1, [&](Value row) {
    Value scores = k.at(in, k.mul(row, stride)), to = k.at(out, k.mul(row, outStride));
    choose(k, scores, experts, picks, to);
    auto scoreOf = [&](Value expert) { return k.load(k.f32, k.element(scores, expert, k.f32)); };
    auto picked = [&](Value pick) { return scoreOf(loadIndex(k, to, pick)); };
    Value largest = picked(zero);
    auto share = [&](Value score) { return math::expOfNegative(k, k.sub(score, largest)); };
    // One after the other, in the order of choices or experts: dead experts add zeros, so that the
    // sum is the same whether or not they are there.
    auto total = [&](Value count, llvm::function_ref<Value(Value)> score) {
      return k.forRange(zero, count, 1, Values{k.f32c(0)}, [&](Value i, ValueRange sum) {
        return Values{k.add(sum[0], share(score(i)))};
      });
    };
    Value sum = k.ifElse(
        amongPicked, [&] { return total(picks, picked); },
        [&] { return total(experts, scoreOf); })[0];
    k.forRange(zero, picks, 1, [&](Value pick) {
      k.store(k.div(share(picked(pick)), sum), k.element(to, k.add(picks, pick), k.f32));
    });
  });
}

//===-- Groups -----------------------------------------------------------------------------===//

namespace {
/// What args::Group's output holds.
struct Groups {
  Groups(KernelBuilder &k, Value word, Value experts)
      : offsets(k.buffer(word)), order(k.element(offsets, k.add(experts, k.i64c(1)), k.i32)) {}
  Value offsets; // of each expert's rows among the routed ones, then their number
  Value order;   // of each routed row, the row it comes from
  /// Of each choice of `rows` rows, the routed row.
  Value places(KernelBuilder &k, Value rows, Value picks) const {
    return k.element(order, k.mul(rows, picks), k.i32);
  }
};
} // namespace

void kernels::group(KernelBuilder &k) {
  using A = args::Group;
  Value experts = k.arg(A::experts), picks = k.arg(A::picks), rows = k.rowCount(k.arg(A::set));
  Value choices = k.buffer(k.arg(A::in)), stride = k.rowBytes(k.mul(picks, k.i64c(2)));
  Groups groups(k, k.arg(A::out), experts);
  Value places = groups.places(k, rows, picks), zero = k.i64c(0), one = k.i64c(1);
  auto forChoices = [&](llvm::function_ref<void(Value row, Value pick, Value expert)> body) {
    k.forRange(zero, rows, 1, [&](Value row) {
      Value of = k.at(choices, k.mul(row, stride));
      k.forRange(zero, picks, 1, [&](Value pick) { body(row, pick, loadIndex(k, of, pick)); });
    });
  };
  auto next = [&](Value at) { // what stood there before it rose by one
    Value value = loadIndex(k, groups.offsets, at);
    storeIndex(k, k.add(value, one), groups.offsets, at);
    return value;
  };
  k.forRange(k.begin, k.end, 1, [&](Value) {
    k.forRange(zero, k.add(experts, one), 1,
               [&](Value e) { storeIndex(k, zero, groups.offsets, e); });
    forChoices([&](Value, Value, Value expert) { next(k.add(expert, one)); });
    k.forRange(zero, experts, 1, Values{zero}, [&](Value e, ValueRange sum) {
      Value above = k.add(e, one), end = k.add(sum[0], loadIndex(k, groups.offsets, above));
      storeIndex(k, end, groups.offsets, above);
      return Values{end};
    });
    // Each expert's offset rises to the next one's while its rows are placed, and goes back after.
    forChoices([&](Value row, Value pick, Value expert) {
      Value place = next(expert);
      storeIndex(k, row, groups.order, place);
      storeIndex(k, place, places, k.add(k.mul(row, picks), pick));
    });
    k.forRange(zero, experts, 1, [&](Value from) {
      Value e = k.sub(experts, from);
      storeIndex(k, loadIndex(k, groups.offsets, k.sub(e, one)), groups.offsets, e);
    });
    storeIndex(k, zero, groups.offsets, zero);
  });
}

void kernels::dispatch(KernelBuilder &k) {
  using A = args::Dispatch;
  Value in = k.buffer(k.arg(A::in)), out = k.buffer(k.arg(A::out));
  Value bytes = k.mul(k.arg(A::rowWords), k.i64c(64));
  Groups groups(k, k.arg(A::groups), k.arg(A::experts));
  k.forRange(k.begin, k.end, 1, [&](Value row) {
    Value from = k.at(in, k.mul(loadIndex(k, groups.order, row), bytes));
    Value to = k.at(out, k.mul(row, bytes));
    k.forRange(k.i64c(0), bytes, 64, [&](Value at) {
      k.store(k.load(k.lanesOf(k.i32, kLanes), k.at(from, at), 64), k.at(to, at), 64);
    });
  });
}

void kernels::combine(KernelBuilder &k) {
  using A = args::Combine;
  Value in = k.buffer(k.arg(A::in)), out = k.buffer(k.arg(A::out)), width = k.arg(A::width);
  Value choices = k.buffer(k.arg(A::choices)), picks = k.arg(A::picks);
  Value residual = k.buffer(k.arg(A::residual)), hasResidual = k.notNone(k.arg(A::residual));
  Groups groups(k, k.arg(A::groups), k.arg(A::experts));
  Value places = groups.places(k, k.rowCount(k.arg(A::set)), picks);
  Value stride = k.rowBytes(width), choiceStride = k.rowBytes(k.mul(picks, k.i64c(2)));
  Type lanes = k.lanesOf(k.f32, kLanes);
  k.forRange(k.begin, k.end, 1, [&](Value row) {
    Value offset = k.mul(row, stride), mine = k.element(places, k.mul(row, picks), k.i32);
    Value weights = k.element(k.at(choices, k.mul(row, choiceStride)), picks, k.f32);
    k.forRange(k.i64c(0), width, kLanes, [&](Value i) {
      Values sum = k.forRange(
          k.i64c(0), picks, 1, Values{k.f32c(0, kLanes)}, [&](Value pick, ValueRange carried) {
            Value from = k.at(in, k.mul(loadIndex(k, mine, pick), stride));
            Value weight = k.broadcast(k.load(k.f32, k.element(weights, pick, k.f32)));
            return Values{k.fma(weight, k.load(lanes, k.element(from, i, k.f32), 64), carried[0])};
          });
      Value y = k.ifElse(
          hasResidual,
          [&] {
            Value from = k.element(k.at(residual, offset), i, k.f32);
            return Values{k.add(k.load(lanes, from, 64), sum[0])};
          },
          [&] { return sum; })[0];
      k.store(y, k.element(k.at(out, offset), i, k.f32), 64);
    });
  });
}

//===-- Linears ----------------------------------------------------------------------------===//

void kernels::forExperts(KernelBuilder &k, LinearOutput &output,
                         llvm::function_ref<void(Value, Value)> body) {
  using A = args::ExpertLinear;
  Value experts = k.arg(A::experts), begin = k.begin, end = k.end;
  Value offsets = Groups(k, k.arg(A::groups), experts).offsets;
  k.forRange(k.i64c(0), experts, 1, [&](Value e) {
    Value first = loadIndex(k, offsets, e), last = loadIndex(k, offsets, k.add(e, k.i64c(1)));
    k.ifThen(k.less(first, last), [&] {
      // Of the items before `item`, those of this expert: panel * experts + e.
      Value others = k.sub(k.sub(experts, k.i64c(1)), e);
      auto before = [&](Value item) { return k.div(k.add(item, others), experts); };
      k.begin = before(begin);
      k.end = before(end);
      output.setRows(first, k.sub(last, first));
      body(first, e);
    });
  });
}

Value kernels::expertWeight(KernelBuilder &k, Value expert) {
  using A = args::ExpertLinear;
  Value stride = k.mul(k.arg(A::stride), k.i64c(64));
  return k.at(k.weights(k.arg(A::weight)), k.mul(expert, stride));
}
