/* chips.h - the pattern of the watermark: a grid of chips of +1 or -1, the same in every frame.
 *
 * The grid lies over the frame from its upper left corner. Coordinates are canonical: the frame's shorter side is 256
 * px, a chip 2 px, and the grid repeats after 128 chips. A third of the chips are pilots, known to the reader; each
 * other one carries one of the code's symbols (payload_code.h), so a symbol is spread over the whole frame. */
#ifndef SONIC_WATERMARK_CHIPS_H
#define SONIC_WATERMARK_CHIPS_H

#include <stdint.h>

enum { SONIC_CHIPS = 128, SONIC_CHIP_PX = 2, SONIC_CANONICAL_PX = 256, SONIC_CHIP_PILOT = -1 };

typedef struct sonic_chips {
    float sign[SONIC_CHIPS][SONIC_CHIPS];     /* 1 or -1 */
    int16_t symbol[SONIC_CHIPS][SONIC_CHIPS]; /* index of the symbol that multiplies the sign, or SONIC_CHIP_PILOT */
} sonic_chips;

void sonic_chips_fill(sonic_chips *chips);

#endif
