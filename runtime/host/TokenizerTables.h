// The tokenizer of an artifact: verified FlatBuffer in, core tokenizer out.
#pragma once
#include "coppice/status.h"
#include "runtime/core/tokenizer.h"

namespace coppice::runtime {

/// Verifies `data` as a FlatBuffer of tokenizer.fbs, then everything in it, and makes a tokenizer
/// that points into it: `data` must be aligned to 16 bytes and outlive the tokenizer.
/// COPPICE_BAD_ARTIFACT if anything in it is wrong.
COPPICE_MUST_USE coppice_status readTokenizer(const void *data, size_t bytes,
                                              coppice_tokenizer &tokenizer);

} // namespace coppice::runtime
