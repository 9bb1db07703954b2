// Polynomials here are least-maximum fits at Chebyshev nodes in 40 digits (mpmath.chebyfit), of the
// functions and intervals named beside each, then rounded to the type that evaluates them.
#include "compiler/codegen/Math.h"

using namespace coppice;
using namespace mlir;

/// coefficients[0] + x * (coefficients[1] + x * ...), Horner with fma.
static Value polynomial(KernelBuilder &k, Value x, ArrayRef<double> coefficients) {
  Value sum = k.constant(x.getType(), coefficients.back());
  for (double c : llvm::reverse(coefficients.drop_back()))
    sum = k.fma(sum, x, k.constant(x.getType(), c));
  return sum;
}

static Value lessThan(KernelBuilder &k, Value a, Value b) {
  return k.create<arith::CmpFOp>(arith::CmpFPredicate::OLT, a, b);
}

/// e^x as mantissa * 2^n, x within the floats' exponents. The second is the integer n + 0x4b400000.
static std::pair<Value, Value> splitExp(KernelBuilder &k, Value x) {
  auto c = [&](double value) { return k.constant(x.getType(), value); };
  // x = n ln 2 + r. Adding 1.5 * 2^23 leaves the rounded n in the low bits of the sum, so that no
  // conversion to integer is needed, which would be undefined for NaN.
  Value magic = c(12582912.0);
  Value shifted = k.fma(x, c(1.4426950408889634), magic);
  Value n = k.sub(shifted, magic);
  Value r = k.fma(n, c(-0.693115234375), x); // ln 2 with 12 low bits clear: n times it is exact
  r = k.fma(n, c(-3.1946184945309417e-5), r);
  // (e^r - 1 - r) / r^2 on |r| <= ln 2 / 2, error 8e-9 of e^r.
  Value q = polynomial(k, r,
                       {0.5, 0.166665770255979882, 0.041666554662050534, 0.0083631730745137109,
                        0.00139261761199355789});
  Value mantissa = k.add(c(1), k.fma(k.mul(r, r), q, r));
  return {mantissa, k.bitcast(k.like(k.i32, x), shifted)};
}

Value math::exp(KernelBuilder &k, Value x) {
  Type type = x.getType(), ints = k.like(k.i32, x);
  auto c = [&](double value) { return k.constant(type, value); };
  // Beyond these the result is 0 or +inf anyway. A NaN passes both comparisons unchanged.
  x = k.select(lessThan(k, x, c(-105)), c(-105), x);
  x = k.select(lessThan(k, c(89), x), c(89), x);
  auto [mantissa, shifted] = splitExp(k, x);
  // 2^n in two factors: n alone leaves the range of exponents at both ends.
  Value exponent = k.sub(shifted, k.intConstant(ints, 0x4b400000));
  Value half = k.create<arith::ShRSIOp>(exponent, k.intConstant(ints, 1));
  auto powerOfTwo = [&](Value e) {
    Value biased = k.add(e, k.intConstant(ints, 127));
    return k.bitcast(type, k.create<arith::ShLIOp>(biased, k.intConstant(ints, 23)));
  };
  return k.mul(k.mul(mantissa, powerOfTwo(half)), powerOfTwo(k.sub(exponent, half)));
}

Value math::expOfNegative(KernelBuilder &k, Value x) {
  Type type = x.getType(), ints = k.like(k.i32, x);
  auto [mantissa, shifted] = splitExp(k, x);
  // 0x4b400000 shifted left by 23 is 0: what is left is n as an exponent.
  Value exponent = k.create<arith::ShLIOp>(shifted, k.intConstant(ints, 23));
  Value power = k.bitcast(type, k.add(exponent, k.intConstant(ints, 0x3f800000)));
  Value result = k.mul(mantissa, power);
  return k.select(lessThan(k, x, k.constant(type, -87)), k.constant(type, 0), result);
}

