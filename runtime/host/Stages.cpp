// What a step consists of, for those who measure it.
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
    uint64_t read = weight.experts > 1 ? picks : 1;
    work.weight_bytes += weight.bytes / weight.experts * read;
    bool head = weight.layer < 0 && weight.rows == model->program.vocabulary;
    (head ? work.logit_products : work.products) += uint64_t(weight.rows) * weight.cols * read;
  }
  *out_work = work;
  return COPPICE_OK;
}
