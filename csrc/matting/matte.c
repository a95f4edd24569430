#include "matting/matte.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "core/scalar.h"
#include "matting/compose.h"
#include "matting/guided.h"
#include "matting/steady.h"

enum { CELLS = SONIC_MATTE_CELLS, SCRATCH = SONIC_GUIDED_SCRATCH };

#define EDGE_RADIUS 4.0   /* cells of the guided filter: 8 px of a frame of 512 */
#define COLOUR_RADIUS 6.0 /* cells from which colours at an edge are estimated */
#define BLUR_RADIUS 7.0   /* of each of three boxes, which are close to a Gaussian of 12 cells */
#define UNKNOWN 1e-3f     /* weight of a cell that shows nothing of what is averaged, so that no mean is 0 / 0 */

struct sonic_matte {
    int32_t width_px, height_px;
    int64_t frames;
    float *guide, *luma, *luma_before, *mask, *before; /* [3], [1], [1], [1], [1] planes */
    float *maps;                                       /* SONIC_COMPOSE_MAPS planes (compose.h) */
    float *scratch;                                    /* SCRATCH planes */
    float *memory;
    uint16_t *quiet; /* compose.h */
};

static void place(sonic_matte *matte)
{
    float *next = matte->memory;
    struct {
        float **plane;
        size_t count;
    } parts[] = {{&matte->guide, 3},        {&matte->luma, 1},   {&matte->luma_before, 1},
                 {&matte->mask, 1},         {&matte->before, 1}, {&matte->maps, SONIC_COMPOSE_MAPS},
                 {&matte->scratch, SCRATCH}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; next += parts[i++].count * CELLS)
        *parts[i].plane = next;
}

sonic_status sonic_matte_create(sonic_matte **out, int32_t width_px, int32_t height_px)
{
    *out = NULL;
    if (width_px < 1 || height_px < 1 || width_px > SONIC_MATTE_SIDE_MAX_PX || height_px > SONIC_MATTE_SIDE_MAX_PX)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose frames with sides of 1 to %d px: they are %d x %d.",
                          SONIC_MATTE_SIDE_MAX_PX, (int)width_px, (int)height_px);
    sonic_matte *matte = calloc(1, sizeof *matte);
    if (matte) {
        matte->memory = calloc((7 + SONIC_COMPOSE_MAPS + SCRATCH) * (size_t)CELLS, sizeof *matte->memory);
        matte->quiet = malloc((size_t)width_px * (size_t)height_px * 3 * sizeof *matte->quiet);
    }
    if (!matte || !matte->memory || !matte->quiet) {
        sonic_matte_free(matte);
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory to separate person and background.");
    }
    matte->width_px = width_px, matte->height_px = height_px;
    place(matte);
    *out = matte;
    return SONIC_OK;
}

void sonic_matte_free(sonic_matte *matte)
{
    if (!matte)
        return;
    free(matte->memory);
    free(matte->quiet);
    free(matte);
}

/* A radius in cells that is a circle in the frame. */
static void radius_of(int32_t radius[2], const sonic_matte *matte, double cells)
{
    double aspect = sqrt((double)matte->height_px / matte->width_px);
    radius[0] = (int32_t)sonic_clamp(cells * aspect + 0.5, 1, SONIC_MATTE_SIDE / 4);
    radius[1] = (int32_t)sonic_clamp(cells / aspect + 0.5, 1, SONIC_MATTE_SIDE / 4);
}

static sonic_status check_frame(const sonic_matte *matte, sonic_image frame)
{
    if (frame.width_px == matte->width_px && frame.height_px == matte->height_px && frame.channels == 3)
        return SONIC_OK;
    return sonic_fail(SONIC_ERROR_SHAPE, "Give frames of one size, %d x %d with 3 channels: one is %d x %d with %d.",
                      (int)matte->width_px, (int)matte->height_px, (int)frame.width_px, (int)frame.height_px,
                      (int)frame.channels);
}

sonic_status sonic_matte_see(float *planes, sonic_matte *matte, sonic_image frame)
{
    sonic_status status = check_frame(matte, frame);
    if (status)
        return status;
    float *swap = matte->luma_before;
    matte->luma_before = matte->luma, matte->luma = swap;
    swap = matte->before, matte->before = matte->mask, matte->mask = swap;
    sonic_grid_shrink(matte->guide, frame);
    for (int32_t i = 0; i < CELLS; i++)
        matte->luma[i] =
            0.299f * matte->guide[i] + 0.587f * matte->guide[CELLS + i] + 0.114f * matte->guide[2 * CELLS + i];
    memcpy(planes, matte->guide, 3 * CELLS * sizeof *planes);
    return SONIC_OK;
}

