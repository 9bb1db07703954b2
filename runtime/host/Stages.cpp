// What the stages of a step are, for those who measure them.
#include "runtime/host/Model.h"
#include "runtime/host/Records.h"

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