math::SinCos math::sinCos(KernelBuilder &k, Value angle) {
  Type type = k.like(k.f64, angle), ints = k.like(k.i64, angle);
  auto c = [&](double value) { return k.constant(type, value); };
  Value x = k.create<arith::ExtFOp>(type, angle);
  // x = n pi/2 + r with pi/2 in two parts. The first fma is exact: its result is a multiple of
  // 2^-52 below 1.
  Value magic = c(0x1.8p52);
  Value shifted = k.fma(x, c(0x1.45f306dc9c883p-1), magic);
  Value n = k.sub(shifted, magic);
  Value r = k.fma(n, c(-0x1.921fb54442d18p+0), x);
  r = k.fma(n, c(-0x1.1a62633145c07p-54), r);
  Value z = k.mul(r, r);
  // (sin r / r - 1) / r^2 and (cos r - 1 + r^2 / 2) / r^4 in r^2, |r| <= pi/4, errors 2e-11, 1e-12.
  Value s = polynomial(k, z,
                       {-0.16666666663854167, 0.00833333187427371367, -0.000198400864995935981,
                        2.72498952306116781e-6});
  Value co = polynomial(k, z,
                        {0.0416666666643202666, -0.00138888876716525039, 0.0000248006001803638087,
                         -2.73009336872129431e-7});
  Value sine = k.fma(k.mul(r, z), s, r);
  Value cosine = k.fma(k.mul(z, z), co, k.fma(z, c(-0.5), c(1)));

  Value quadrant = k.bitcast(ints, shifted); // in the two low bits
  auto bit = [&](Value word, int64_t mask) {
    Value masked = k.create<arith::AndIOp>(word, k.intConstant(ints, mask));
    return k.create<arith::CmpIOp>(arith::CmpIPredicate::ne, masked, k.intConstant(ints, 0));
  };
  auto finish = [&](Value magnitude, Value negative) -> Value {
    Value sign = k.select(negative, k.create<arith::NegFOp>(magnitude), magnitude);
    return k.create<arith::TruncFOp>(angle.getType(), sign);
  };
  Value odd = bit(quadrant, 1);
  Value next = k.add(quadrant, k.intConstant(ints, 1));
  return {finish(k.select(odd, cosine, sine), bit(quadrant, 2)),
          finish(k.select(odd, sine, cosine), bit(next, 2))};
}

Value math::gelu(KernelBuilder &k, Value x) {
  Type type = x.getType();
  auto c = [&](double value) { return k.constant(type, value); };
  // The upper tail of the normal distribution is erfc(t) / 2, t = |x| / sqrt 2, and erfc(t) is
  // e^(-t R(t)): one smooth R for all t, and a small relative error where the tail is tiny.
  Value negative = lessThan(k, x, c(0));
  Value t = k.mul(k.select(negative, k.create<arith::NegFOp>(x), x), c(0.70710678118654752));
  Value beyond = lessThan(k, c(4), t); // there the tail is below 8e-9: nothing
  t = k.select(beyond, c(4), t);
  // -log(erfc t) / t on [0, 4], error 5e-8 of erfc.
  Value ratio = polynomial(k, t,
                           {1.12837938878147589, 0.636608727111567353, 0.102862050045314534,
                            -0.0194026223350782913, 0.00019481944435194016, 0.00140376056287888144,
                            -0.000535475242395426351, 0.000105540704359640952,
                            -0.0000113129826865598568, 5.20005029962860862e-7});
  Value tail = k.mul(exp(k, k.create<arith::NegFOp>(k.mul(t, ratio))), c(0.5));
  tail = k.select(beyond, c(0), tail);
  return k.mul(x, k.select(negative, tail, k.sub(c(1), tail)));
}

/// x / (1 + e^y).
static Value overOnePlusExp(KernelBuilder &k, Value x, Value y) {
  return k.div(x, k.add(math::exp(k, y), k.constant(x.getType(), 1)));
}

Value math::geluTanh(KernelBuilder &k, Value x) {
  auto c = [&](double value) { return k.constant(x.getType(), value); };
  // -2u = -2 sqrt(2/pi) (x + 0.044715 x^3)
  Value inner = k.fma(k.mul(x, x), c(0.044715), c(1));
  return overOnePlusExp(k, x, k.mul(k.mul(x, c(-1.5957691216057308)), inner));
}

Value math::tanh(KernelBuilder &k, Value x) {
  auto c = [&](double value) { return k.constant(x.getType(), value); };
  Value negative = lessThan(k, x, c(0));
  Value size = k.select(negative, k.create<arith::NegFOp>(x), x);
  // (tanh u / u - 1) / u^2 in u^2 below 0.625, error 5e-10; above it 1 - 2 / (1 + e^2u) loses
  // nothing.
  Value z = k.mul(x, x);
  Value inner = polynomial(k, z,
                           {-0.3333333317214036, 0.1333330355691574, -0.053959259577204544,
                            0.02176891865102821, -0.008343945515839153, 0.002292744816178142});
  Value near = k.fma(k.mul(x, z), inner, x);
  Value power = exp(k, k.mul(size, c(2)));
  Value far = k.sub(c(1), k.div(c(2), k.add(power, c(1))));
  far = k.select(negative, k.create<arith::NegFOp>(far), far);
  return k.select(lessThan(k, size, c(0.625)), near, far);
}

Value math::silu(KernelBuilder &k, Value x) {
  return overOnePlusExp(k, x, k.create<arith::NegFOp>(x));
}

Value math::relu(KernelBuilder &k, Value x) {
  Value zero = k.constant(x.getType(), 0);
  return k.select(lessThan(k, x, zero), zero, x);
}
