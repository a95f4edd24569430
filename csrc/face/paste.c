#include "face/paste.h"

#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "opencv/vision.h"

#define SIDE_MAX_PX 32768
#define WEIGHT_ONE 32768 /* weights are 1.15 fixed point: 0 and 1 are exact */

struct sonic_paste {
    sonic_image source;
    int32_t x0_px, y0_px, width_px, height_px; /* the square, in the image's pixels */
    uint8_t *resized;                          /* [height_px, width_px, 3] */
    uint16_t *columns, *rows;                  /* fade per column [width_px] and per row [height_px] */
};

/* Smoothstep over `fade_px` pixels; `distance_px` counts from the edge to the pixel's centre. */
static double fade_at(double distance_px, double fade_px)
{
    if (distance_px >= fade_px)
        return 1;
    double t = distance_px / fade_px;
    return t * t * (3 - 2 * t);
}

/* Weight along one axis. An edge on the border of the image, or beyond it, stays at full weight. */
static void fill_fade(uint16_t *weights, int32_t length_px, int32_t start_px, int32_t limit_px, double feather)
{
    double fade_px = feather * length_px;
    int near_edge = start_px > 0, far_edge = start_px + length_px < limit_px;
    for (int32_t i = 0; i < length_px; i++) {
        double weight = near_edge ? fade_at(i + 0.5, fade_px) : 1;
        weight *= far_edge ? fade_at(length_px - i - 0.5, fade_px) : 1;
        weights[i] = (uint16_t)(weight * WEIGHT_ONE + 0.5);
    }
}

static sonic_status check_paste(sonic_image source, const int32_t crop[4], double feather)
{
    if (source.channels != 3)
        return sonic_fail(SONIC_ERROR_SHAPE, "Paste into a picture of 3 channels: it has %d.", (int)source.channels);
    if (!(feather >= 0) || feather > 0.5)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose a feather from 0 to 0.5: it is %g.", feather);
    int64_t width = (int64_t)crop[2] - crop[0], height = (int64_t)crop[3] - crop[1];
    if (width < 1 || height < 1 || width > SIDE_MAX_PX || height > SIDE_MAX_PX)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Give a crop of 1 to %d pixels a side: it is %lld x %lld.", SIDE_MAX_PX,
                          (long long)width, (long long)height);
    if (crop[2] <= 0 || crop[3] <= 0 || crop[0] >= source.width_px || crop[1] >= source.height_px)
        return sonic_fail(
            SONIC_ERROR_ARGUMENT, "Give a crop that touches the picture of %d x %d pixels: it is %d, %d, %d, %d.",
            (int)source.width_px, (int)source.height_px, (int)crop[0], (int)crop[1], (int)crop[2], (int)crop[3]);
    return SONIC_OK;
}

sonic_status sonic_paste_create(sonic_paste **out, sonic_image source, const int32_t crop[4], double feather)
{
    *out = NULL;
    sonic_status status = check_paste(source, crop, feather);
    if (status != SONIC_OK)
        return status;
    int32_t width = crop[2] - crop[0], height = crop[3] - crop[1];
    sonic_paste *paste = calloc(1, sizeof *paste);
    if (paste) {
        paste->resized = malloc((size_t)width * (size_t)height * 3);
        paste->columns = malloc((size_t)width * sizeof *paste->columns);
        paste->rows = malloc((size_t)height * sizeof *paste->rows);
    }
    if (!paste || !paste->resized || !paste->columns || !paste->rows) {
        sonic_paste_free(paste);
        return sonic_fail(SONIC_ERROR_MEMORY, "Use a smaller picture: no memory for a crop of %d x %d pixels.",
                          (int)width, (int)height);
    }
    paste->source = source;
    paste->x0_px = crop[0], paste->y0_px = crop[1], paste->width_px = width, paste->height_px = height;
    fill_fade(paste->columns, width, crop[0], source.width_px, feather);
    fill_fade(paste->rows, height, crop[1], source.height_px, feather);
    *out = paste;
    return SONIC_OK;
}

void sonic_paste_free(sonic_paste *paste)
{
    if (!paste)
        return;
    free(paste->resized);
    free(paste->columns);
    free(paste->rows);
    free(paste);
}

typedef struct blend_job {
    const sonic_paste *paste;
    sonic_image out;
    int is_in_place; /* out holds what lies below the frame; else it is a copy of the source */
} blend_job;

static uint8_t mix(uint8_t below, uint8_t above, uint32_t weight)
{
    return (uint8_t)((below * (WEIGHT_ONE - weight) + above * weight + WEIGHT_ONE / 2) / WEIGHT_ONE);
}

/* One row of the image that crosses the square; `out` already holds what lies below. */
static void blend_row(const sonic_paste *paste, uint8_t *out, int32_t y)
{
    int32_t row = y - paste->y0_px;
    int32_t first = paste->x0_px < 0 ? -paste->x0_px : 0, last = paste->source.width_px - paste->x0_px;
    last = last < paste->width_px ? last : paste->width_px;
    const uint8_t *above = paste->resized + (size_t)row * (size_t)paste->width_px * 3;
    for (int32_t x = first; x < last; x++) {
        uint32_t weight = ((uint32_t)paste->rows[row] * paste->columns[x]) / WEIGHT_ONE;
        uint8_t *pixel = out + (ptrdiff_t)(paste->x0_px + x) * 3;
        for (int c = 0; c < 3; c++)
            pixel[c] = mix(pixel[c], above[x * 3 + c], weight);
    }
}

static void blend_rows(int64_t begin, int64_t end, void *context)
{
    const blend_job *job = context;
    const sonic_paste *paste = job->paste;
    for (int32_t y = (int32_t)begin; y < end; y++) {
        uint8_t *out = job->out.data + y * job->out.stride;
        if (!job->is_in_place)
            memcpy(out, paste->source.data + y * paste->source.stride, (size_t)paste->source.width_px * 3);
        if (y >= paste->y0_px && y < paste->y0_px + paste->height_px)
            blend_row(paste, out, y);
    }
}

static sonic_status blend(sonic_image out, sonic_paste *paste, sonic_image frame, int is_in_place)
{
    if (out.width_px != paste->source.width_px || out.height_px != paste->source.height_px || out.channels != 3 ||
        frame.channels != 3)
        return sonic_fail(
            SONIC_ERROR_SHAPE,
            "Give an output of the picture's size, %d x %d, and frames of 3 channels: they are %d x %d and %d.",
            (int)paste->source.width_px, (int)paste->source.height_px, (int)out.width_px, (int)out.height_px,
            (int)frame.channels);
    sonic_image resized = {paste->resized, paste->width_px, paste->height_px, 3, (ptrdiff_t)paste->width_px * 3};
    sonic_interpolation how = paste->width_px < frame.width_px ? SONIC_INTERPOLATION_AREA : SONIC_INTERPOLATION_CUBIC;
    sonic_status status = sonic_vision_resize(resized, frame, how);
    if (status != SONIC_OK)
        return status;
    blend_job job = {paste, out, is_in_place};
    sonic_parallel_for(out.height_px, 32, blend_rows, &job);
    return SONIC_OK;
}

sonic_status sonic_paste_frame(sonic_image out, sonic_paste *paste, sonic_image frame)
{
    return blend(out, paste, frame, 0);
}

sonic_status sonic_paste_onto(sonic_image below, sonic_paste *paste, sonic_image frame)
{
    return blend(below, paste, frame, 1);
}
