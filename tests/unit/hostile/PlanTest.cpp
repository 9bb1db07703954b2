// Plans with every bit flipped, every number wrong, cut anywhere, nested without end.
#include "compiler/import/Import.h"
#include "compiler/plan/ApplyPlan.h"
#include "mlir/IR/MLIRContext.h"
#include "tests/unit/hostile/Support.h"
#include <sys/resource.h>

using namespace coppice;
using namespace coppice::hostile;

namespace {
class PlanSweep : public testing::Test {
protected:
  PlanSweep() {
    Bytes bytes = readTestFile("golden/models/llama-gqa/plan-a.json");
    text.assign(bytes.begin(), bytes.end());
    const char *folder = COPPICE_TESTS "/models/llama-gqa";
    checkpoint = llvm::cantFail(Checkpoint::open(folder));
    model = llvm::cantFail(importModel(folder, checkpoint.get(), context)).module;
  }

  /// Parses and applies.
  llvm::Error tryPlan(llvm::StringRef plan) {
    auto parsed = parsePlan(plan, "plan.json");
    if (!parsed)
      return parsed.takeError();
    mlir::OwningOpRef<mlir::ModuleOp> copy(model->clone());
    return applyPlan(*copy, *parsed);
  }

  mlir::MLIRContext context;
  std::string text;
  std::unique_ptr<Checkpoint> checkpoint;
  mlir::OwningOpRef<mlir::ModuleOp> model;
};
} // namespace

// Any bit flipped: refused with the file's name, or another sound plan.
TEST_F(PlanSweep, EveryBit) {
  Tally tally("bit flips");
  ASSERT_FALSE(bool(tryPlan(text)));
  std::string changed = text;
  for (size_t bit = 0; bit < text.size() * 8; ++bit) {
    changed[bit / 8] = char(changed[bit / 8] ^ 1 << bit % 8);
    tally.either(tryPlan(Fenced(asBytes(changed)).text()), "plan.json");
    changed[bit / 8] = text[bit / 8];
  }
}

// Every number replaced by one that is negative, one past what there is, beyond int32 or int64, a
// fraction, or no number: refused, and ranges of any length take no memory.
TEST_F(PlanSweep, EveryNumber) {
  Tally tally("numbers");
  rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  for (size_t i = 0; i < text.size(); ++i) {
    if (!llvm::isDigit(text[i]) || llvm::isDigit(text[i - 1]))
      continue;
    size_t end = llvm::StringRef(text).find_if_not(llvm::isDigit, i);
    bool inString = text[i - 1] == '"' || text[end] == '"';
    for (const char *lie : {"-1", "37", "999", "2147483646", "2147483647", "2147483648",
                            "4294967296", "9223372036854775807", "9223372036854775808",
                            "18446744073709551616", "1e3", "0.5", "\"\"", "[]", "null"}) {
      if (inString && (*lie == '"' || *lie == '['))
        continue; // would only close the string
      tally.mustRefuse(tryPlan(text.substr(0, i) + lie + text.substr(end)),
                       text.substr(i, end - i) + " as " + lie, "plan.json");
    }
    i = end;
  }
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 100000) << "kilobytes";
}

// Cut at every place, and 100,000 levels deep.
TEST_F(PlanSweep, CutAnywhereAndNestedWithoutEnd) {
  Tally tally("cuts");
  size_t end = llvm::StringRef(text).rtrim().size();
  for (size_t length = 0; length < end; ++length)
    tally.mustRefuse(tryPlan(Fenced(asBytes(text.substr(0, length))).text()),
                     "cut at " + std::to_string(length), "plan.json");
  std::string deep(100000, '[');
  tally.mustRefuse(tryPlan(deep), "lists", "nested deeper than 64");
  tally.mustRefuse(tryPlan(replaced(text, "0", deep)), "lists in it", "nested deeper than 64");
}
