// Writes the logits of every token of the prompt as safetensors, step by step, into a file that
// appears when it is whole.
#include "runtime/files/NewFile.h"
#include "tools/coppice-run/Run.h"
#include <algorithm>
#include <atomic>
#include <cstring>
#include <unistd.h>

namespace {

// The file that a signal handler has to remove; set before the file is there, and empty otherwise.
// Several kilobytes so that no lock or allocation is needed to read it.
char partialName[4096];
std::atomic<bool> hasPartial{false};

void setPartial(const char *name) {
  hasPartial = false;
  size_t length = std::strlen(name);
  if (length >= sizeof partialName)
    return;
  std::memcpy(partialName, name, length + 1);
  hasPartial = true;
}
void clearPartial(const char *) { hasPartial = false; }

std::string headerOf(uint64_t tokens, uint64_t vocabulary) {
  std::string rows = std::to_string(tokens), columns = std::to_string(vocabulary);
  std::string split = std::to_string(tokens * vocabulary * 4);
  std::string end = std::to_string(tokens * vocabulary * 4 + tokens * 4);
  std::string json = R"({"logits":{"dtype":"F32","shape":[)" + rows + "," + columns +
                     R"(],"data_offsets":[0,)" + split + R"(]},"tokens":{"dtype":"I32","shape":[)" +
                     rows + R"(],"data_offsets":[)" + split + "," + end + "]}}";
  json.resize((json.size() + 7) / 8 * 8, ' '); // keeps the data aligned
  uint64_t length = json.size();
  return std::string(reinterpret_cast<const char *>(&length), sizeof length) + json;
}

} // namespace

void removePartialFile() {
  if (hasPartial)
    unlink(partialName);
}

bool prefillToFile(Run &run) {
  const std::string &name = run.arguments.logits;
  auto failed = [&](const std::string &why) {
    return report("cannot write '%s': %s", name.c_str(), why.c_str());
  };
  if (coppice::isSameFile(name, run.arguments.file))
    return failed("it is the artifact itself; name another file");
  coppice::NewFile file({setPartial, clearPartial});
  if (std::string why = file.create(name); !why.empty())
    return failed(why);
  uint64_t written = 0;
  auto append = [&](const void *data, size_t bytes) {
    std::string why = file.write(data, bytes, written);
    written += bytes;
    return why.empty() || failed(why);
  };
  uint32_t vocabulary = run.info.vocabulary, rows = coppice_engine_max_rows(run.engine.get());
  if (run.info.largest_step)
    rows = std::min(rows, run.info.largest_step);
  std::string header = headerOf(run.tokens.size(), vocabulary);
  if (!append(header.data(), header.size()))
    return false;
  std::vector<float> logits(size_t(rows) * vocabulary);
  std::vector<coppice_token> step;
  for (size_t at = 0; at < run.tokens.size(); at += step.size()) {
    step.clear();
    for (size_t i = at; i < std::min<size_t>(at + rows, run.tokens.size()); ++i)
      step.push_back({run.session, run.tokens[i], true});
    double start = seconds();
    coppice_status status =
        coppice_engine_step(run.engine.get(), step.data(), step.size(), logits.data());
    run.prefillSeconds += seconds() - start;
    if (status != COPPICE_OK)
      return report("cannot run the prompt: %s", coppice_status_text(status));
    if (!append(logits.data(), step.size() * vocabulary * sizeof(float)))
      return false;
    std::copy_n(logits.end() - vocabulary - long((rows - step.size()) * vocabulary), vocabulary,
                run.logits.begin());
  }
  if (!append(run.tokens.data(), run.tokens.size() * sizeof(int32_t)))
    return false;
  std::string why = file.commit();
  return why.empty() || failed(why);
}
