/* payload_code.h - 32 bits as 224 code symbols, and back from soft values.
 *
 * The payload is followed by a CRC-16 (polynomial 0x1021, start 0xFFFF: CRC-16/IBM-3740) and 8 zeros that end the
 * trellis. The convolutional code has constraint length 9 and rate 1/4, generators 0765, 0671, 0513, 0473 (octal),
 * those of cdma2000 (3GPP2 C.S0002, 2.1.3.1.4); decoding is Viterbi's with soft decisions (A. Viterbi, IEEE Trans.
 * Information Theory 13, 1967). */
#ifndef SONIC_WATERMARK_PAYLOAD_CODE_H
#define SONIC_WATERMARK_PAYLOAD_CODE_H

#include <stdbool.h>
#include <stdint.h>

enum { SONIC_PAYLOAD_BITS = 48, SONIC_PAYLOAD_STEPS = 56, SONIC_CODE_RATE = 4, SONIC_CODE_SYMBOLS = 224 };

/* Symbols are 1 for a 0 and -1 for a 1. */
void sonic_payload_encode(float symbols[SONIC_CODE_SYMBOLS], uint32_t payload);

/* The likeliest payload of symbols with noise; false when its checksum is wrong. */
bool sonic_payload_decode(uint32_t *payload, const float symbols[SONIC_CODE_SYMBOLS]);

#endif
