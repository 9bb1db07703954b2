/* The core's NFC a second time, under another name and with its steps counted. */
#include <stddef.h>

size_t counted_nfc_steps;
#define COPPICE_NFC_STEP() (++counted_nfc_steps)
#define coppice_nfc counted_nfc
#define coppice_nfc_prefix counted_nfc_prefix
#include "runtime/core/tokenizer_nfc.c"
