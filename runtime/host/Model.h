// A mapped artifact with the program to run. Shared by its creator and its engines; the last one to
// let go unmaps it.
#pragma once
#include "runtime/core/program.h"
#include "runtime/core/tokenizer.h"
#include "runtime/host/Verify.h"
#include <atomic>

struct coppice_model {
  std::atomic<uint32_t> owners{1};
  const uint8_t *file = nullptr; // the whole file, read-only
  size_t fileBytes = 0;
  uint8_t *code = nullptr; // the entry point's code segment, read and execute
  size_t codeBytes = 0;
  coppice_stage *stages = nullptr;
  uint32_t *args = nullptr; // of all stages, one after the other
  coppice::runtime::VerifiedArtifact artifact{};
  const coppice::artifact::EntryPoint *entry = nullptr;
  coppice_program program{};
  bool hasTokenizer = false;
  coppice_tokenizer tokenizer{}; // if so; points into the file
};

namespace coppice::runtime {

/// Verifies the tokenizer's tables, if there are any, and makes the model's tokenizer of them.
coppice_status openTokenizer(coppice_model &model, coppice_error *error);

void retain(coppice_model *model);
void release(coppice_model *model);

} // namespace coppice::runtime
