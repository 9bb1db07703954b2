// The expanded functions, swept against double libm. A kernel of the test's own applies one of
// them to a row, so that what is measured is the code that kernels contain.
#include "compiler/codegen/Math.h"
#include "Harness.h"
#include "compiler/codegen/KernelBuilder.h"
#include <cmath>
#include <cstring>
#include <limits>

using namespace coppice;
using namespace coppice::test;

namespace {
enum Function { Exp, ExpOfNegative, Sin, Cos, Gelu, GeluTanh, Silu, Tanh };

mlir::Value emit(KernelBuilder &k, Function function, mlir::Value x) {
  switch (function) {
  case Exp:
    return math::exp(k, x);
  case ExpOfNegative:
    return math::expOfNegative(k, x);
  case Sin:
    return math::sinCos(k, x).sin;
  case Cos:
    return math::sinCos(k, x).cos;
  case Gelu:
    return math::gelu(k, x);
  case GeluTanh:
    return math::geluTanh(k, x);
  case Silu:
    return math::silu(k, x);
  case Tanh:
    return math::tanh(k, x);
  }
  llvm_unreachable("a function without code");
}

/// f of every value, 16 lanes at a time; the values' number is a multiple of 16. The same through
/// scalars must give the same bits.
std::vector<float> apply(Function function, const std::string &targetName,
                         const std::vector<float> &values, unsigned lanes = kLanes) {
  Target target = llvm::cantFail(resolveTarget(targetName));
  mlir::DialectRegistry registry;
  registerKernelDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
  // The frame is taken for the input and the arguments for the output.
  KernelBuilder k(*module, "apply", target);
  k.forRange(k.begin, k.end, lanes, [&](mlir::Value i) {
    mlir::Value x = k.load(k.lanesOf(k.f32, lanes), k.element(k.frame, i, k.f32));
    k.store(emit(k, function, x), k.element(k.args, i, k.f32));
  });
  k.finish();
  auto object = llvm::cantFail(lowerModule(*module, target, CodeForm::Object));
  Code code(llvm::cantFail(linkImage(object)));
  std::vector<float> results(values.size());
  code.kernel("apply")(reinterpret_cast<const coppice_frame *>(values.data()),
                       reinterpret_cast<const uint32_t *>(results.data()), 0, values.size());
  return results;
}

/// Applies on all targets and as scalars; the bits must agree, NaNs apart.
std::vector<float> applyEverywhere(Function function, const std::vector<float> &values) {
  std::vector<float> first = apply(function, "x86-64-v3", values);
  auto same = [&](const std::vector<float> &other, const char *how) {
    for (size_t i = 0; i < first.size(); ++i)
      if (!std::isnan(first[i]))
        ASSERT_EQ(bits(first[i]), bits(other[i])) << how << " at " << values[i];
  };
  same(apply(function, "x86-64-v3", values, 1), "as scalars");
  for (const std::string &target : runnableTargets())
    same(apply(function, target, values), "on another target");
  return first;
}

/// About `count` floats from low to high, evenly in value, and as many evenly in magnitude.
std::vector<float> sweep(double low, double high, size_t count) {
  std::vector<float> values;
  for (size_t i = 0; i <= count; ++i)
    values.push_back(float(low + (high - low) * i / count));
  for (size_t i = 0; i <= count; ++i) {
    double magnitude = std::exp2(-40 + 60.0 * i / count);
    for (double x : {magnitude, -magnitude})
      if (x >= low && x <= high)
        values.push_back(float(x));
  }
  values.resize((values.size() + 15) / 16 * 16, float(high));
  return values;
}

/// The distance of neighbouring floats at a value, subnormals' for tiny ones.
double ulp(double value) {
  int exponent;
  std::frexp(value, &exponent);
  return std::ldexp(1.0, std::max(exponent - 24, -149));
}

template <typename Reference>
double worstUlps(const std::vector<float> &x, const std::vector<float> &y, Reference reference) {
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    double want = reference(double(x[i]));
    worst = std::max(worst, std::fabs(y[i] - want) / ulp(want));
  }
  return worst;
}
} // namespace

// e^x stays within 1.1 ulp over the whole range, subnormal results included.
TEST(Math, Exp) {
  std::vector<float> x = sweep(-104, 88.72, 200000);
  double worst = worstUlps(x, applyEverywhere(Exp, x), [](double v) { return std::exp(v); });
  EXPECT_LE(worst, 1.1);
  EXPECT_GT(worst, 0.4); // rounding alone errs that much: the sweep does measure
}

