#include "repair/chroma.h"

#include <string.h>

#include "core/scalar.h"

#define REGION_PX 640  /* side of the middle that is read, at most */
#define FIT_ENOUGH 0.7 /* ends the search; chosen by hand on the photos of bench/repair.py */
#define REACH 4        /* samples on either side */

/* Of the filter (1, 6, 1) / 8; symmetric. */
static const float inverse[REACH + 1] = {1.41421356f, -0.24264069f, 0.04163056f, -0.00714267f, 0.00122548f};

static inline int32_t mirrored(int32_t i, int32_t length)
{
    if (i < 0)
        i = -1 - i;
    if (i >= length)
        i = 2 * length - 1 - i;
    return sonic_clamp_index(i, length);
}

SONIC_WIDE
static void halve_row(float *restrict out, const float *restrict in, int32_t count)
{
    for (int32_t x = 0; x < count; x++)
        out[x] = 0.5f * (in[2 * x] + in[2 * x + 1]);
}

static inline float sharpen_at(const float *in, int32_t x, int32_t count)
{
    float sum = inverse[0] * in[x];
    for (int32_t k = 1; k <= REACH; k++)
        sum += inverse[k] * (in[mirrored(x - k, count)] + in[mirrored(x + k, count)]);
    return sum;
}

SONIC_WIDE
static void sharpen_middle(float *restrict out, const float *restrict in, int32_t count)
{
    for (int32_t x = REACH; x < count - REACH; x++)
        out[x] = inverse[0] * in[x] + inverse[1] * (in[x - 1] + in[x + 1]) + inverse[2] * (in[x - 2] + in[x + 2]) +
                 inverse[3] * (in[x - 3] + in[x + 3]) + inverse[4] * (in[x - 4] + in[x + 4]);
}

static void sharpen_row(float *restrict out, const float *restrict in, int32_t count)
{
    sharpen_middle(out, in, count);
    for (int32_t x = 0; x < REACH && x < count; x++) {
        out[x] = sharpen_at(in, x, count);
        out[count - 1 - x] = sharpen_at(in, count - 1 - x, count);
    }
}

SONIC_WIDE
static void mean_of_rows(float *restrict out, const float *restrict a, const float *restrict b, int32_t count)
{
    for (int32_t x = 0; x < count; x++)
        out[x] = 0.5f * (a[x] + b[x]);
}

SONIC_WIDE
static void add_row(float *restrict out, const float *restrict a, const float *restrict b, float weight, int32_t count)
{
    for (int32_t x = 0; x < count; x++)
        out[x] += weight * (a[x] + b[x]);
}

/* Filters data, [height][width], along columns. */
static void sharpen_columns(float *data, int32_t width, int32_t height, float *work)
{
    const size_t row = (size_t)width;
    memset(work, 0, row * (size_t)height * sizeof *work);
    for (int32_t y = 0; y < height; y++) {
        add_row(work + row * (size_t)y, data + row * (size_t)y, data + row * (size_t)y, 0.5f * inverse[0], width);
        for (int32_t k = 1; k <= REACH; k++)
            add_row(work + row * (size_t)y, data + row * (size_t)mirrored(y - k, height),
                    data + row * (size_t)mirrored(y + k, height), inverse[k], width);
    }
    memcpy(data, work, row * (size_t)height * sizeof *work);
}

static void sample_rows(float *out, const sonic_plane *in, const sonic_chroma *c, int32_t width, float *work)
{
    for (int32_t y = 0; y < in->height_px; y++) {
        const float *from = sonic_plane_row(in, y) + c->first_x_px;
        float *row = out + (ptrdiff_t)y * width;
        if (c->across == 1)
            memcpy(row, from, (size_t)width * sizeof *row);
        else
            halve_row(row, from, width);
        if (c->across == 2 && c->smooth) {
            memcpy(work, row, (size_t)width * sizeof *row);
            sharpen_row(row, work, width);
        }
    }
}

