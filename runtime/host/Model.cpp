// Opening and closing: map, verify, and map a sealed copy of the code, which is never writable and
// which a change of the file cannot reach.
#include "runtime/host/Model.h"
#include "runtime/host/Records.h"
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coppice::runtime {
namespace {

/// What the system last said; strerror's own buffer is not for several threads.
using SystemText = char[128];
const char *systemError(SystemText &text) { return strerror_r(errno, text, sizeof text); }

coppice_status mapFile(const char *path, coppice_model &model, coppice_error *error) {
  SystemText text;
  // O_NONBLOCK: a pipe that nobody writes to would otherwise keep open() waiting. Reading a regular
  // file does not heed it.
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0)
    return fail(error, COPPICE_FILE_ERROR, "%s: cannot open: %s", path, systemError(text));
  struct stat status;
  const char *problem = nullptr;
  if (fstat(file, &status) != 0)
    problem = systemError(text);
  else if (!S_ISREG(status.st_mode))
    problem = "not a regular file";
  else if (status.st_size == 0)
    problem = "the file is empty";
  void *mapped = MAP_FAILED;
  if (!problem) {
    mapped = mmap(nullptr, size_t(status.st_size), PROT_READ, MAP_PRIVATE, file, 0);
    if (mapped == MAP_FAILED)
      problem = systemError(text);
  }
  close(file);
  if (problem)
    return fail(error, COPPICE_FILE_ERROR, "%s: cannot read: %s", path, problem);
  model.file = static_cast<const uint8_t *>(mapped);
  model.fileBytes = size_t(status.st_size);
  return COPPICE_OK;
}

/// Puts `bytes` bytes into a file without a name that nothing can change any more. -1 on an error.
int sealedCopy(const uint8_t *data, size_t bytes) {
  int file = memfd_create("coppice-code", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (file < 0)
    return -1;
  while (bytes) {
    ssize_t written = write(file, data, bytes);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      break;
    data += written;
    bytes -= size_t(written);
  }
  if (!bytes && fcntl(file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) == 0)
    return file;
  int problem = errno;
  close(file);
  errno = problem;
  return -1;
}

coppice_status mapCode(coppice_model &model, coppice_error *error) {
  size_t bytes = model.entry->code_bytes();
  if (bytes == 0) // an entry point without kernels has no stages either
    return COPPICE_OK;
  SystemText text;
  int file = sealedCopy(model.file + model.artifact.prefix.code.offset + model.entry->code_offset(),
                        bytes);
  if (file < 0)
    return fail(error, COPPICE_NO_MEMORY, "no memory for %zu bytes of code (memfd: %s)", bytes,
                systemError(text));
  void *code = mmap(nullptr, bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
  int problem = errno;
  close(file);
  errno = problem;
  if (code == MAP_FAILED)
    return fail(error, COPPICE_FILE_ERROR,
                "the system does not let memory be executed (mmap: %s); the artifact's code "
                "cannot run here",
                systemError(text));
  model.code = static_cast<uint8_t *>(code);
  model.codeBytes = bytes;
  return COPPICE_OK;
}

/// Null without memory; never null for a count of 0.
template <typename T> T *zeroed(size_t count) {
  return static_cast<T *>(calloc(count ? count : 1, sizeof(T)));
}

/// The core's stages, and their words, from the records. Verified: they are as many as counted.
coppice_status buildProgram(coppice_model &model, coppice_error *error) {
  const artifact::EntryPoint &entry = *model.entry;
  const artifact::Model &facts = *model.artifact.metadata->model();
  StageCounts counts = countStages(entry);
  size_t kernels = entry.kernels()->size();
  model.stages = zeroed<coppice_stage>(counts.stages);
  model.args = zeroed<uint32_t>(counts.words);
  auto *previous = zeroed<uint32_t>(kernels * kMaxArgs);
  if (!model.stages || !model.args || !previous) {
    free(previous);
    return fail(error, COPPICE_NO_MEMORY, "no memory for %u stages", counts.stages);
  }
  StageReader reader(entry, previous);
  uint32_t *args = model.args;
  coppice_stage *next = model.stages;
  for (StageRecord stage; reader.next(stage); args += stage.words) {
    uint8_t *address = model.code + entry.kernels()->Get(stage.kernel)->offset();
    *next++ = {reinterpret_cast<coppice_kernel>(address),
               args,
               stage.count,
               uint16_t(stage.set),
               uint8_t(stage.perRow),
               uint8_t(stage.joined)};
    std::copy(stage.args, stage.args + stage.words, args);
  }
  free(previous);
  model.program.stages = model.stages;
  model.program.stage_count = counts.stages;
  model.program.vocabulary = facts.vocabulary();
  model.program.token_limit = facts.token_limit();
  model.program.context = facts.context();
  model.program.picks = entry.picks();
  model.program.weights = model.file + model.artifact.prefix.weights.offset;
  model.program.arena_bytes_per_row = entry.memory()->arena_bytes_per_row();
  model.program.kv_bytes_per_position = entry.memory()->kv_bytes_per_position();
  if (const artifact::RingPlan *ring = entry.ring()) {
    model.program.ring_bytes_per_position = ring->bytes_per_position();
    model.program.ring_positions = ring->positions();
    model.program.largest_step = ring->largest_step();
  }
  return COPPICE_OK;
}

coppice_status load(const char *path, const coppice_open_options &options, coppice_model &model,
                    coppice_error *error) {
  if (coppice_status status = mapFile(path, model, error))
    return status;
  coppice_error reason{};
  coppice_status status = verifyArtifact(model.file, model.fileBytes, options.skip_weight_check,
                                         model.artifact, &reason);
  if (status == COPPICE_OK) {
    model.entry = chooseEntryPoint(*model.artifact.metadata, options.target, &reason);
    status = model.entry ? mapCode(model, &reason) : COPPICE_OTHER_MACHINE;
  }
  if (status == COPPICE_OK)
    status = buildProgram(model, &reason);
  if (status == COPPICE_OK)
    status = openTokenizer(model, &reason);
  return status ? fail(error, status, "%s: %s", path, reason.message) : COPPICE_OK;
}

} // namespace

void retain(coppice_model *model) { model->owners.fetch_add(1, std::memory_order_relaxed); }

void release(coppice_model *model) {
  if (model->owners.fetch_sub(1, std::memory_order_acq_rel) != 1)
    return;
  free(model->stages);
  free(model->args);
  if (model->code)
    munmap(model->code, model->codeBytes);
  if (model->file)
    munmap(const_cast<uint8_t *>(model->file), model->fileBytes);
  model->~coppice_model();
  free(model);
}

} // namespace coppice::runtime

using namespace coppice::runtime;

coppice_status coppice_model_open(const char *path, const coppice_open_options *options,
                                  coppice_model **out_model, coppice_error *error) {
  if (!path || !out_model)
    return fail(error, COPPICE_BAD_ARGUMENT, "coppice_model_open: path or out_model is null");
  void *memory = malloc(sizeof(coppice_model));
  if (!memory)
    return fail(error, COPPICE_NO_MEMORY, "no memory for a model");
  auto *model = new (memory) coppice_model();
  if (coppice_status status =
          load(path, options ? *options : coppice_open_options{}, *model, error)) {
    release(model);
    return status;
  }
  *out_model = model;
  return COPPICE_OK;
}

void coppice_model_close(coppice_model *model) {
  if (model)
    release(model);
}

coppice_status coppice_model_info(const coppice_model *model, coppice_info *out_info) {
  if (!model || !out_info)
    return COPPICE_BAD_ARGUMENT;
  const coppice::artifact::Artifact &metadata = *model->artifact.metadata;
  const coppice::artifact::Model &facts = *metadata.model();
  coppice_info info{};
  info.family = facts.family()->c_str();
  info.target = model->entry->target()->c_str();
  info.vocabulary = facts.vocabulary();
  info.token_limit = facts.token_limit();
  info.context = facts.context();
  info.layers = facts.layers()->size();
  info.parameters = facts.parameters();
  info.parameters_before = facts.parameters_before();
  info.active_parameters = facts.active_parameters();
  info.file_bytes = model->fileBytes;
  info.code_bytes = model->codeBytes;
  info.weight_bytes = model->artifact.prefix.weights.bytes;
  info.kv_bytes_per_position = model->program.kv_bytes_per_position;
  info.ring_bytes_per_position = model->program.ring_bytes_per_position;
  info.ring_positions = model->program.ring_positions;
  info.largest_step = model->program.largest_step;
  info.arena_bytes_per_row = model->program.arena_bytes_per_row;
  info.stages = model->program.stage_count;
  info.has_tokenizer = model->hasTokenizer;
  *out_info = info;
  return COPPICE_OK;
}

bool coppice_is_stop_token(const coppice_model *model, int32_t token) {
  if (!model)
    return false;
  if (const auto *stops = model->artifact.metadata->model()->stop_tokens())
    for (int32_t stop : *stops)
      if (stop == token)
        return true;
  return false;
}
