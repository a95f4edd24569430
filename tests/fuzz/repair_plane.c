/* Repair of a plane of any size, on any grid, with any steps: red levels of the image are the plane, green ones steps.
 */
#include <math.h>

#include "repair/plane.h"
#include "picture.h"

#define LEVELS 400.0f /* how far repaired levels may leave 128 */

static sonic_repair_grid grid_of(const fuzz_picture *picture)
{
    sonic_repair_grid grid = {.row_px = picture->face.x0 / 4 & 7, .column_px = picture->face.y0 / 4 & 7};
    for (int i = 0; i < 64; i++)
        grid.steps[i] = 1 + picture->image.data[3 * (i % picture->image.width_px) + 1];
    return grid;
}

static void repair(const fuzz_picture *picture, float *in, float *out)
{
    const sonic_image image = picture->image;
    const sonic_repair_grid grid = grid_of(picture);
    const sonic_plane from = {in, image.width_px, image.height_px}, to = {out, image.width_px, image.height_px};
    for (int32_t y = 0; y < image.height_px; y++)
        for (int32_t x = 0; x < image.width_px; x++)
            in[y * image.width_px + x] = image.data[y * image.stride + 3 * x];
    SONIC_FUZZ_EXPECT(sonic_repair_plane(&to, &from, &grid) == SONIC_OK);
    for (int32_t i = 0; i < image.width_px * image.height_px; i++)
        SONIC_FUZZ_EXPECT(fabsf(out[i] - 128.0f) < LEVELS);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_picture picture;
    if (!fuzz_picture_make(&picture, bytes, size))
        return 0;
    const size_t count = (size_t)picture.image.width_px * (size_t)picture.image.height_px;
    float *in = malloc(count * sizeof *in), *out = malloc(count * sizeof *out);
    SONIC_FUZZ_EXPECT(in && out);
    repair(&picture, in, out);
    free(in);
    free(out);
    free(picture.image.data);
    return 0;
}
