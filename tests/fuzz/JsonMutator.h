// Mutations of JSON as JSON: what is a document stays one, so that the fuzzer gets behind the
// parser.
#pragma once
#include <cstddef>
#include <cstdint>

extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t maxSize);

namespace coppice::fuzz {

/// Changes the JSON text in `data` in place and returns its new size, at most `maxSize`. A third of
/// the time, and where it is no JSON, its bytes are changed instead. Depends on `seed` and
/// libFuzzer's own random numbers only.
size_t mutateJson(uint8_t *data, size_t size, size_t maxSize, unsigned seed);

} // namespace coppice::fuzz
