#include "watermark/embed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "core/plane.h"
#include "core/scalar.h"
#include "face/landmarks.h"
#include "watermark/blur.h"
#include "watermark/chips.h"
#include "watermark/payload_code.h"

enum { SIDE_MAX_PX = 8192, GRAIN = 16 };
#define HIGH_PASS_CHIPS 2.0f /* the pattern has no lower frequencies: they show in flat areas */
#define TEXTURE_GAIN 0.08f   /* strength per level of the texture's standard deviation */
#define FINE_CELLS 2.0f      /* texture is what is finer than this */
#define AROUND_CELLS 3.0f    /* and is averaged over this */
#define SPARED_EDGE 1.7f     /* a spared ellipse fades out up to this, in its squared radius */

static const int16_t lips[] = {SONIC_LANDMARKS_LIPS_OUTER};
static const int16_t left_eye[] = {SONIC_LANDMARKS_EYE_LEFT}, right_eye[] = {SONIC_LANDMARKS_EYE_RIGHT};

/* Texture is measured on cells of `cell_px` x `cell_px` pixels. */
struct sonic_watermark {
    int32_t width_px, height_px, cell_px;
    float *pattern;                              /* [height][width], root mean square 1 */
    sonic_plane luma, strength, spared, scratch; /* [cells]; spared: share of the strength that is left */
    float *memory;
};

/* The grid of a payload without its low frequencies, in SONIC_CHIPS x SONIC_CHIPS. `values` has room for a grid that
 * is repeated once in each direction, which makes the blur periodic, and twice that. */
static void fill_grid(float *grid, float *values, uint32_t payload, const sonic_chips *chips)
{
    enum { N = SONIC_CHIPS, BIG = 2 * SONIC_CHIPS };
    float symbols[SONIC_CODE_SYMBOLS];
    sonic_payload_encode(symbols, payload);
    for (int y = 0; y < N; y++)
        for (int x = 0; x < N; x++) {
            const int16_t symbol = chips->symbol[y][x];
            grid[y * N + x] = chips->sign[y][x] * (symbol == SONIC_CHIP_PILOT ? 1.0f : symbols[symbol]);
        }
    for (int y = 0; y < BIG; y++)
        for (int x = 0; x < BIG; x++)
            values[y * BIG + x] = grid[(y + N / 2) % N * N + (x + N / 2) % N];
    sonic_plane_blur(&(sonic_plane){values, BIG, BIG}, HIGH_PASS_CHIPS, values + BIG * BIG);
    for (int y = 0; y < N; y++)
        for (int x = 0; x < N; x++)
            grid[y * N + x] -= values[(y + N / 2) * BIG + x + N / 2];
}

/* Four neighbours of a position and their weights: Catmull-Rom's cubic (R. Keys, IEEE Trans. ASSP 29, 1981). */
static void cubic_at(int32_t index[4], float weight[4], double position)
{
    const double base = floor(position);
    const float t = (float)(position - base), t2 = t * t, t3 = t2 * t;
    for (int i = 0; i < 4; i++)
        index[i] = (int32_t)(((int64_t)base + i - 1 + 2 * SONIC_CHIPS) % SONIC_CHIPS);
    weight[0] = 0.5f * (-t3 + 2.0f * t2 - t), weight[1] = 0.5f * (3.0f * t3 - 5.0f * t2 + 2.0f);
    weight[2] = 0.5f * (-3.0f * t3 + 4.0f * t2 + t), weight[3] = 0.5f * (t3 - t2);
}

/* The grid at the pixels, root mean square 1. */
static void fill_pattern(sonic_watermark *mark, const float *grid)
{
    const int32_t shorter = mark->width_px < mark->height_px ? mark->width_px : mark->height_px;
    const double chips_per_px = (double)SONIC_CANONICAL_PX / SONIC_CHIP_PX / shorter;
    double sum = 0;
    for (int32_t y = 0; y < mark->height_px; y++) {
        float row[SONIC_CHIPS], weight[4];
        int32_t index[4];
        cubic_at(index, weight, (y + 0.5) * chips_per_px - 0.5);
        for (int x = 0; x < SONIC_CHIPS; x++) {
            row[x] = 0;
            for (int i = 0; i < 4; i++)
                row[x] += weight[i] * grid[index[i] * SONIC_CHIPS + x];
        }
        float *out = mark->pattern + (ptrdiff_t)y * mark->width_px;
        for (int32_t x = 0; x < mark->width_px; x++) {
            cubic_at(index, weight, (x + 0.5) * chips_per_px - 0.5);
            out[x] = weight[0] * row[index[0]] + weight[1] * row[index[1]] + weight[2] * row[index[2]] +
                     weight[3] * row[index[3]];
            sum += (double)out[x] * out[x];
        }
    }
    const size_t count = (size_t)mark->width_px * mark->height_px;
    const float scale = (float)sqrt(count / (sum > 0 ? sum : 1.0));
    for (size_t i = 0; i < count; i++)
        mark->pattern[i] *= scale;
}

