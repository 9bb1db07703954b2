// Constant rows against calculations by hand, and the elementary functions against libm and known
// values.
#include "compiler/artifact/ConstantRow.h"
#include "Fixture.h"
#include <cmath>

using namespace coppice;
using namespace coppice::test;

namespace {
struct ConstantRowTest : ::testing::Test {
  ConstantRowTest() {
    checkpoint.addFloats("w", {2, 3}, {1, 2, 3, 4, 5, 6});
    checkpoint.addFloats("x", {3}, {0.5f, -1, 2});
    checkpoint.addFloats("b", {2}, {10, 20});
    checkpoint.add("h", DType::F16, {2}, [](size_t i) { return i ? 0xbc00u : 0x3800u; }); // .5, -1
  }
  std::vector<double> evaluate(const std::string &body) {
    Graph graph(checkpoint, body);
    auto row = ConstantRows(checkpoint).evaluate(graph.last());
    if (row)
      return *row;
    error = llvm::toString(row.takeError());
    return {};
  }
  MemoryCheckpoint checkpoint;
  std::string error;
};
using Row = std::vector<double>;

// W x + b: 1*.5 - 2 + 6 + 10 = 14.5, 4*.5 - 5 + 12 + 20 = 29.
TEST_F(ConstantRowTest, Linear) {
  EXPECT_EQ(evaluate(R"(%w = lm.weight @w : tensor<2x3xf32>
    %x = lm.weight @x : tensor<3xf32>
    %b = lm.weight @b : tensor<2xf32>
    %y = lm.linear %x, %w bias %b : tensor<3xf32>, tensor<2x3xf32>, tensor<2xf32> -> tensor<2xf32>)"),
            (Row{14.5, 29}));
  EXPECT_EQ(checkpoint.dropped, std::vector<std::string>{"w"});
}

// Lists and transposition: rows <1, 0> of columns <2, 0> of w by x's elements 2 and 0, no bias.
TEST_F(ConstantRowTest, LinearOfSelections) {
  EXPECT_EQ(evaluate(R"(%w = lm.weight @w rows <1, 0> cols <2, 0> : tensor<2x2xf32>
    %x = lm.weight @x rows <2, 0> : tensor<2xf32>
    %y = lm.linear %x, %w : tensor<2xf32>, tensor<2x2xf32> -> tensor<2xf32>)"),
            (Row{6 * 2 + 4 * .5, 3 * 2 + 1 * .5}));
  EXPECT_EQ(evaluate(R"(%w = lm.weight @w rows <2, 0> transposed : tensor<2x2xf32>
    %b = lm.weight @b : tensor<2xf32>
    %y = lm.linear %b, %w : tensor<2xf32>, tensor<2x2xf32> -> tensor<2xf32>)"),
            (Row{3 * 10 + 6 * 20, 1 * 10 + 4 * 20}));
}

// A weight without columns gives the bias.
TEST_F(ConstantRowTest, LinearOfNothing) {
  EXPECT_EQ(evaluate(R"(%w = lm.weight @w cols <> : tensor<2x0xf32>
    %x = lm.weight @x rows <> : tensor<0xf32>
    %b = lm.weight @b : tensor<2xf32>
    %y = lm.linear %x, %w bias %b : tensor<0xf32>, tensor<2x0xf32>, tensor<2xf32> -> tensor<2xf32>)"),
            (Row{10, 20}));
}

// Sums, products, selections and functions, over mixed types and a value read twice.
TEST_F(ConstantRowTest, ElementWise) {
  EXPECT_EQ(evaluate(R"(%b = lm.weight @b : tensor<2xf32>
    %h = lm.weight @h : tensor<2xf16>
    %s = lm.add %b, %h : tensor<2xf32>, tensor<2xf16> -> tensor<2xf32>
    %p = lm.mul %s, %s : tensor<2xf32>, tensor<2xf32> -> tensor<2xf32>
    %q = lm.select %p cols <1, 0> : tensor<2xf32> -> tensor<2xf32>)"),
            (Row{19. * 19, 10.5 * 10.5}));
  EXPECT_EQ(evaluate(R"(%x = lm.weight @x : tensor<3xf32>
    %y = lm.activation relu %x : tensor<3xf32> -> tensor<3xf32>)"),
            (Row{.5, 0, 2}));
}

// What is written is the double result rounded once: 1 + 2^-24 + 2^-40 is above the tie, while
// rounding after each sum would lose it.
TEST_F(ConstantRowTest, RoundsOnce) {
  checkpoint.addFloats("one", {1}, {1});
  checkpoint.addFloats("half_ulp", {1}, {std::ldexp(1.f, -24)});
  checkpoint.addFloats("more", {1}, {std::ldexp(1.f, -40)});
  Graph graph(checkpoint, R"(%a = lm.weight @one : tensor<1xf32>
    %b = lm.weight @half_ulp : tensor<1xf32>
    %c = lm.weight @more : tensor<1xf32>
    %s = lm.add %a, %b : tensor<1xf32>, tensor<1xf32> -> tensor<1xf32>
    %t = lm.add %s, %c : tensor<1xf32>, tensor<1xf32> -> tensor<1xf32>)");
  Streamed got = stream(packed(graph.last(), 1, 1, WeightFormat::F32), checkpoint);
  ASSERT_EQ(got.error, "");
  float value;
  memcpy(&value, got.bytes.data(), 4);
  EXPECT_EQ(value, std::nextafterf(1.f, 2.f));
}

// A chain as long as a very deep model's is evaluated, and every link counts.
TEST_F(ConstantRowTest, LongChains) {
  std::string body = "%v0 = lm.weight @b : tensor<2xf32>\n%b = lm.weight @b : tensor<2xf32>\n";
  for (int i = 1; i <= 5000; ++i)
    body += "%v" + std::to_string(i) + " = lm.add %v" + std::to_string(i - 1) +
            ", %b : tensor<2xf32>, tensor<2xf32> -> tensor<2xf32>\n";
  EXPECT_EQ(evaluate(body), (Row{10 * 5001., 20 * 5001.}));
}

// A tensor that is not finite is named, and so is a result that float32 cannot hold.
TEST_F(ConstantRowTest, Refuses) {
  checkpoint.addFloats("bad", {2}, {1, NAN});
  evaluate(R"(%x = lm.weight @bad : tensor<2xf32>
    %y = lm.activation relu %x : tensor<2xf32> -> tensor<2xf32>)");
  EXPECT_NE(error.find("tensor 'bad': element 1 is not a number"), std::string::npos) << error;
  checkpoint.addFloats("big", {1}, {3e38f});
  Graph graph(checkpoint, R"(%x = lm.weight @big : tensor<1xf32>
    %y = lm.add %x, %x : tensor<1xf32>, tensor<1xf32> -> tensor<1xf32>)");
  std::string refused = stream(packed(graph.last(), 1, 1, WeightFormat::F32), checkpoint).error;
  EXPECT_NE(refused.find("weight 'test' of layer 3: element 0 of the constant that is folded into "
                         "it is beyond the range of f32"),
            std::string::npos)
      << refused;
}

double ulps(double a, double b) {
  return std::fabs(a - b) / (std::nextafter(std::fabs(b), HUGE_VAL) - std::fabs(b));
}

// The exponential and the normal distribution function agree with libm to a few units of the last
// place over the ranges that activations use, and with known values.
TEST(Elementary, MatchesLibm) {
  for (double x = -700; x < 700; x += 0.37)
    EXPECT_LE(ulps(exactExp(x), std::exp(x)), 4) << x;
  EXPECT_EQ(exactExp(0), 1);
  EXPECT_EQ(exactExp(-800), 0);
  EXPECT_EQ(exactExp(800), HUGE_VAL);
  for (double x = -12; x < 12; x += 0.013) {
    double expected = std::erfc(-x * M_SQRT1_2) / 2;
    EXPECT_NEAR(exactNormal(x), expected, 1e-15) << x;
    EXPECT_NEAR(exactNormal(x) / expected, 1, 1e-11) << x;
  }
  EXPECT_NEAR(exactNormal(1.959963984540054), 0.975, 1e-15); // the 97.5 % quantile
}

// The activations at points where they are known, and gelu_tanh close to gelu, as it is meant.
TEST(Elementary, Activations) {
  using Kind = lm::ActivationKind;
  EXPECT_NEAR(activate(Kind::Silu, 1), 0.7310585786300049, 1e-15);
  EXPECT_NEAR(activate(Kind::Gelu, 1), 0.8413447460685429, 1e-15);
  EXPECT_NEAR(activate(Kind::GeluTanh, 1), 0.8411919906082768, 1e-15);
  EXPECT_NEAR(activate(Kind::Gelu, -3), -0.00404969409489031, 1e-15);
  for (Kind kind : {Kind::Relu, Kind::Gelu, Kind::GeluTanh, Kind::Silu}) {
    EXPECT_EQ(activate(kind, 0), 0);
    EXPECT_EQ(activate(kind, 1e30), 1e30);
    EXPECT_EQ(activate(kind, -1e30), 0);
  }
}
} // namespace
