// Sentences for people; see Failure.h.
#include "runtime/host/Failure.h"
#include <cstdarg>
#include <cstdint>
#include <cstdio>

coppice_status coppice::runtime::fail(coppice_error *error, coppice_status status,
                                      const char *format, ...) {
  if (error) {
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    // Names in a file may hold anything: no line's end, and nothing that a terminal would obey.
    for (char *at = error->message; *at; ++at)
      if (uint8_t(*at) < 0x20 || *at == 0x7f)
        *at = '?';
  }
  return status;
}

extern "C" const char *coppice_status_text(coppice_status status) {
  switch (status) {
  case COPPICE_OK:
    return "no error";
  case COPPICE_BAD_ARGUMENT:
    return "an argument is null, empty or out of its range";
  case COPPICE_BAD_TOKEN:
    return "a token id that the model does not have";
  case COPPICE_CONTEXT_FULL:
    return "a position past the context of the session or the model";
  case COPPICE_BAD_SESSION:
    return "no session, or the session of another model";
  case COPPICE_BUSY:
    return "the engine is in a step already";
  case COPPICE_TOO_SMALL:
    return "the buffer is too small";
  case COPPICE_NO_TOKENIZER:
    return "the artifact has no tokenizer";
  case COPPICE_BAD_TEXT:
    return "text that cannot be encoded";
  case COPPICE_BAD_LOGITS:
    return "no logit is a number";
  case COPPICE_NO_MEMORY:
    return "the system gave no memory or no thread";
  case COPPICE_FILE_ERROR:
    return "the file cannot be opened, read or mapped";
  case COPPICE_BAD_ARTIFACT:
    return "no artifact, or a damaged one";
  case COPPICE_OTHER_VERSION:
    return "an artifact for a runtime of another version";
  case COPPICE_OTHER_MACHINE:
    return "an artifact for a machine with other features";
  case COPPICE_LONG_STEP:
    return "more tokens of one session in a step than fit beside the model's window; take fewer";
  case COPPICE_FORGOTTEN:
    return "a position so far back that the session has forgotten the window before it";
  }
  return "an unknown status";
}
