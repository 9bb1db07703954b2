// Which of an artifact's entry points this machine runs, and if none, why not: a sentence that says
// for each what is missing.
#include "runtime/host/Features.h"
#include "runtime/host/Verify.h"
#include "runtime/schema/artifact_generated.h"
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace coppice::runtime {
namespace {

/// A sentence that is cut where its buffer ends.
class Sentence {
public:
  [[gnu::format(printf, 2, 3)]] void add(const char *format, ...) {
    va_list args;
    va_start(args, format);
    int wanted = std::vsnprintf(text + used, sizeof text - used, format, args);
    va_end(args);
    used = std::min(used + size_t(std::max(wanted, 0)), sizeof text - 1);
  }
  const char *c_str() const { return text; }

private:
  char text[384] = ""; // leaves the error's buffer room for a path and what can be done
  size_t used = 0;
};

bool runsHere(const artifact::EntryPoint &entry) {
  if (entry.features())
    for (const flatbuffers::String *feature : *entry.features())
      if (!hasFeature(feature->c_str()))
        return false;
  return true;
}

void addMissing(Sentence &sentence, const artifact::EntryPoint &entry) {
  const char *separator = "";
  for (const flatbuffers::String *feature : *entry.features()) {
    if (hasFeature(feature->c_str()))
      continue;
    sentence.add("%s%.64s", separator, feature->c_str());
    separator = ", ";
  }
}

void addTargets(Sentence &sentence, const artifact::Artifact &metadata) {
  const char *separator = "";
  for (const artifact::EntryPoint *entry : *metadata.entry_points()) {
    sentence.add("%s%.64s", separator, entry->target()->c_str());
    separator = ", ";
  }
}

} // namespace

const artifact::EntryPoint *chooseEntryPoint(const artifact::Artifact &metadata, const char *target,
                                             coppice_error *error) {
  const artifact::EntryPoint *best = nullptr, *named = nullptr;
  for (const artifact::EntryPoint *entry : *metadata.entry_points()) {
    if (target && std::strcmp(target, entry->target()->c_str()) != 0)
      continue;
    named = entry;
    if (runsHere(*entry) && (!best || entry->rank() > best->rank()))
      best = entry;
  }
  if (best)
    return best;
  Sentence why;
  if (!named) {
    addTargets(why, metadata);
    fail(error, COPPICE_OTHER_MACHINE, "the artifact has no code for %.64s; it has code for %s",
         target, why.c_str());
  } else if (target || metadata.entry_points()->size() == 1) {
    addMissing(why, *named);
    fail(error, COPPICE_OTHER_MACHINE,
         "the artifact is compiled for %.64s, and this machine lacks %s; compile it with a "
         "--target that this machine has",
         named->target()->c_str(), why.c_str());
  } else {
    const char *separator = "";
    for (const artifact::EntryPoint *entry : *metadata.entry_points()) {
      why.add("%sfor %.64s this machine lacks ", separator, entry->target()->c_str());
      addMissing(why, *entry);
      separator = "; ";
    }
    fail(error, COPPICE_OTHER_MACHINE,
         "none of the artifact's code runs here: %s; compile it with a --target that this machine "
         "has",
         why.c_str());
  }
  return nullptr;
}

} // namespace coppice::runtime
