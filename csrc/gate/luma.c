#include "gate/luma.h"

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

/* Four tables in turn: neighbours of one level do not wait for each other. */
void sonic_luma_histogram(uint32_t out[256], const sonic_plane *luma)
{
    uint32_t parts[4][256] = {{0}};
    const int64_t count = (int64_t)luma->width_px * luma->height_px;
    for (int64_t i = 0; i < count; i++)
        parts[i & 3][(uint8_t)(luma->data[i] + 0.5f)]++;
    for (int level = 0; level < 256; level++)
        out[level] = parts[0][level] + parts[1][level] + parts[2][level] + parts[3][level];
}

int32_t sonic_luma_quantile(const uint32_t histogram[256], double share)
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
