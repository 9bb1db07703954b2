// What coppice-bench is doing, on a terminal: one line of standard error that is drawn again and
// again.
#pragma once

/// Draws the line, printf-like, unless it says so already. Nothing where standard error is no
/// terminal. Not to be called within what is timed.
[[gnu::format(printf, 1, 2)]] void showProgress(const char *format, ...);

/// Wipes it, if it is there: before anything else is printed.
void clearProgress();
