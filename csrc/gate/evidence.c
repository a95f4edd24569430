#include "gate/evidence.h"

#include <string.h>

#include "core/arena.h"
#include "core/progress.h"
#include "gate/dct_histogram.h"

/* Share of repeated pixels from which their grid is read: below the limits of thresholds.py. */
#define REPEATED_MIN 0.3

#define EIGHT_CONTRAST 0.5 /* nats a block that blocks of 8 pixels need; by hand on the variants of bench/gate.py */

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* The steps run one after the other and share one scratch buffer. */
static size_t scratch_size(int32_t width_px, int32_t height_px)
{
    size_t grids = larger(sonic_dct_histogram_scratch_size(width_px), sonic_resampled_grid_scratch_size(height_px));
    size_t spectra =
        larger(sonic_block_period_scratch_size(width_px, height_px), sonic_sharpness_scratch_size(width_px, height_px));
    return larger(larger(grids, spectra), sonic_repeated_pixels_scratch_size(width_px, height_px));
}

size_t sonic_evidence_memory(int32_t width_px, int32_t height_px)
{
    return sonic_arena_piece((size_t)width_px * (size_t)height_px * sizeof(float)) +
           sonic_arena_piece(SONIC_DCT_COUNTS * sizeof(uint32_t)) +
           sonic_arena_piece(scratch_size(width_px, height_px)) +
           sonic_arena_piece(sonic_region_map_memory(width_px, height_px));
}

static sonic_status check_image(sonic_image image)
{
    if (image.channels != 3)
        return sonic_fail(SONIC_ERROR_SHAPE, "Give the picture as RGB: it has %d channels.", image.channels);
    if (image.width_px < SONIC_EVIDENCE_SIDE_MIN || image.height_px < SONIC_EVIDENCE_SIDE_MIN)
        return sonic_fail(SONIC_ERROR_SHAPE,
                          "Choose a larger picture: it has %d x %d pixels, and judging it takes %d a side.",
                          image.width_px, image.height_px, SONIC_EVIDENCE_SIDE_MIN);
    if (image.width_px > SONIC_EVIDENCE_SIDE_MAX || image.height_px > SONIC_EVIDENCE_SIDE_MAX ||
        (int64_t)image.width_px * image.height_px > SONIC_EVIDENCE_PIXELS_MAX)
        return sonic_fail(SONIC_ERROR_SHAPE, "Make the picture smaller: it has %d x %d pixels.", image.width_px,
                          image.height_px);
    return SONIC_OK;
}

/* One pass counts for the whole image and for its regions. The regions are read last: they reuse `counts`. */
static void measure_history(sonic_evidence *out, uint8_t *heat, const sonic_likelihood *tables, const sonic_plane *luma,
                            uint32_t *counts, void *map_memory, void *scratch)
{
    sonic_region_map map;
    sonic_region_map_init(&map, luma->width_px, luma->height_px, SONIC_REGION_NEAR_ZERO, map_memory);
    sonic_dct_histogram_count(counts, &map, luma, scratch);
    sonic_history_read(&out->history, tables, counts);
    sonic_history_vote(&out->history, luma);
    sonic_regions_find(&out->region, heat, &map, luma, tables, counts);
}

/* Whether there are blocks of 8 pixels beyond doubt. */
static int32_t has_eight(const sonic_blockiness *b) { return (double)b->strength - (double)b->second > EIGHT_CONTRAST; }

static void measure_resampled(sonic_evidence *out, const sonic_likelihood *tables, const sonic_plane *luma,
                              uint32_t *counts, void *scratch)
{
    const int32_t eight = has_eight(&out->history.blockiness);
    sonic_block_period_measure(&out->period, luma, eight, scratch);
    sonic_resampled_grid_find(&out->resampled, tables, luma, &out->period, eight, counts, scratch);
}

sonic_status sonic_evidence_read(sonic_evidence *out, const sonic_likelihood *tables, sonic_image image,
                                 sonic_image alpha, sonic_box face, uint8_t *heat)
{
    memset(out, 0, sizeof *out);
    sonic_arena *arena;
    sonic_status status = check_image(image);
    if (status == SONIC_OK)
        status = sonic_arena_create(&arena, sonic_evidence_memory(image.width_px, image.height_px));
    if (status != SONIC_OK)
        return status;
    sonic_plane luma = {sonic_arena_take(arena, (size_t)image.width_px * (size_t)image.height_px * sizeof(float)),
                        image.width_px, image.height_px};
    uint32_t *counts = sonic_arena_take(arena, SONIC_DCT_COUNTS * sizeof *counts);
    void *scratch = sonic_arena_take(arena, scratch_size(image.width_px, image.height_px));
    void *map_memory = sonic_arena_take(arena, sonic_region_map_memory(image.width_px, image.height_px));
    out->width_px = image.width_px;
    out->height_px = image.height_px;
    sonic_luma_convert(&luma, image);
    sonic_luma_exposure(&out->exposure, &luma, alpha);
    out->repeated_share = sonic_luma_repeated(&luma);
    if ((status = sonic_progress_poll()) == SONIC_OK)
        sonic_sharpness_measure(&out->sharpness, &out->face_sharpness, &luma, face, scratch);
    if (status == SONIC_OK && (status = sonic_progress_poll()) == SONIC_OK)
        measure_history(out, heat, tables, &luma, counts, map_memory, scratch);
    if (status == SONIC_OK && (status = sonic_progress_poll()) == SONIC_OK)
        measure_resampled(out, tables, &luma, counts, scratch);
    if (status == SONIC_OK && (status = sonic_progress_poll()) == SONIC_OK)
        sonic_drawn_measure(&out->drawn, &luma, out->history.blockiness.grid_offset);
    if (status == SONIC_OK && out->repeated_share > REPEATED_MIN)
        sonic_repeated_pixels_measure(&out->repeated, &luma, out->exposure.deviation, scratch);
    sonic_arena_free(arena);
    return status;
}
