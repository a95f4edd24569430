#include "watermark/chips.h"

#include "core/random.h"
#include "watermark/payload_code.h"

enum { SEED = 0x50C1, PILOT_EVERY = 3 }; /* fixed: a reader of any version knows the pattern */

void sonic_chips_fill(sonic_chips *chips)
{
    sonic_random random = sonic_random_create(SEED, 0);
    for (int y = 0; y < SONIC_CHIPS; y++)
        for (int x = 0; x < SONIC_CHIPS; x++) {
            const uint32_t bits = sonic_random_u32(&random);
            const uint32_t choice = bits >> 1;
            chips->sign[y][x] = bits & 1 ? 1.0f : -1.0f;
            chips->symbol[y][x] =
                choice % PILOT_EVERY == 0 ? SONIC_CHIP_PILOT : (int16_t)(choice / PILOT_EVERY % SONIC_CODE_SYMBOLS);
        }
}
