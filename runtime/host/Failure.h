// How the host part says what went wrong: a status, and one sentence for people.
#pragma once
#include "coppice/coppice.h"

namespace coppice::runtime {

/// Formats the sentence into `error`, which may be null, and returns `status`. A sentence too long
/// for it is cut.
[[gnu::format(printf, 3, 4)]] coppice_status fail(coppice_error *error, coppice_status status,
                                                  const char *format, ...);

} // namespace coppice::runtime
