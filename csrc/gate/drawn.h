/* drawn.h - signs that the structure of an image is drawn: flat areas, repeated blocks, periods.
 *
 * Block edges alone are no evidence of compression where a design has edges at regular distances itself: tiles, text
 * lines, screentones, checkers. Photographs, compressed or not, have neither exactly flat pixels beside edges nor equal
 * sharp blocks. That holds inside the blocks: a coarse table leaves most of them flat, with steps between them. So only
 * the inside of the blocks is read, and where the image was resized since, that of the resized blocks. */
#ifndef SONIC_GATE_DRAWN_H
#define SONIC_GATE_DRAWN_H

#include "core/plane.h"

/* A grid of blocks, pixels of the image. */
typedef struct sonic_drawn_grid {
    double period_x_px, period_y_px; /* at least 4 */
    double edge_x_px, edge_y_px;     /* of the first block, 0 .. period */
} sonic_drawn_grid;

/* What the insides of blocks show. */
typedef struct sonic_drawn_blocks {
    int32_t count;  /* blocks that were read: with contrast and without clipped levels */
    float flat;     /* share of their pixels that equal the next ones to the right and below */
    float repeated; /* share of them that equal an earlier one and have a sharp edge */
} sonic_drawn_blocks;

typedef struct sonic_drawn {
    sonic_drawn_blocks blocks; /* of 8 x 8 pixels */
    float
        periodic; /* how far the correlation of steps along rows or columns rises again, 4 to 67 pixels further, 0..2 */
} sonic_drawn;

/* Reads up to 512 blocks, spread over the image. */
void sonic_drawn_read_blocks(sonic_drawn_blocks *out, const sonic_plane *luma, const sonic_drawn_grid *grid);

/* grid_offset: of the blocks. */
void sonic_drawn_measure(sonic_drawn *out, const sonic_plane *luma, int32_t grid_offset);

#endif
