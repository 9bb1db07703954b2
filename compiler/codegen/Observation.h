// Where calibration finds what it looks at while a step runs. No part of an artifact.
#pragma once
#include <cstdint>
#include <string>

namespace coppice {

/// Rows that lie whole in the arena when a stage is done: a pack.observe.
struct Observation {
  std::string name;
  uint32_t stage = 0; // of the program's
  uint32_t place = 0; // arena offset in 64 bytes a row, as kernel_abi.h says
  uint32_t width = 0; // of a row, in floats
  uint32_t set = 0;   // COPPICE_ROWS_ALL, COPPICE_ROWS_LOGITS, or a routed set:
  // then it is of the rows of one expert, which the groups at another arena offset tell.
  uint32_t expert = 0, groups = 0;
};

} // namespace coppice
