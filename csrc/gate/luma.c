#include "gate/luma.h"

#include <math.h>
#include <string.h>

SONIC_WIDE
static void convert_row(float *restrict out, const uint8_t *restrict in, int32_t count)
{
    for (int32_t x = 0; x < count; x++)
        out[x] = 0.299f * (float)in[3 * x] + 0.587f * (float)in[3 * x + 1] + 0.114f * (float)in[3 * x + 2];
}

void sonic_luma_convert(const sonic_plane *out, sonic_image rgb)
{
    for (int32_t y = 0; y < out->height_px; y++)
        convert_row(out->data + (ptrdiff_t)y * out->width_px, rgb.data + y * rgb.stride, out->width_px);
}

/* Pixels of each level, rounded. Four tables in turn: equal neighbours do not wait for each other's store. */
static void fill_histogram(uint32_t out[256], const sonic_plane *luma)
{
    uint32_t parts[4][256] = {{0}};
    const int64_t count = (int64_t)luma->width_px * luma->height_px;
    for (int64_t i = 0; i < count; i++)
        parts[i & 3][(uint8_t)(luma->data[i] + 0.5f)]++;
    for (int level = 0; level < 256; level++)
        out[level] = parts[0][level] + parts[1][level] + parts[2][level] + parts[3][level];
}

/* Takes the pixels that do not count out again. */
static void drop_transparent(uint32_t histogram[256], const sonic_plane *luma, sonic_image alpha)
{
    for (int32_t y = 0; y < luma->height_px; y++) {
        const float *row = sonic_plane_row(luma, y);
        const uint8_t *opacity = alpha.data + y * alpha.stride;
        for (int32_t x = 0; x < luma->width_px; x++)
            histogram[(uint8_t)(row[x] + 0.5f)] -= opacity[x] < SONIC_ALPHA_OPAQUE;
    }
}

/* Least level that `share` of the pixels do not exceed. */
static int32_t quantile(const uint32_t histogram[256], double share)
{
    uint64_t total = 0, sum = 0;
    for (int level = 0; level < 256; level++)
        total += histogram[level];
    for (int32_t level = 0; level < 256; level++) {
        sum += histogram[level];
        if ((double)sum >= share * (double)total)
            return level;
    }
    return 255;
}

void sonic_luma_exposure(sonic_exposure *out, const sonic_plane *luma, sonic_image alpha)
{
    uint32_t histogram[256];
    double n = 0, sum = 0, squares = 0;
    fill_histogram(histogram, luma);
    if (alpha.data)
        drop_transparent(histogram, luma, alpha);
    for (int level = 0; level < 256; level++) {
        n += histogram[level];
        sum += (double)histogram[level] * level;
        squares += (double)histogram[level] * level * level;
    }
    memset(out, 0, sizeof *out);
    if (n == 0)
        return;
    out->mean = sum / n;
    out->deviation = sqrt(fmax(squares / n - out->mean * out->mean, 0));
    out->dark_share = (histogram[0] + histogram[1] + histogram[2]) / n;
    out->bright_share = (histogram[253] + histogram[254] + histogram[255]) / n;
    out->low = quantile(histogram, 0.01);
    out->high = quantile(histogram, 0.99);
}

/* flags: 1 for a step, 2 for equal neighbours. */
SONIC_WIDE
static void flag_row(uint8_t *restrict flags, const float *restrict row, int32_t count)
{
    for (int32_t x = 0; x < count; x++) {
        float d = row[x + 1] - row[x];
        d = d < 0 ? -d : d;
        flags[x] = (uint8_t)((d > 4.0f ? 1 : 0) | (d < 0.01f ? 2 : 0));
    }
}

SONIC_WIDE
static void count_flags(uint32_t *near_step, uint32_t *equal, const uint8_t *restrict flags, int32_t count)
{
    uint32_t steps = 0, both = 0;
    for (int32_t x = 2; x < count - 2; x++) {
        uint32_t beside = (flags[x - 2] | flags[x - 1] | flags[x + 1] | flags[x + 2]) & 1u;
        steps += beside;
        both += beside & (uint32_t)(flags[x] >> 1);
    }
    *near_step += steps;
    *equal += both;
}

/* In pieces that fit the stack, overlapping by the neighbourhood. */
double sonic_luma_repeated(const sonic_plane *luma)
{
    uint8_t flags[1028];
    uint32_t near_step = 0, equal = 0;
    for (int32_t y = 0; y < luma->height_px; y++)
        for (int32_t x = 0; x + 5 < luma->width_px; x += 1024) {
            int32_t count = luma->width_px - 1 - x < 1028 ? luma->width_px - 1 - x : 1028;
            flag_row(flags, sonic_plane_row(luma, y) + x, count);
            count_flags(&near_step, &equal, flags, count);
        }
    return near_step ? (double)equal / near_step : 0;
}