// The shorter e^x of x <= 0 is as near, exactly 1 at 0, 0 below -87 and for -inf, and NaN for NaN.
TEST(Math, ExpOfNegative) {
  std::vector<float> x = sweep(-87, 0, 200000);
  double worst =
      worstUlps(x, applyEverywhere(ExpOfNegative, x), [](double v) { return std::exp(v); });
  EXPECT_LE(worst, 1.1);
  EXPECT_GT(worst, 0.4);
  float inf = INFINITY, nan = std::numeric_limits<float>::quiet_NaN();
  x = {0, -0.0f, -87.00001f, -104, -1e30f, -inf, nan, -nan, -1, -1, -1, -1, -1, -1, -1, -1};
  std::vector<float> y = applyEverywhere(ExpOfNegative, x);
  for (int i : {0, 1})
    EXPECT_EQ(y[i], 1);
  for (int i : {2, 3, 4, 5})
    EXPECT_EQ(y[i], 0) << x[i];
  for (int i : {6, 7})
    EXPECT_TRUE(std::isnan(y[i]));
}

// Outside the range it is 0 and +inf, and NaN stays NaN.
TEST(Math, ExpAtTheEnds) {
  float inf = INFINITY, nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> x = {-inf, -1e30f, -200,  -106, 89, 100, 1e30f, inf,
                          nan,  0,      -0.0f, 1,    1,  1,   1,     1};
  std::vector<float> y = applyEverywhere(Exp, x);
  for (int i : {0, 1, 2, 3})
    EXPECT_EQ(y[i], 0) << x[i];
  for (int i : {4, 5, 6, 7})
    EXPECT_EQ(y[i], inf) << x[i];
  EXPECT_TRUE(std::isnan(y[8]));
  EXPECT_EQ(y[9], 1);
  EXPECT_EQ(y[10], 1);
}

// Sine and cosine stay within 0.501 ulp for angles up to 2^24, near multiples of pi too.
TEST(Math, SinCos) {
  std::vector<float> x = sweep(0, 16777216.0, 200000);
  for (int n = 1; n < 100000; n += 7)
    x.push_back(float(n * M_PI_2));
  x.resize((x.size() + 15) / 16 * 16, 1);
  for (size_t i = 0; i < 1000; ++i)
    x[i] = -x[i];
  double sine = worstUlps(x, applyEverywhere(Sin, x), [](double v) { return std::sin(v); });
  double cosine = worstUlps(x, applyEverywhere(Cos, x), [](double v) { return std::cos(v); });
  EXPECT_LE(sine, 0.501);
  EXPECT_LE(cosine, 0.501);
  EXPECT_GT(sine, 0.49);
}

// The activations keep their absolute bounds, and vanish or pass through far out.
TEST(Math, Activations) {
  std::vector<float> x = sweep(-60, 60, 100000);
  for (float far : {-1e4f, -100.0f, 100.0f, 1e4f})
    x.insert(x.end(), 4, far);
  auto worst = [&](Function function, double (*reference)(double)) {
    std::vector<float> y = applyEverywhere(function, x);
    double most = 0;
    for (size_t i = 0; i < x.size(); ++i)
      most = std::max(most, std::fabs(y[i] - reference(x[i])) / std::max(1.0f, std::fabs(x[i])));
    return most;
  };
  EXPECT_LE(worst(Gelu, [](double v) { return 0.5 * v * std::erfc(-v * M_SQRT1_2); }), 1.5e-7);
  EXPECT_LE(worst(GeluTanh,
                  [](double v) {
                    double u = std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v);
                    return 0.5 * v * (1 + std::tanh(u));
                  }),
            2e-7);
  EXPECT_LE(worst(Silu, [](double v) { return v / (1 + std::exp(-v)); }), 1.5e-7);
}

// tanh stays within 2 ulp over the whole range, is 1 far out, and NaN for NaN.
TEST(Math, Tanh) {
  std::vector<float> x = sweep(-20, 20, 200000);
  double worst = worstUlps(x, applyEverywhere(Tanh, x), [](double v) { return std::tanh(v); });
  EXPECT_LE(worst, 2);
  EXPECT_GT(worst, 0.4);
  float inf = INFINITY, nan = std::numeric_limits<float>::quiet_NaN();
  x = {inf, 1e30f, 100, -inf, -1e30f, -100, nan, 0, 1, 1, 1, 1, 1, 1, 1, 1};
  std::vector<float> y = applyEverywhere(Tanh, x);
  for (int i : {0, 1, 2})
    EXPECT_EQ(y[i], 1) << x[i];
  for (int i : {3, 4, 5})
    EXPECT_EQ(y[i], -1) << x[i];
  EXPECT_TRUE(std::isnan(y[6]));
  EXPECT_EQ(y[7], 0);
}