static sonic_status render(sonic_watermark *mark, uint32_t payload)
{
    enum { N = SONIC_CHIPS };
    sonic_chips *chips = malloc(sizeof *chips + 9 * N * N * sizeof(float));
    if (!chips)
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: there is not enough memory for a watermark.");
    float *grid = (float *)(chips + 1);
    sonic_chips_fill(chips);
    fill_grid(grid, grid + N * N, payload, chips);
    fill_pattern(mark, grid);
    free(chips);
    return SONIC_OK;
}

sonic_status sonic_watermark_create(sonic_watermark **out, int32_t width_px, int32_t height_px, uint32_t payload)
{
    *out = NULL;
    if (width_px < 1 || height_px < 1 || width_px > SIDE_MAX_PX || height_px > SIDE_MAX_PX)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Use frames with sides of 1 to %d px, not %d x %d.", SIDE_MAX_PX,
                          width_px, height_px);
    const int32_t shorter = width_px < height_px ? width_px : height_px;
    const int32_t cell = shorter / SONIC_CANONICAL_PX > 1 ? shorter / SONIC_CANONICAL_PX : 1;
    const int32_t columns = (width_px + cell - 1) / cell, rows = (height_px + cell - 1) / cell;
    const size_t pixels = (size_t)width_px * height_px, cells = (size_t)columns * rows;
    sonic_watermark *mark = calloc(1, sizeof *mark);
    float *memory = mark ? malloc((pixels + 4 * cells) * sizeof *memory) : NULL;
    if (!memory) {
        free(mark);
        return sonic_fail(SONIC_ERROR_MEMORY, "Use smaller frames: there is not enough memory to mark these.");
    }
    *mark =
        (sonic_watermark){width_px, height_px, cell, memory, {memory + pixels, columns, rows}, {0}, {0}, {0}, memory};
    mark->strength = mark->spared = mark->scratch = mark->luma;
    mark->strength.data += cells, mark->spared.data += 2 * cells, mark->scratch.data += 3 * cells;
    sonic_watermark_spare(mark, NULL, 0);
    const sonic_status status = render(mark, payload);
    if (status)
        sonic_watermark_free(mark);
    else
        *out = mark;
    return status;
}

void sonic_watermark_free(sonic_watermark *mark)
{
    if (!mark)
        return;
    free(mark->memory);
    free(mark);
}

/* Clears the ellipse around the box of some points, a third larger, for they move between meshes. */
static void spare_around(sonic_plane *spared, const float *mesh, const int16_t *points, int count, float cell_px)
{
    float low[2] = {1e9f, 1e9f}, high[2] = {-1e9f, -1e9f};
    for (int i = 0; i < count; i++)
        for (int axis = 0; axis < 2; axis++) {
            const float at = mesh[3 * points[i] + axis] / cell_px;
            if (!(fabsf(at) < 1e6f))
                return;
            low[axis] = fminf(low[axis], at), high[axis] = fmaxf(high[axis], at);
        }
    const float cx = 0.5f * (low[0] + high[0]), cy = 0.5f * (low[1] + high[1]);
    const float rx = 0.66f * (high[0] - low[0]) + 1.0f, ry = 0.66f * (high[1] - low[1]) + 0.1f * rx + 1.0f;
    const int32_t top = (int32_t)sonic_clampf(cy - 1.4f * ry, 0, (float)spared->height_px),
                  bottom = (int32_t)sonic_clampf(cy + 1.4f * ry + 1, 0, (float)spared->height_px);
    for (int32_t y = top; y < bottom; y++)
        for (int32_t x = 0; x < spared->width_px; x++) {
            const float u = ((float)x + 0.5f - cx) / rx, v = ((float)y + 0.5f - cy) / ry;
            const float left = sonic_smoothstep((u * u + v * v - 1.0f) / (SPARED_EDGE - 1.0f));
            float *at = spared->data + (ptrdiff_t)y * spared->width_px + x;
            *at = left < *at ? left : *at;
        }
}

void sonic_watermark_spare(sonic_watermark *mark, const float *meshes, int32_t count)
{
    const float cell = (float)mark->cell_px;
    for (int64_t i = 0; i < (int64_t)mark->spared.width_px * mark->spared.height_px; i++)
        mark->spared.data[i] = 1.0f;
    for (int32_t i = 0; i < count; i++) {
        const float *mesh = meshes + (size_t)i * SONIC_MESH_POINTS * 3;
        spare_around(&mark->spared, mesh, lips, sizeof lips / sizeof *lips, cell);
        spare_around(&mark->spared, mesh, left_eye, sizeof left_eye / sizeof *left_eye, cell);
        spare_around(&mark->spared, mesh, right_eye, sizeof right_eye / sizeof *right_eye, cell);
    }
}

