// How the time of lm's canonicalizers grows with a model.
#include "dialects/lm/LM.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include <gtest/gtest.h>
#include <sys/resource.h>

using namespace mlir;

namespace {

double secondsOfProcessor() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return double(usage.ru_utime.tv_sec) + double(usage.ru_utime.tv_usec) * 1e-6;
}

/// Canonicalizes a function that reads `count` tensors, each with a list of its first rows, and
/// every other one of them whole. Gives the time, and in `kept` the lists that are left.
double canonicalize(int count, int &kept) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<func::FuncDialect, coppice::lm::LMDialect>();
  std::string text, body;
  llvm::raw_string_ostream tensors(text), function(body);
  for (int i = 0; i < count; ++i) {
    tensors << "lm.tensor private @t" << i << " : tensor<4xf32>\n";
    int last = i % 2 ? 3 : 2;
    function << "%w" << i << " = lm.weight @t" << i << " rows <0 to " << last << "> : tensor<"
             << last + 1 << "xf32>\n%s" << i << " = lm.select %w" << i << " cols <0> : tensor<"
             << last + 1 << "xf32> -> tensor<1xf32>\n%x" << i + 1 << " = lm.add %x" << i << ", %s"
             << i << " : tensor<?x1xf32>, tensor<1xf32> -> tensor<?x1xf32>\n";
  }
  tensors << "func.func @f(%x0: tensor<?x1xf32>) -> tensor<?x1xf32> {\n"
          << body << "return %x" << count << " : tensor<?x1xf32>\n}\n";
  auto module = parseSourceString<ModuleOp>(text, &context);
  EXPECT_TRUE(bool(module));
  PassManager manager(&context);
  manager.enableVerifier(false);
  manager.addPass(createCanonicalizerPass());
  double before = secondsOfProcessor();
  EXPECT_TRUE(succeeded(manager.run(*module)));
  double after = secondsOfProcessor();
  kept = 0;
  module->walk([&](coppice::lm::WeightOp weight) { kept += bool(weight.getRowsAttr()); });
  return after - before;
}

// Eight times the weights take about eight times as long: 64 times where each weight looks its
// declaration up alone.
TEST(Canonicalize, TakesTimeLinearInTheWeights) {
  int kept = 0;
  double few = canonicalize(4000, kept);
  EXPECT_EQ(kept, 2000);
  double many = canonicalize(32000, kept);
  EXPECT_EQ(kept, 16000);
  EXPECT_LT(many, 24 * few) << few << " s and " << many << " s";
}

} // namespace
