#include "gate/evidence.h"

#include <math.h>
#include <string.h>

#include "core/arena.h"
#include "gate/region_map.h"
#include "gate/block_period.h"
#include "gate/history.h"
#include "gate/luma.h"
#include "gate/resampled_grid.h"

#define GRID 0.5 /* nats a block */

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* The steps follow each other and share one piece of scratch memory. */
static size_t scratch_size(int32_t width_px, int32_t height_px)
{
    size_t first = larger(sonic_lattice_scratch_size(width_px), sonic_resized_scratch_size(width_px, height_px));
    return larger(
        first, larger(sonic_comb_scratch_size(width_px, height_px), sonic_sharpness_scratch_size(width_px, height_px)));
}

size_t sonic_evidence_memory(int32_t width_px, int32_t height_px)
{
    return sonic_arena_piece((size_t)width_px * (size_t)height_px * sizeof(float)) +
           sonic_arena_piece(SONIC_LATTICE_COUNTS * sizeof(uint32_t)) +
           sonic_arena_piece(scratch_size(width_px, height_px)) +
           sonic_arena_piece(sonic_cells_memory(width_px, height_px));
}

static sonic_status check_image(sonic_image image)
{
    if (image.channels != 3)
        return sonic_fail(SONIC_ERROR_SHAPE, "Give the picture as RGB: it has %d channels.", image.channels);
    if (image.width_px < SONIC_EVIDENCE_SIDE_MIN || image.height_px < SONIC_EVIDENCE_SIDE_MIN)
        return sonic_fail(SONIC_ERROR_SHAPE,
                          "Choose a larger picture: it has %d x %d pixels, and %d a side are needed to judge it.",
                          image.width_px, image.height_px, SONIC_EVIDENCE_SIDE_MIN);
    if (image.width_px > SONIC_EVIDENCE_SIDE_MAX || image.height_px > SONIC_EVIDENCE_SIDE_MAX ||
        (int64_t)image.width_px * image.height_px > SONIC_EVIDENCE_PIXELS_MAX)
        return sonic_fail(SONIC_ERROR_SHAPE, "Make the picture smaller: it has %d x %d pixels.", image.width_px,
                          image.height_px);
    return SONIC_OK;
}

static void measure_exposure(sonic_evidence *out, const sonic_plane *luma)
{
    uint32_t histogram[256];
    double n = (double)luma->width_px * luma->height_px, sum = 0, squares = 0;
    sonic_luma_histogram(histogram, luma);
    for (int level = 0; level < 256; level++) {
        sum += (double)histogram[level] * level;
        squares += (double)histogram[level] * level * level;
    }
    out->luma_mean = sum / n;
    out->luma_deviation = sqrt(fmax(squares / n - out->luma_mean * out->luma_mean, 0));
    out->dark_share = (histogram[0] + histogram[1] + histogram[2]) / n;
    out->bright_share = (histogram[253] + histogram[254] + histogram[255]) / n;
    out->luma_low = sonic_luma_quantile(histogram, 0.01);
    out->luma_high = sonic_luma_quantile(histogram, 0.99);
}

static void measure_history(sonic_evidence *out, const sonic_likelihood *tables, const uint32_t *counts)
{
    sonic_history history;
    sonic_history_read(&history, tables, counts);
    out->lattice_quality = history.strongest.quality;
    out->lattice_likelihood = history.strongest.likelihood;
    out->lattice_margin = history.strongest.margin;
    out->lattice_phase = history.strongest.phase;
    out->lattice_sigma = history.strongest.sigma;
    out->lattice_turned = history.strongest.turned;
    out->coarsest_quality = history.coarsest.quality;
    out->coarsest_likelihood = history.coarsest.likelihood;
    out->coarsest_phase = history.coarsest.phase;
    out->coarsest_sigma = history.coarsest.sigma;
    out->coarsest_margin = history.coarsest.margin;
    out->custom_quality = history.custom.quality;
    out->custom_likelihood = history.custom.likelihood;
    out->custom_phase = history.custom.phase;
    out->custom_modes = history.custom_modes;
    out->earlier_quality = history.earlier.quality;
    out->earlier_likelihood = history.earlier.likelihood;
    out->grid_strength = history.grid.strength;
    out->grid_second = history.grid.second;
    out->grid_chance = history.grid.chance;
    out->grid_quality = history.grid.quality;
    out->grid_emptied = history.grid.emptied;
    out->grid_phase = history.grid.phase;
}

/* The whole picture's counts and, at the same time, those of its parts. The parts are read last: they reuse the memory
 * of the counts. */