typedef struct frame_job {
    sonic_watermark *mark;
    sonic_image frame;
} frame_job;

/* Mean luma (ITU-R BT.601) of cells, in rows of them. */
static void measure_luma(int64_t begin, int64_t end, void *context)
{
    const frame_job *job = context;
    const sonic_watermark *mark = job->mark;
    const int32_t cell = mark->cell_px;
    for (int32_t row = (int32_t)begin; row < end; row++)
        for (int32_t column = 0; column < mark->luma.width_px; column++) {
            int32_t sum = 0, count = 0;
            for (int32_t y = row * cell; y < (row + 1) * cell && y < mark->height_px; y++) {
                const uint8_t *p = job->frame.data + y * job->frame.stride + 3 * (ptrdiff_t)column * cell;
                for (int32_t x = column * cell; x < (column + 1) * cell && x < mark->width_px; x++, p += 3)
                    sum += 77 * p[0] + 150 * p[1] + 29 * p[2], count++;
            }
            mark->luma.data[(ptrdiff_t)row * mark->luma.width_px + column] = (float)sum / (256.0f * (float)count);
        }
}

SONIC_WIDE static void square_difference(float *out, const float *a, const float *b, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = (a[i] - b[i]) * (a[i] - b[i]);
}

SONIC_WIDE static void variance_to_strength(float *out, const float *spared, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const float strength = SONIC_WATERMARK_LEAST + TEXTURE_GAIN * sqrtf(out[i]);
        out[i] = (strength < SONIC_WATERMARK_MOST ? strength : SONIC_WATERMARK_MOST) * spared[i];
    }
}

static void measure_strength(sonic_watermark *mark)
{
    const int64_t count = (int64_t)mark->luma.width_px * mark->luma.height_px;
    memcpy(mark->strength.data, mark->luma.data, (size_t)count * sizeof(float));
    sonic_plane_blur(&mark->luma, FINE_CELLS, mark->scratch.data);
    square_difference(mark->strength.data, mark->strength.data, mark->luma.data, count);
    sonic_plane_blur(&mark->strength, AROUND_CELLS, mark->scratch.data);
    variance_to_strength(mark->strength.data, mark->spared.data, count);
}

static uint8_t rounded(float level) { return level <= 0.0f ? 0 : level >= 255.0f ? 255 : (uint8_t)(level + 0.5f); }

static void add_pattern(int64_t begin, int64_t end, void *context)
{
    const frame_job *job = context;
    const sonic_watermark *mark = job->mark;
    const sonic_plane *strength = &mark->strength;
    const float step = 1.0f / (float)mark->cell_px;
    for (int32_t y = (int32_t)begin; y < end; y++) {
        uint8_t *p = job->frame.data + y * job->frame.stride;
        const float *pattern = mark->pattern + (ptrdiff_t)y * mark->width_px;
        const float at_y = sonic_clampf(((float)y + 0.5f) * step - 0.5f, 0, (float)(strength->height_px - 1));
        const int32_t row = (int32_t)at_y;
        const float *upper = sonic_plane_row(strength, row),
                    *lower = sonic_plane_row(strength, sonic_clamp_index(row + 1, strength->height_px));
        const float v = at_y - (float)row;
        for (int32_t x = 0; x < mark->width_px; x++, p += 3) {
            const float at_x = sonic_clampf(((float)x + 0.5f) * step - 0.5f, 0, (float)(strength->width_px - 1));
            const int32_t left = (int32_t)at_x, right = left + (left + 1 < strength->width_px);
            const float u = at_x - (float)left, a = upper[left] + v * (lower[left] - upper[left]),
                        b = upper[right] + v * (lower[right] - upper[right]);
            const float change = (a + u * (b - a)) * pattern[x];
            for (int c = 0; c < 3; c++)
                p[c] = rounded((float)p[c] + change);
        }
    }
}

sonic_status sonic_watermark_apply(sonic_watermark *mark, sonic_image frame)
{
    if (frame.width_px != mark->width_px || frame.height_px != mark->height_px || frame.channels != 3)
        return sonic_fail(SONIC_ERROR_SHAPE, "Give frames of %d x %d px with 3 channels, not %d x %d with %d.",
                          mark->width_px, mark->height_px, frame.width_px, frame.height_px, frame.channels);
    frame_job job = {mark, frame};
    sonic_parallel_for(mark->luma.height_px, GRAIN, measure_luma, &job);
    measure_strength(mark);
    sonic_parallel_for(mark->height_px, GRAIN, add_pattern, &job);
    return SONIC_OK;
}
