/* drawn.h - signs that the structure of an image is drawn: flat areas, repeated blocks, periods.
 *
 * Block edges alone are no evidence of compression where a design has edges at regular distances itself: tiles, text
 * lines, screentones, checkers. Photographs, compressed or not, have neither exactly flat pixels beside edges nor equal
 * blocks. */
#ifndef SONIC_GATE_DRAWN_H
#define SONIC_GATE_DRAWN_H

#include "core/plane.h"

typedef struct sonic_drawn {
    int32_t blocks; /* of 8 x 8 pixels that were read: with contrast and without clipped levels */
    float flat;     /* share of their pixels that equal the next ones to the right and below */
    float repeated; /* share of them that equal an earlier one */
    float
        periodic; /* how far the correlation of steps along rows or columns rises again, 4 to 67 pixels further, 0..2 */
} sonic_drawn;

/* grid_offset: of the blocks. */
void sonic_drawn_measure(sonic_drawn *out, const sonic_plane *luma, int32_t grid_offset);

#endif
