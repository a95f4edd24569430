/* fuzz.h - what the fuzz targets share. libFuzzer calls sonic_fuzz_one with bytes of its own making, millions of times
 * (tools/fuzz.sh). */
#ifndef SONIC_FUZZ_FUZZ_H
#define SONIC_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* libFuzzer's own names. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A promise of the header under test; breaking it ends the run like an error that the sanitizers see. */
#define SONIC_FUZZ_EXPECT(condition)                                                                                   \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

#endif
