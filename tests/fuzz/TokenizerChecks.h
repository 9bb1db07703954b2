// What must hold of any tokenizer that the runtime accepts, whatever its tables say.
#pragma once
#include "runtime/core/tokenizer.h"
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace coppice::fuzz {

/// Encodes `bytes` bytes of text (any bytes) and checks the protocol: the promised scratch is
/// enough, a call without room counts what a call with room gives, ids are in range. Returns the
/// ids; none for text that is refused.
std::vector<int32_t> checkedEncode(const coppice_tokenizer &tokenizer, const uint8_t *text,
                                   size_t bytes, uint32_t flags);

/// Decodes `ids` (any numbers) as a whole and as a stream, which must agree, in whole characters.
std::string checkedDecode(const coppice_tokenizer &tokenizer, const std::vector<int32_t> &ids,
                          uint32_t flags);

/// Both over some texts that look for trouble: every flag, ids below and above the range.
void exercise(const coppice_tokenizer &tokenizer);

} // namespace coppice::fuzz
