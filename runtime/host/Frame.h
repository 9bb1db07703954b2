// What a step works on, for those who watch it from inside the project (calibration); no part of
// the interface.
#pragma once
#include "coppice/coppice.h"
#include "coppice/kernel_abi.h"

namespace coppice::runtime {

/// The engine's frame. Its contents mean something during a watched step only, on the thread that
/// takes it; then what a stage has made lies where the stage's arguments say.
const coppice_frame &frameOf(const coppice_engine &engine);

} // namespace coppice::runtime
