// What the tools do when a signal ends them: nothing half-written stays behind, and a file that
// shrinks while it is mapped is an error in the input, not a crash.
#pragma once

namespace coppice::tools {

/// If standard input, output or error is closed, its number is taken, so that no file that is
/// opened later gets it and has messages written into it. Results written there fail, messages are
/// lost.
void keepStandardNumbers();

/// From here on, SIGBUS from a mapped file prints one error that names the file, calls `cleanUp`
/// and exits with 1; writing past a file-size limit fails instead of killing. `cleanUp` removes
/// what is half-written; it may be null, must be async-signal-safe, and may run on any thread.
void handleLostFiles(void (*cleanUp)());

/// From here on, SIGINT, SIGTERM and SIGHUP call `cleanUp` before they end the process. A signal
/// that is ignored stays ignored.
void cleanUpOnInterrupt(void (*cleanUp)());

} // namespace coppice::tools