void sonic_chroma_sample(sonic_plane *out, const sonic_plane *in, const sonic_chroma *c, float *work)
{
    const int32_t width = (in->width_px - c->first_x_px) / c->across,
                  height = (in->height_px - c->first_y_px) / c->down;
    float *rows = out->data;
    sample_rows(rows, in, c, width, work);
    if (c->down == 2)
        for (int32_t y = 0; y < height; y++) {
            const float *a = rows + (ptrdiff_t)(c->first_y_px + 2 * y) * width;
            mean_of_rows(work, a, a + width, width);
            memcpy(rows + (ptrdiff_t)y * width, work, (size_t)width * sizeof *work);
        }
    if (c->down == 2 && c->smooth)
        sharpen_columns(rows, width, height, work);
    out->width_px = width;
    out->height_px = height;
}

/* The middle of a plane; it begins at a multiple of 16 pixels, so grid offsets stay valid. */
static sonic_plane middle_of(const sonic_plane *plane, float *memory)
{
    const int32_t width = plane->width_px < REGION_PX ? plane->width_px : REGION_PX,
                  height = plane->height_px < REGION_PX ? plane->height_px : REGION_PX;
    const int32_t x0 = (plane->width_px - width) / 32 * 16, y0 = (plane->height_px - height) / 32 * 16;
    const sonic_plane middle = {memory, width, height};
    for (int32_t y = 0; y < height; y++)
        memcpy(memory + (ptrdiff_t)y * width, sonic_plane_row(plane, y0 + y) + x0, (size_t)width * sizeof *memory);
    return middle;
}

typedef struct search {
    sonic_plane planes[2]; /* blue and red */
    const sonic_repair_grid *luma;
    float *scratch;
} search;

/* A block of halved chroma begins at this luma block or at the next one in each direction: choice 0 to 3. */
static void place_grid(sonic_chroma *c, const sonic_repair_grid *luma, int choice)
{
    c->grid.column_px = ((luma->column_px - c->first_x_px) / c->across + 4 * (choice % c->across)) & 7;
    c->grid.row_px = ((luma->row_px - c->first_y_px) / c->down + 4 * (choice / c->across)) & 7;
}

static void try_grids(sonic_chroma *best, const search *s, sonic_chroma c)
{
    sonic_quant_fit fits[4] = {{0, 0}};
    c.first_x_px = c.across == 2 ? s->luma->column_px & 1 : 0;
    c.first_y_px = c.down == 2 ? s->luma->row_px & 1 : 0;
    for (int i = 0; i < 2; i++) {
        sonic_plane samples = {s->scratch + REGION_PX * REGION_PX, 0, 0};
        const sonic_plane middle = middle_of(&s->planes[i], s->scratch);
        sonic_chroma_sample(&samples, &middle, &c, s->scratch + 2 * REGION_PX * REGION_PX);
        for (int choice = 0; choice < c.across * c.down; choice++) {
            place_grid(&c, s->luma, choice);
            sonic_quant_fit_add(&fits[choice], &samples, &c.grid);
        }
    }
    for (int choice = 0; choice < c.across * c.down; choice++) {
        c.fit = sonic_quant_fit_mean(&fits[choice]);
        place_grid(&c, s->luma, choice);
        if (c.fit > best->fit)
            *best = c;
    }
}

void sonic_chroma_find(sonic_chroma *out, const sonic_plane *blue, const sonic_plane *red,
                       const sonic_repair_grid *luma, const float steps[64], float *scratch)
{
    /* {across, down, smooth}: the most common first. */
    static const int8_t layouts[7][3] = {{2, 2, 1}, {1, 1, 0}, {2, 1, 1}, {2, 2, 0}, {2, 1, 0}, {1, 2, 1}, {1, 2, 0}};
    const search s = {{*blue, *red}, luma, scratch};
    memset(out, 0, sizeof *out);
    if (blue->width_px < 16 || blue->height_px < 16)
        return;
    for (int i = 0; i < 7 && out->fit < FIT_ENOUGH; i++) {
        sonic_chroma c = {.across = layouts[i][0], .down = layouts[i][1], .smooth = layouts[i][2]};
        memcpy(c.grid.steps, steps, sizeof c.grid.steps);
        try_grids(out, &s, c);
    }
    if (out->fit < SONIC_QUANT_FIT_CONFIDENT)
        out->across = out->down = 0;
}