/* Mean colours [3] of the guide, weighted: of the person (is_person) or of the background, in each neighbourhood.
 * `passes` boxes one after another. */
static void weighted_colours(float *colours, sonic_matte *matte, const float *opacity, int is_person, double cells,
                             int passes)
{
    int32_t radius[2];
    float *sums[4], *rest = matte->scratch + (size_t)4 * CELLS;
    radius_of(radius, matte, cells);
    for (int k = 0; k < 4; k++)
        sums[k] = matte->scratch + (size_t)k * CELLS;
    for (int32_t i = 0; i < CELLS; i++) {
        float weight = UNKNOWN + (is_person ? opacity[i] : 1 - opacity[i]);
        for (int c = 0; c < 3; c++)
            sums[c][i] = weight * matte->guide[c * CELLS + i];
        sums[3][i] = weight;
    }
    for (int pass = 0; pass < passes; pass++)
        sonic_grid_means(sums, (const float *const *)sums, 4, radius, rest);
    for (int c = 0; c < 3; c++)
        for (int32_t i = 0; i < CELLS; i++)
            colours[c * CELLS + i] = sums[c][i] / fmaxf(sums[3][i], 1e-6f);
}

void sonic_matte_update(float *share, sonic_matte *matte, const float *mask)
{
    int32_t radius[2], count = 0;
    for (int32_t i = 0; i < CELLS; i++) {
        matte->mask[i] = sonic_clamp01(mask[i]);
        count += mask[i] > 0.5f;
    }
    *share = (float)count / CELLS;
    if (matte->frames++ > 0)
        sonic_steady_mix(matte->mask, matte->before, matte->luma_before, matte->luma, matte->scratch);
    radius_of(radius, matte, EDGE_RADIUS);
    sonic_guided_fit(matte->maps, matte->guide, matte->mask, radius, matte->scratch);
    float *opacity = matte->maps + (size_t)SONIC_COMPOSE_OPACITY * CELLS;
    for (int32_t i = 0; i < CELLS; i++) {
        float colour[3] = {matte->guide[i], matte->guide[CELLS + i], matte->guide[2 * CELLS + i]};
        float c[4] = {matte->maps[i], matte->maps[CELLS + i], matte->maps[2 * CELLS + i], matte->maps[3 * CELLS + i]};
        opacity[i] = sonic_compose_opacity(c, colour);
    }
}

sonic_status sonic_matte_compose(sonic_image out, sonic_matte *matte, sonic_image frame, const sonic_backdrop *backdrop)
{
    sonic_status status = check_frame(matte, frame);
    int32_t channels = backdrop->kind == SONIC_BACKDROP_TRANSPARENT ? 4 : 3;
    if (status)
        return status;
    if (out.width_px != frame.width_px || out.height_px != frame.height_px || out.channels != channels)
        return sonic_fail(SONIC_ERROR_SHAPE, "Give an output of %d x %d with %d channels: it is %d x %d with %d.",
                          (int)frame.width_px, (int)frame.height_px, (int)channels, (int)out.width_px,
                          (int)out.height_px, (int)out.channels);
    if (backdrop->kind == SONIC_BACKDROP_PICTURE && (status = check_frame(matte, backdrop->picture)))
        return status;
    float *opacity = matte->maps + (size_t)SONIC_COMPOSE_OPACITY * CELLS;
    weighted_colours(matte->maps + (size_t)SONIC_COMPOSE_PERSON * CELLS, matte, opacity, 1, COLOUR_RADIUS, 1);
    weighted_colours(matte->maps + (size_t)SONIC_COMPOSE_BEHIND * CELLS, matte, opacity, 0, COLOUR_RADIUS, 1);
    if (backdrop->kind == SONIC_BACKDROP_BLUR)
        weighted_colours(matte->maps + (size_t)SONIC_COMPOSE_BLURRED * CELLS, matte, opacity, 0, BLUR_RADIUS, 3);
    sonic_compose(out, matte->quiet, matte->frames <= 1, matte->maps, frame, backdrop);
    return SONIC_OK;
}
