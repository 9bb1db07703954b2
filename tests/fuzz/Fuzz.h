// What every fuzz target shares: a check that stays on, an exact-size buffer.
//
// A target proves that no input makes the code under test crash, hang, read outside its buffers or
// break a property that the target checks. That an input is refused is a success like any other.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

/// Ends the run with what is wrong; libFuzzer keeps the input.
#define FUZZ_CHECK(condition)                                                                      \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);               \
      abort();                                                                                     \
    }                                                                                              \
  } while (false)

namespace coppice::fuzz {

/// A copy of `bytes` bytes in an allocation of just that size, so that ASan sees a byte too many;
/// aligned to 64, as artifacts are.
struct ExactCopy {
  ExactCopy(const void *data, size_t bytes) {
    // aligned_alloc wants a multiple of the alignment, which would hide what is read past the end.
    void *memory = nullptr;
    if (posix_memalign(&memory, 64, bytes ? bytes : 1) != 0)
      abort();
    begin.reset(static_cast<uint8_t *>(memory));
    if (bytes)
      memcpy(memory, data, bytes);
  }
  struct Free {
    void operator()(uint8_t *memory) const { free(memory); }
  };
  std::unique_ptr<uint8_t, Free> begin;
  const uint8_t *get() const { return begin.get(); }
};

} // namespace coppice::fuzz