static void measure_parts(sonic_evidence *out, uint8_t *heat, const sonic_likelihood *tables, const sonic_plane *luma,
                          uint32_t *counts, void *memory, void *scratch)
{
    sonic_cells cells;
    sonic_region region;
    sonic_cells_init(&cells, luma->width_px, luma->height_px, SONIC_CELL_ZERO, memory);
    sonic_lattice_count(counts, &cells, luma, scratch);
    measure_history(out, tables, counts);
    sonic_cells_read(&region, heat, &cells, luma, tables, counts);
    out->region_quality = region.quality;
    out->region_likelihood = region.likelihood;
    out->region_share = region.share;
}

/* Blocks of 8 pixels, beyond doubt. */
static int32_t has_grid(const sonic_evidence *e) { return e->grid_strength - e->grid_second > GRID; }

static void measure_resized(sonic_evidence *out, const sonic_likelihood *tables, const sonic_plane *luma,
                            const sonic_comb *comb, uint32_t *counts, void *scratch)
{
    sonic_resized found;
    sonic_resized_find(&found, tables, luma, comb, has_grid(out), counts, scratch);
    out->resized_period_px = found.period_px;
    out->resized_strength = found.history.grid.strength;
    out->resized_second = found.history.grid.second;
    out->resized_chance = found.history.grid.chance;
    out->resized_quality = found.history.grid.quality;
    out->resized_emptied = found.history.grid.emptied;
    out->resized_custom_quality = found.history.custom.quality;
    out->resized_custom_likelihood = found.history.custom.likelihood;
    out->resized_custom_modes = found.history.custom_modes;
}

static void measure_comb(sonic_evidence *out, sonic_comb *comb, const sonic_plane *luma, void *scratch)
{
    sonic_comb_measure(comb, luma, has_grid(out), scratch);
    out->comb_eight = comb->eight;
    out->comb_other = comb->other[0].evidence;
    out->comb_contrast = comb->contrast;
    out->comb_period_px = comb->other[0].period_px;
}

static void measure_sharpness(sonic_evidence *out, const sonic_plane *luma, sonic_box face, void *scratch)
{
    sonic_sharpness whole, part;
    sonic_sharpness_measure(&whole, &part, luma, face, scratch);
    out->noise = whole.noise;
    out->band_0 = whole.band[0];
    out->band_1 = whole.band[1];
    out->band_2 = whole.band[2];
    out->band_3 = whole.band[3];
    out->band_4 = whole.band[4];
    out->band_5 = whole.band[5];
    out->band_6 = whole.band[6];
    out->band_7 = whole.band[7];
    out->face_band_0 = part.band[0];
    out->face_band_1 = part.band[1];
    out->face_band_2 = part.band[2];
    out->face_band_3 = part.band[3];
    out->face_band_4 = part.band[4];
    out->face_band_5 = part.band[5];
    out->face_band_6 = part.band[6];
    out->face_band_7 = part.band[7];
    out->sector_0 = whole.sector[0];
    out->sector_1 = whole.sector[1];
    out->sector_2 = whole.sector[2];
    out->sector_3 = whole.sector[3];
    out->face_sector_0 = part.sector[0];
    out->face_sector_1 = part.sector[1];
    out->face_sector_2 = part.sector[2];
    out->face_sector_3 = part.sector[3];
    out->sharp_50 = whole.ratio_50;
    out->sharp_90 = whole.ratio_90;
    out->face_sharp_50 = part.ratio_50;
    out->face_sharp_90 = part.ratio_90;
    out->sharp_blocks = whole.blocks;
    out->face_sharp_blocks = part.blocks;
}

sonic_status sonic_evidence_read(sonic_evidence *out, const sonic_likelihood *tables, sonic_image image, sonic_box face,
                                 uint8_t *heat)
{
    memset(out, 0, sizeof *out);
    sonic_arena *arena;
    sonic_comb comb;
    sonic_status status = check_image(image);
    if (status == SONIC_OK)
        status = sonic_arena_create(&arena, sonic_evidence_memory(image.width_px, image.height_px));
    if (status != SONIC_OK)
        return status;
    sonic_plane luma = {sonic_arena_take(arena, (size_t)image.width_px * (size_t)image.height_px * sizeof(float)),
                        image.width_px, image.height_px};
    uint32_t *counts = sonic_arena_take(arena, SONIC_LATTICE_COUNTS * sizeof *counts);
    void *scratch = sonic_arena_take(arena, scratch_size(image.width_px, image.height_px));
    void *cells = sonic_arena_take(arena, sonic_cells_memory(image.width_px, image.height_px));
    out->width_px = image.width_px;
    out->height_px = image.height_px;
    sonic_luma_convert(&luma, image);
    measure_exposure(out, &luma);
    out->repeated_share = sonic_luma_repeated(&luma);
    measure_sharpness(out, &luma, face, scratch);
    measure_parts(out, heat, tables, &luma, counts, cells, scratch);
    measure_comb(out, &comb, &luma, scratch);
    measure_resized(out, tables, &luma, &comb, counts, scratch);
    sonic_arena_free(arena);
    return SONIC_OK;
}
