/* What a call of the runtime comes back with. */
#ifndef COPPICE_STATUS_H
#define COPPICE_STATUS_H

#if defined(__GNUC__)
#define COPPICE_MUST_USE __attribute__((warn_unused_result))
#else
#define COPPICE_MUST_USE
#endif

typedef enum coppice_status {
  COPPICE_OK = 0,
  COPPICE_BAD_ARGUMENT,  /* a null pointer, an empty list, a size or setting out of range */
  COPPICE_BAD_TOKEN,     /* a token id that the model does not have */
  COPPICE_CONTEXT_FULL,  /* a position past the session's or the model's context */
  COPPICE_BAD_SESSION,   /* memory that holds no session, or the session of another model */
  COPPICE_BUSY,          /* the engine is already in a step, on another thread */
  COPPICE_TOO_SMALL,     /* the caller's buffer is too small */
  COPPICE_NO_TOKENIZER,  /* the artifact was compiled without one */
  COPPICE_BAD_TEXT,      /* text that cannot be encoded */
  COPPICE_BAD_LOGITS,    /* no logit is a number */
  COPPICE_NO_MEMORY,     /* the system gave no memory or no thread */
  COPPICE_FILE_ERROR,    /* the file cannot be opened, read or mapped */
  COPPICE_BAD_ARTIFACT,  /* the file is no artifact, or it is damaged */
  COPPICE_OTHER_VERSION, /* an artifact that a runtime of another version reads */
  COPPICE_OTHER_MACHINE, /* compiled for features that this machine lacks */
  COPPICE_LONG_STEP,     /* more tokens of one session in a step than its rings have room for */
  COPPICE_FORGOTTEN      /* a position that the session's rings cannot go back to any more */
} coppice_status;

#endif /* COPPICE_STATUS_H */
