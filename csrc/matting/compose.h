/* compose.h - a frame before another background, from maps on the grid. */
#ifndef SONIC_MATTING_COMPOSE_H
#define SONIC_MATTING_COMPOSE_H

#include "core/scalar.h"
#include "matting/grid.h"

typedef enum sonic_backdrop_kind {
    SONIC_BACKDROP_COLOUR = 0,
    SONIC_BACKDROP_PICTURE = 1,
    SONIC_BACKDROP_BLUR = 2,        /* the frame's own background, blurred; the person does not bleed into it */
    SONIC_BACKDROP_TRANSPARENT = 3, /* none: red, green, blue of the person, and opacity (straight alpha) */
} sonic_backdrop_kind;

typedef struct sonic_backdrop {
    sonic_backdrop_kind kind;
    uint8_t colour[3];
    sonic_image picture; /* [height, width, 3], of the frames' size */
} sonic_backdrop;

/* Planes [256][256] of the maps: the coefficients of opacity (guided.h), then colours 0..1, and opacity on the grid. */
enum {
    SONIC_COMPOSE_PERSON = 4,
    SONIC_COMPOSE_BEHIND = 7,
    SONIC_COMPOSE_BLURRED = 10,
    SONIC_COMPOSE_OPACITY = 13,
    SONIC_COMPOSE_MAPS = 14
};

/* Opacity 0..1 of a colour. The ends are cut off, where the guided filter leaves a haze around the person. */
static inline float sonic_compose_opacity(const float coefficients[4], const float colour[3])
{
    const float haze = 0.12f;
    float value =
        coefficients[0] * colour[0] + coefficients[1] * colour[1] + coefficients[2] * colour[2] + coefficients[3];
    return sonic_clamp01((value - haze) / (1 - 2 * haze));
}

/* out and frame of one size; out has 4 channels for SONIC_BACKDROP_TRANSPARENT, else 3. `quiet` [height, width, 3]: the
 * frames so far without noise, in 1/256 level; updated, or set where is_first. Opacity is read off them, so that the
 * edge does not carry the camera's noise: changes of up to 6 levels count for a sixth, of 18 and more wholly. */
void sonic_compose(sonic_image out, uint16_t *quiet, int32_t is_first, const float *maps, sonic_image frame,
                   const sonic_backdrop *backdrop);

#endif
