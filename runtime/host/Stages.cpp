// What a step consists of, for those who measure it.
#include "runtime/host/Model.h"
#include "runtime/host/Records.h"
#include <cstring>

using namespace coppice::runtime;

coppice_status coppice_model_stage(const coppice_model *model, uint32_t stage,
                                   coppice_stage_info *out_stage) {
  if (!model || !out_stage)
    return COPPICE_BAD_ARGUMENT;
  StageReader reader(*model->entry);
  StageRecord record;
  for (uint32_t i = 0; reader.next(record); ++i)
    if (i == stage) {
      *out_stage = {model->entry->kernels()->Get(record.kernel)->name()->c_str(), record.layer};
      return COPPICE_OK;
    }
  return COPPICE_BAD_ARGUMENT;
}

coppice_status coppice_model_work(const coppice_model *model, coppice_work *out_work) {
  if (!model || !out_work)
    return COPPICE_BAD_ARGUMENT;
  const coppice::artifact::Artifact &metadata = *model->artifact.metadata;
  coppice_work work{};
  const uint64_t picks = model->program.picks;
  WeightReader reader(metadata, model->artifact.prefix.weights.bytes);
  for (WeightRecord weight; reader.next(weight);) {
    if (weight.layout == coppice::artifact::WeightLayout::Rows) {
      // A vector, or a table of which a token reads its row.
      work.weight_bytes += weight.rows > 1 ? weight.bytes / weight.rows : weight.bytes;
      continue;
    }
    // Of experts a row reads those that it is sent to.
    work.weight_bytes += weight.bytes / weight.experts * (weight.experts > 1 ? picks : 1);
  }
  // By the stages: one that works on some rows only does not multiply for the others.
  StageReader stages(*model->entry);
  StageRecord stage;
  for (uint32_t i = 0; stages.next(stage); ++i) {
    const char *kernel = model->entry->kernels()->Get(stage.kernel)->name()->c_str();
    bool linear =
        std::strncmp(kernel, "linear_", 7) == 0 || std::strncmp(kernel, "expert_linear_", 14) == 0;
    if (!linear || stage.words <= COPPICE_LINEAR_OUTS)
      continue;
    const uint32_t *args = model->stages[i].args;
    uint64_t products = uint64_t(args[COPPICE_LINEAR_INS]) * args[COPPICE_LINEAR_OUTS];
    bool routed = stage.set == COPPICE_ROWS_ROUTED || stage.set == COPPICE_ROWS_ROUTED_LOGITS;
    bool wanted = stage.set == COPPICE_ROWS_LOGITS || stage.set == COPPICE_ROWS_ROUTED_LOGITS;
    (wanted ? work.logit_products : work.products) += products * (routed ? picks : 1);
  }
  *out_work = work;
  return COPPICE_OK;
}
