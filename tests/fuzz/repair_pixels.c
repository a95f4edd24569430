/* Repair of pixels on any grid, with a standard table of any quality or the estimated one. */
#include <math.h>
#include <string.h>

#include "gate/quality.h"
#include "repair/pixels.h"
#include "picture.h"

static void fill_steps(float steps[64], int32_t quality, int32_t component)
{
    for (int32_t mode = 0; mode < 64; mode++)
        steps[mode] = (float)sonic_quality_step(quality, component, mode);
}

static void repair(uint8_t *bytes, const fuzz_picture *picture)
{
    const int32_t quality = 1 + ((picture->face.x1 / 4) & 127) % SONIC_QUALITY_MAX;
    sonic_repair_grid grid = {.row_px = picture->face.x0 / 4 & 7, .column_px = picture->face.y0 / 4 & 7};
    sonic_pixels pixels = {.bytes = bytes, .width_px = picture->image.width_px, .height_px = picture->image.height_px};
    sonic_pixels_repair report;
    float chroma_steps[64];
    int32_t known = 0;
    double fit = 0;
    fill_steps(grid.steps, quality, 0);
    fill_steps(chroma_steps, quality, 1);
    SONIC_FUZZ_EXPECT(sonic_pixels_fit(&fit, &pixels, &grid) == SONIC_OK && isfinite(fit));
    if (picture->face.y1 & 4) {
        SONIC_FUZZ_EXPECT(sonic_pixels_estimate_table(&known, &grid, &pixels) == SONIC_OK && known >= 0 && known <= 64);
        for (int i = 0; known && i < 64; i++)
            SONIC_FUZZ_EXPECT(grid.steps[i] > 0);
        if (!known)
            fill_steps(grid.steps, quality, 0);
    }
    SONIC_FUZZ_EXPECT(sonic_repair_pixels(&report, &pixels, &grid, chroma_steps) == SONIC_OK && isfinite(report.fit) &&
                      isfinite(report.chroma.fit));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_picture picture;
    if (!fuzz_picture_make(&picture, bytes, size))
        return 0;
    const size_t row = 3 * (size_t)picture.image.width_px;
    uint8_t *packed = malloc(row * (size_t)picture.image.height_px);
    SONIC_FUZZ_EXPECT(packed);
    for (int32_t y = 0; y < picture.image.height_px; y++)
        memcpy(packed + (size_t)y * row, picture.image.data + y * picture.image.stride, row);
    repair(packed, &picture);
    free(packed);
    free(picture.image.data);
    return 0;
}
