// See ConstantRow.h. Expressions are walked with an explicit stack: constants folded across blocks
// make chains as long as the model is deep.
#include "compiler/artifact/ConstantRow.h"
#include "compiler/artifact/FloatFormats.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace coppice;

double coppice::exactExp(double x) {
  if (std::isnan(x))
    return x;
  if (x > 709.782712893384)
    return HUGE_VAL;
  if (x < -745.2)
    return 0;
  // x = k ln2 + r, |r| <= ln2 / 2; ln2 in two parts, the first with room for k's bits.
  double k = std::floor(x * 0x1.71547652b82fep0 + 0.5);
  double r = (x - k * 0x1.62e42fee00000p-1) - k * 0x1.a39ef35793c76p-33;
  double sum = 1;
  for (int n = 18; n >= 1; --n)
    sum = 1 + r / n * sum;
  return std::ldexp(sum, int(k));
}

double coppice::exactNormal(double x) {
  // Phi(x) = erfc(-x / sqrt 2) / 2; the upper tail by symmetry.
  double t = std::fabs(x) * 0x1.6a09e667f3bcdp-1;
  double tail; // erfc(t)
  if (t < 2.5) {
    // erf(t) = 2/sqrt(pi) e^(-t^2) sum of 2^n t^(2n+1) / (1 3 5 ... (2n+1)): no cancellation.
    double term = t, sum = t;
    for (int n = 1; n < 80; ++n) {
      term *= 2 * t * t / (2 * n + 1);
      sum += term;
    }
    tail = 1 - 0x1.20dd750429b6dp0 * exactExp(-t * t) * sum;
  } else {
    // erfc(t) = e^(-t^2) / sqrt(pi) / (t + (1/2)/(t + (2/2)/(t + (3/2)/(t + ...)))).
    double fraction = t;
    for (int n = 120; n >= 1; --n)
      fraction = t + 0.5 * n / fraction;
    tail = 0x1.20dd750429b6dp-1 * exactExp(-t * t) / fraction;
  }
  return x < 0 ? tail / 2 : 1 - tail / 2;
}

double coppice::activate(lm::ActivationKind kind, double x) {
  switch (kind) {
  case lm::ActivationKind::Relu:
    return x > 0 ? x : 0;
  case lm::ActivationKind::Gelu:
    return x * exactNormal(x);
  case lm::ActivationKind::GeluTanh: {
    // (1 + tanh y) / 2 = 1 / (1 + e^(-2y)), y = sqrt(2/pi) (x + 0.044715 x^3).
    double y = 0x1.9884533d43651p-1 * (x + 0.044715 * x * x * x);
    return x / (1 + exactExp(-2 * y));
  }
  case lm::ActivationKind::Silu:
    return x / (1 + exactExp(-x));
  }
  llvm_unreachable("an activation without a function");
}

static llvm::Expected<std::vector<double>> readVector(lm::WeightOp weight,
                                                      const Checkpoint &checkpoint) {
  auto view = viewWeight(weight, checkpoint);
  if (!view)
    return view.takeError();
  std::vector<double> row(view->cols);
  for (int64_t i = 0; i < view->cols; ++i) {
    row[i] = loadElement(*view->tensor, view->element(0, i));
    if (!std::isfinite(row[i]))
      return unfitElement(*view, 0, i, WeightFormat::F32);
  }
  return row;
}

static llvm::Expected<std::vector<double>>
multiply(lm::WeightOp weight, llvm::ArrayRef<double> input, const Checkpoint &checkpoint) {
  auto view = viewWeight(weight, checkpoint);
  if (!view)
    return view.takeError();
  assert(view->cols == int64_t(input.size()) && "the verifier of lm.linear");
  std::vector<double> row(view->rows);
  for (int64_t r = 0; r < view->rows; ++r) {
    double sum = 0;
    for (int64_t c = 0; c < view->cols; ++c) {
      double w = loadElement(*view->tensor, view->element(r, c));
      if (!std::isfinite(w))
        return unfitElement(*view, r, c, WeightFormat::F32);
      sum += input[c] * w;
    }
    row[r] = sum;
  }
  checkpoint.drop(*view->tensor);
  return row;
}

/// The constant rows that `op` reads; null if a constant row cannot be computed from such an op.
static std::optional<llvm::SmallVector<mlir::Value, 2>> rowOperands(mlir::Operation *op) {
  using Operands = llvm::SmallVector<mlir::Value, 2>;
  return llvm::TypeSwitch<mlir::Operation *, std::optional<Operands>>(op)
      .Case<lm::WeightOp, lm::SplatOp>([](auto) { return Operands{}; })
      .Case([](lm::LinearOp linear) {
        Operands operands{linear.getInput()};
        if (linear.getBias())
          operands.push_back(linear.getBias());
        return operands;
      })
      .Case<lm::AddOp, lm::MulOp>([](auto op) { return Operands{op.getLhs(), op.getRhs()}; })
      .Case<lm::ActivationOp, lm::SelectOp, lm::SoftcapOp>(
          [](auto op) { return Operands{op.getInput()}; })
      .Case<lm::RmsNormOp, lm::LayerNormOp>([](auto op) { return Operands(op->getOperands()); })
      .Default([](mlir::Operation *) { return std::nullopt; });
}

