#include "gate/evidence.h"

#include <math.h>
#include <string.h>

#include "core/arena.h"
#include "gate/history.h"
#include "gate/luma.h"

size_t sonic_evidence_memory(int32_t width_px, int32_t height_px)
{
    return sonic_arena_piece((size_t)width_px * (size_t)height_px * sizeof(float)) + sonic_arena_piece(SONIC_LATTICE_COUNTS * sizeof(uint32_t)) +
           sonic_arena_piece(sonic_lattice_scratch_size(width_px));
}

static sonic_status check_image(sonic_image image)
{
    if (image.channels != 3)
        return sonic_fail(SONIC_ERROR_SHAPE, "Give the picture as RGB: it has %d channels.", image.channels);
    if (image.width_px < SONIC_EVIDENCE_SIDE_MIN || image.height_px < SONIC_EVIDENCE_SIDE_MIN)
        return sonic_fail(SONIC_ERROR_SHAPE, "Choose a larger picture: it has %d x %d pixels, and %d a side are needed to judge it.", image.width_px,
                          image.height_px, SONIC_EVIDENCE_SIDE_MIN);
    if (image.width_px > SONIC_EVIDENCE_SIDE_MAX || image.height_px > SONIC_EVIDENCE_SIDE_MAX ||
        (int64_t)image.width_px * image.height_px > SONIC_EVIDENCE_PIXELS_MAX)
        return sonic_fail(SONIC_ERROR_SHAPE, "Make the picture smaller: it has %d x %d pixels.", image.width_px, image.height_px);
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
    out->custom_modes = history.custom_modes;
    out->earlier_quality = history.earlier.quality;
    out->earlier_likelihood = history.earlier.likelihood;
    out->grid_strength = history.grid_strength;
    out->grid_second = history.grid_second;
    out->grid_noise = history.grid_noise;
    out->grid_phase = history.grid_phase;
}

sonic_status sonic_evidence_read(sonic_evidence *out, const sonic_likelihood *tables, sonic_image image)
{
    memset(out, 0, sizeof *out);
    sonic_arena *arena;
    sonic_status status = check_image(image);
    if (status == SONIC_OK)
        status = sonic_arena_create(&arena, sonic_evidence_memory(image.width_px, image.height_px));
    if (status != SONIC_OK)
        return status;
    sonic_plane luma = {sonic_arena_take(arena, (size_t)image.width_px * (size_t)image.height_px * sizeof(float)), image.width_px, image.height_px};
    uint32_t *counts = sonic_arena_take(arena, SONIC_LATTICE_COUNTS * sizeof *counts);
    void *scratch = sonic_arena_take(arena, sonic_lattice_scratch_size(image.width_px));
    out->width_px = image.width_px;
    out->height_px = image.height_px;
    sonic_luma_convert(&luma, image);
    measure_exposure(out, &luma);
    sonic_lattice_count(counts, &luma, scratch);
    measure_history(out, tables, counts);
    sonic_arena_free(arena);
    return SONIC_OK;
}
