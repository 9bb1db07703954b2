// Registration of the passes by name.
#include "compiler/passes/Passes.h"
#include "compiler/plan/ApplyPlan.h"

namespace {
using namespace coppice;
#define GEN_PASS_REGISTRATION
#include "compiler/passes/Passes.h.inc"
} // namespace

void coppice::registerPasses() {
  registerCoppicePlanPasses();
  registerCoppiceShrinkPasses();
}
