// Verification of an artifact in memory: nothing of it is used before this has looked at it.
#pragma once
#include "coppice/artifact_prefix.h"
#include "runtime/host/Failure.h"

namespace coppice::artifact {
struct Artifact;
struct EntryPoint;
} // namespace coppice::artifact

namespace coppice::runtime {

struct VerifiedArtifact {
  coppice_prefix prefix;
  const artifact::Artifact *metadata; // points into the file
};

/// Checks every number of `file` (`bytes` bytes, 64-byte aligned, mapped or read) that anyone will
/// rely on, and both checksums; with `skipWeights` not that of the weights. Takes time linear in
/// `bytes`, allocates nothing, and reads nothing outside. The tokenizer's tables are its own
/// matter: only their checksum is checked here.
coppice_status verifyArtifact(const uint8_t *file, size_t bytes, bool skipWeights,
                              VerifiedArtifact &out, coppice_error *error);

/// Of the entry points that this machine can run the one of the highest rank; with `target`, that
/// of this name. Null with an error if there is none, which says what the machine lacks for each.
const artifact::EntryPoint *chooseEntryPoint(const artifact::Artifact &metadata, const char *target,
                                             coppice_error *error);

} // namespace coppice::runtime
