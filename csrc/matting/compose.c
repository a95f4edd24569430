#include "matting/compose.h"

#include <math.h>
#include <string.h>

#include "core/parallel.h"

enum { SIDE = SONIC_MATTE_SIDE, CELLS = SONIC_MATTE_CELLS, ROW_MAPS = SONIC_COMPOSE_OPACITY };

typedef struct compose_job {
    sonic_image out, frame;
    const float *maps;
    const sonic_backdrop *backdrop;
    uint16_t *quiet;
    int32_t is_first;
} compose_job;

/* The maps between two rows of the grid, [256][ROW_MAPS]: what one row of pixels needs, cell by cell. */
static void row_of_maps(float *row, const float *maps, float y, int32_t first, int32_t count)
{
    y = sonic_clampf(y, 0, SIDE - 1);
    int32_t y0 = (int32_t)y, y1 = y0 + (y0 < SIDE - 1);
    float v = y - (float)y0;
    for (int32_t k = first; k < first + count; k++) {
        const float *above = maps + (size_t)k * CELLS + (size_t)y0 * SIDE, *below = above + (size_t)(y1 - y0) * SIDE;
        for (int32_t x = 0; x < SIDE; x++)
            row[x * ROW_MAPS + k] = above[x] + v * (below[x] - above[x]);
    }
}

/* `count` neighbouring maps between two cells. */
static void between(float *out, const float *cell, const float *next, float u, int32_t count)
{
    for (int32_t k = 0; k < count; k++)
        out[k] = cell[k] + u * (next[k] - cell[k]);
}

static uint8_t level(float value) { return (uint8_t)(sonic_clamp01(value) * 255 + 0.5f); }

/* The person's own colour where the background shines through: the local mean, corrected by what it leaves unexplained
 * of the pixel. */
static void person_colour(float colour[3], float opacity, const float person[3], const float behind[3])
{
    for (int c = 0; c < 3; c++) {
        float unexplained = colour[c] - opacity * person[c] - (1 - opacity) * behind[c];
        colour[c] = sonic_clamp01(person[c] + opacity * unexplained);
    }
}

/* The colour behind pixel x; `blurred` is that of SONIC_BACKDROP_BLUR. */
static void backdrop_colour(float out[3], const sonic_backdrop *backdrop, const uint8_t *picture, int32_t x,
                            const float blurred[3])
{
    for (int c = 0; c < 3; c++) {
        if (backdrop->kind == SONIC_BACKDROP_BLUR)
            out[c] = blurred[c];
        else
            out[c] = (float)(backdrop->kind == SONIC_BACKDROP_PICTURE ? picture[3 * x + c] : backdrop->colour[c]) / 255;
    }
}

/* Brings the quiet pixel up to date, and gives its colour 0..1. */
static void quiet_colour(float colour[3], uint16_t quiet[3], const uint8_t source[3], int32_t is_first)
{
    const float still = 6, changed = 18, weight_min = 1.0f / 6;
    float before[3], difference = 0;
    for (int c = 0; c < 3; c++) {
        before[c] = is_first ? source[c] : (float)quiet[c] / 256;
        difference = fmaxf(difference, fabsf((float)source[c] - before[c]));
    }
    float weight = weight_min + (1 - weight_min) * sonic_smoothstep((difference - still) / (changed - still));
    for (int c = 0; c < 3; c++) {
        float now = before[c] + weight * ((float)source[c] - before[c]);
        quiet[c] = (uint16_t)(now * 256 + 0.5f);
        colour[c] = now / 255;
    }
}

/* One pixel: `cell` and `next` are the maps left and right of it. */
static void compose_pixel(uint8_t *out, const compose_job *job, const uint8_t *source, uint16_t *quiet,
                          const uint8_t *picture, int32_t x, const float *cell, const float *next, float u)
{
    float colour[3] = {(float)source[0] / 255, (float)source[1] / 255, (float)source[2] / 255};
    float maps[ROW_MAPS], new_colour[3], steady[3];
    quiet_colour(steady, quiet, source, job->is_first);
    between(maps, cell, next, u, 4);
    float opacity = sonic_compose_opacity(maps, steady);
    const int is_transparent = job->backdrop->kind == SONIC_BACKDROP_TRANSPARENT;
    if (is_transparent)
        out[3] = level(opacity);
    if (opacity >= 1) {
        memcpy(out, source, 3);
        return;
    }
    between(maps + 4, cell + 4, next + 4, u, ROW_MAPS - 4);
    person_colour(colour, opacity, maps + SONIC_COMPOSE_PERSON, maps + SONIC_COMPOSE_BEHIND);
    backdrop_colour(new_colour, job->backdrop, picture, x, maps + SONIC_COMPOSE_BLURRED);
    for (int c = 0; c < 3; c++)
        out[c] = level(is_transparent ? colour[c] : new_colour[c] + opacity * (colour[c] - new_colour[c]));
}

static void compose_rows(int64_t first, int64_t last, void *context)
{
    const compose_job *job = context;
    const sonic_image frame = job->frame, picture = job->backdrop->picture;
    const float step_x = (float)SIDE / (float)frame.width_px, step_y = (float)SIDE / (float)frame.height_px;
    float row[SIDE * ROW_MAPS];
    for (int32_t y = (int32_t)first; y < last; y++) {
        row_of_maps(row, job->maps, ((float)y + 0.5f) * step_y - 0.5f, 0, ROW_MAPS);
        const uint8_t *source = frame.data + y * frame.stride;
        const uint8_t *behind = picture.data ? picture.data + y * picture.stride : NULL;
        uint8_t *out = job->out.data + y * job->out.stride;
        uint16_t *quiet = job->quiet + (size_t)y * (size_t)frame.width_px * 3;
        for (int32_t x = 0; x < frame.width_px; x++) {
            float at = sonic_clampf(((float)x + 0.5f) * step_x - 0.5f, 0, SIDE - 1);
            int32_t cell = (int32_t)at, next = cell + (cell < SIDE - 1);
            compose_pixel(out + x * job->out.channels, job, source + 3 * x, quiet + 3 * x, behind, x,
                          row + cell * ROW_MAPS, row + next * ROW_MAPS, at - (float)cell);
        }
    }
}

void sonic_compose(sonic_image out, uint16_t *quiet, int32_t is_first, const float *maps, sonic_image frame,
                   const sonic_backdrop *backdrop)
{
    compose_job job = {out, frame, maps, backdrop, quiet, is_first};
    sonic_parallel_for(frame.height_px, 32, compose_rows, &job);
}