/// `group` columns at a time: (x - mean) / sqrt(mean square + eps), the mean 0 unless centred.
static std::vector<double> normalise(llvm::ArrayRef<double> row, size_t group, bool centred,
                                     double eps) {
  std::vector<double> result;
  for (; !row.empty(); row = row.drop_front(group)) {
    double mean = 0, squares = 0;
    for (double x : row.take_front(group))
      mean += centred ? x / double(group) : 0;
    for (double x : row.take_front(group))
      squares += (x - mean) * (x - mean) / double(group);
    for (double x : row.take_front(group))
      result.push_back((x - mean) / std::sqrt(squares + eps));
  }
  return result;
}

llvm::Error ConstantRows::compute(mlir::Value value) {
  mlir::Operation *op = value.getDefiningOp();
  auto store = [&](llvm::Expected<std::vector<double>> row) -> llvm::Error {
    if (!row)
      return row.takeError();
    values[value] = std::move(*row);
    return llvm::Error::success();
  };
  if (auto weight = llvm::dyn_cast<lm::WeightOp>(op))
    return store(readVector(weight, checkpoint));
  if (auto splat = llvm::dyn_cast<lm::SplatOp>(op))
    return store(
        std::vector<double>(lm::rowWidth(splat.getType()), splat.getValue().convertToDouble()));

  // Everything below only reads `values`, and stores last: a store may move the others.
  const std::vector<double> &first = values.find(op->getOperand(0))->second;
  if (auto linear = llvm::dyn_cast<lm::LinearOp>(op)) {
    auto weight = linear.getWeight().getDefiningOp<lm::WeightOp>();
    if (!weight)
      return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                     "a constant lm.linear must read an lm.weight");
    auto row = multiply(weight, first, checkpoint);
    if (row && linear.getBias()) {
      const std::vector<double> &bias = values.find(linear.getBias())->second;
      for (size_t i = 0; i < row->size(); ++i)
        (*row)[i] += bias[i];
    }
    return store(std::move(row));
  }
  std::vector<double> row;
  if (auto select = llvm::dyn_cast<lm::SelectOp>(op)) {
    for (int32_t i : select.getKept().getIndices())
      row.push_back(first[i]);
  } else if (auto softcap = llvm::dyn_cast<lm::SoftcapOp>(op)) {
    double cap = softcap.getCap().convertToDouble();
    for (double x : first) // tanh y = 1 - 2 / (1 + e^(2y))
      row.push_back(cap * (1 - 2 / (1 + exactExp(2 * x / cap))));
  } else if (auto norm = llvm::dyn_cast<lm::RmsNormOp>(op)) {
    const std::vector<double> &scale = values.find(norm.getScale())->second;
    row = normalise(first, scale.size(), /*centred=*/false, norm.getEps().convertToDouble());
    for (size_t i = 0; i < row.size(); ++i)
      row[i] *= scale[i % scale.size()];
  } else if (auto norm = llvm::dyn_cast<lm::LayerNormOp>(op)) {
    row = normalise(first, first.size(), /*centred=*/true, norm.getEps().convertToDouble());
    for (size_t i = 0; i < row.size(); ++i) {
      if (norm.getScale())
        row[i] *= values.find(norm.getScale())->second[i];
      if (norm.getBias())
        row[i] += values.find(norm.getBias())->second[i];
    }
  } else if (auto activation = llvm::dyn_cast<lm::ActivationOp>(op)) {
    for (double x : first)
      row.push_back(activate(activation.getKind(), x));
  } else {
    bool product = llvm::isa<lm::MulOp>(op);
    const std::vector<double> &second = values.find(op->getOperand(1))->second;
    for (size_t i = 0; i < first.size(); ++i)
      row.push_back(product ? first[i] * second[i] : first[i] + second[i]);
  }
  return store(std::move(row));
}

llvm::Expected<std::vector<double>> ConstantRows::evaluate(mlir::Value root) {
  llvm::SmallVector<mlir::Value> stack{root};
  while (!stack.empty()) {
    mlir::Value value = stack.back();
    if (values.count(value)) {
      stack.pop_back();
      continue;
    }
    mlir::Operation *op = value.getDefiningOp();
    if (!op || !lm::isConstantRow(value.getType()))
      return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                     "a packed constant must be an expression over lm.weight");
    auto operands = rowOperands(op);
    if (!operands)
      return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                     "a constant row cannot be computed from '" +
                                         op->getName().getStringRef() + "'");
    size_t depth = stack.size();
    for (mlir::Value operand : *operands)
      if (!values.count(operand))
        stack.push_back(operand);
    if (stack.size() != depth)
      continue;
    stack.pop_back();
    if (llvm::Error error = compute(value))
      return std::move(error);
    // What nothing else reads is not kept.
    for (mlir::Value operand : *operands)
      if (operand.hasOneUse())
        values.erase(operand);
  }
  return values.find(root)->second;
}
