/* Private to the tokenizer: Unicode's canonical composition, NFC, as Hugging Face `tokenizers` does
 * it. */
#ifndef COPPICE_CORE_TOKENIZER_NFC_H
#define COPPICE_CORE_TOKENIZER_NFC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that one byte of text becomes at most. */
#define COPPICE_NFC_GROWTH 3

/* Scratch bytes that are enough for any text of |bytes| bytes. */
#define COPPICE_NFC_SCRATCH_BYTES(bytes) (15 * (size_t)(bytes) + 8)

/* The bytes at the beginning of |text|, which must be UTF-8, that NFC surely leaves as they are,
 * whatever follows; |bytes| if that is all of it. */
size_t coppice_nfc_prefix(const uint8_t *text, size_t bytes);

/* Writes the NFC of |text|, which must be UTF-8, to the front of |scratch|, which is aligned to 8
 * and holds nothing else afterwards. Returns its bytes; SIZE_MAX if the scratch is too small. Time
 * is O(n log n). */
size_t coppice_nfc(const uint8_t *text, size_t bytes, void *scratch, size_t scratch_bytes);

#ifdef __cplusplus
}
#endif

#endif /* COPPICE_CORE_TOKENIZER_NFC_H */
