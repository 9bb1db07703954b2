// pack.dot4 on every target against plain integers: where 16-bit sums would saturate above all.
#include "Harness.h"
#include "compiler/codegen/KernelBuilder.h"
#include "compiler/codegen/Lowering.h"

using namespace coppice;
using namespace coppice::test;

namespace {
constexpr size_t kBytes = 64;

/// One dot4 of 16 lanes.
struct Case {
  int32_t acc[16];
  uint8_t codes[kBytes];
  int8_t values[kBytes];
};

std::vector<int32_t> reference(const std::vector<Case> &cases) {
  std::vector<int32_t> sums;
  for (const Case &c : cases)
    for (size_t lane = 0; lane < 16; ++lane) {
      int64_t sum = c.acc[lane];
      for (size_t b = 4 * lane; b < 4 * lane + 4; ++b)
        sum += int64_t(c.codes[b]) * c.values[b];
      sums.push_back(int32_t(uint32_t(sum))); // the sum wraps
    }
  return sums;
}

std::vector<int32_t> generated(const std::string &targetName, unsigned bits,
                               const std::vector<Case> &cases) {
  Target target = llvm::cantFail(resolveTarget(targetName));
  mlir::DialectRegistry registry;
  registerKernelDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
  // The frame is taken for the cases and the arguments for the output.
  KernelBuilder k(*module, "dot4", target);
  k.forRange(k.begin, k.end, 1, [&](mlir::Value i) {
    mlir::Type words = k.lanesOf(k.i32, kLanes);
    mlir::Value from = k.at(k.frame, k.mul(i, k.i64c(sizeof(Case))));
    auto load = [&](int64_t part) { return k.load(words, k.at(from, part * int64_t(kBytes))); };
    k.store(k.dot4(load(0), load(1), load(2), bits), k.at(k.args, k.mul(i, k.i64c(kBytes))));
  });
  k.finish();
  auto object = llvm::cantFail(lowerModule(*module, target, CodeForm::Object));
  Code code(llvm::cantFail(linkImage(object)));
  std::vector<int32_t> results(cases.size() * 16);
  code.kernel("dot4")(reinterpret_cast<const coppice_frame *>(cases.data()),
                      reinterpret_cast<const uint32_t *>(results.data()), 0, cases.size());
  return results;
}

/// Every pair of extreme codes with every pair of extreme values in one lane's bytes, then random
/// ones, with sums that wrap among them.
std::vector<Case> casesOf(unsigned bits) {
  const int most = (1 << bits) - 1;
  const int codes[] = {0, 1, most / 2, most / 2 + 1, most - 1, most};
  const int values[] = {-128, -127, -1, 0, 1, 126, 127};
  const int32_t sums[] = {0, 1, -1, INT32_MAX, INT32_MIN, -128 * 32 * 127};
  std::vector<Case> all;
  Case next;
  size_t lane = 0;
  auto put = [&](int32_t acc, const int(&u)[4], const int(&s)[4]) {
    next.acc[lane] = acc;
    for (size_t b = 0; b < 4; ++b) {
      next.codes[4 * lane + b] = uint8_t(u[b]);
      next.values[4 * lane + b] = int8_t(s[b]);
    }
    if (++lane == 16) {
      all.push_back(next);
      lane = 0;
    }
  };
  unsigned turn = 0;
  for (int u : codes)
    for (int v : codes)
      for (int s : values)
        for (int t : values)
          for (bool crossed : {false, true})
            put(sums[turn++ % 6], {u, v, crossed ? v : u, crossed ? u : v},
                {s, t, crossed ? t : s, crossed ? s : t});
  Random random(18);
  for (int i = 0; i < 1000 || lane; ++i) {
    int u[4], s[4];
    for (int b = 0; b < 4; ++b) {
      u[b] = int(random.below(unsigned(most) + 1));
      s[b] = int(random.below(256)) - 128;
    }
    put(int32_t(random.below(~0u)), u, s);
  }
  return all;
}
} // namespace

// Codes of every width, all signs and extremes of the other side: exact, and the same on each
// target.
TEST(Dot4, IsExactOnEveryTarget) {
  for (unsigned bits = 1; bits <= 8; ++bits) {
    std::vector<Case> cases = casesOf(bits);
    std::vector<int32_t> want = reference(cases);
    for (const std::string &target : runnableTargets())
      EXPECT_EQ(generated(target, bits, cases), want) << target << ", codes of " << bits << " bits";
  }
}
