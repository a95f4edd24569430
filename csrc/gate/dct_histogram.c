#include "gate/dct_histogram.h"

#include <math.h>
#include <string.h>

/* Halves of cosines: DCT_k = cos(k pi / 16) / 2; the constant mode's weight is sqrt(1 / 8). */
#define D0 0.35355339059327373f
#define D1 0.49039264020161522f
#define D2 0.46193976625564337f
#define D3 0.41573480615127262f
#define D5 0.27778511650980109f
#define D6 0.19134171618254489f
#define D7 0.09754516100806413f

#define FREQUENCIES 5
#define ROWS 8

typedef struct rows {
    float *across[ROWS][FREQUENCIES]; /* horizontal DCTs of the last eight rows, by y & 7 */
    float *clipped[ROWS];             /* 1e9 where one of the next eight pixels is clipped */
    float *column_clip;               /* the same over the eight rows of the block */
    int16_t *index[FREQUENCIES];
} rows;

static size_t row_floats(int32_t width_px) { return ((size_t)width_px + 15) / 16 * 16; }

size_t sonic_dct_histogram_scratch_size(int32_t width_px)
{
    return row_floats(width_px) * (ROWS * FREQUENCIES + ROWS + 1) * sizeof(float) +
           row_floats(width_px) * FREQUENCIES * sizeof(int16_t);
}

static void place_rows(rows *r, int32_t width_px, void *scratch)
{
    float *next = scratch;
    size_t n = row_floats(width_px);
    for (int k = 0; k < ROWS; k++) {
        for (int v = 0; v < FREQUENCIES; v++, next += n)
            r->across[k][v] = next;
        r->clipped[k] = next, next += n;
    }
    r->column_clip = next, next += n;
    for (int u = 0; u < FREQUENCIES; u++)
        r->index[u] = (int16_t *)next + (size_t)u * n;
}

/* Horizontal DCT at frequencies 0 to 4; even and odd halves share sums. */
SONIC_WIDE
static void across_row(float *restrict o0, float *restrict o1, float *restrict o2, float *restrict o3,
                       float *restrict o4, const float *restrict in, int32_t count)
{
    for (int32_t x = 0; x < count; x++) {
        float s0 = in[x] + in[x + 7], s1 = in[x + 1] + in[x + 6], s2 = in[x + 2] + in[x + 5],
              s3 = in[x + 3] + in[x + 4];
        float d0 = in[x] - in[x + 7], d1 = in[x + 1] - in[x + 6], d2 = in[x + 2] - in[x + 5],
              d3 = in[x + 3] - in[x + 4];
        o0[x] = D0 * ((s0 + s3) + (s1 + s2));
        o1[x] = D1 * d0 + D3 * d1 + D5 * d2 + D7 * d3;
        o2[x] = D2 * (s0 - s3) + D6 * (s1 - s2);
        o3[x] = D3 * d0 - D7 * d1 - D1 * d2 - D5 * d3;
        o4[x] = D0 * ((s0 + s3) - (s1 + s2));
    }
}

/* Not fminf: its rule for NaN keeps compilers from using the vector instruction. */
static inline float least(float a, float b) { return a < b ? a : b; }
static inline float most(float a, float b) { return a > b ? a : b; }

SONIC_WIDE
static void clipped_row(float *restrict out, const float *restrict in, int32_t count)
{
    for (int32_t x = 0; x < count; x++) {
        float low = least(least(least(in[x], in[x + 1]), least(in[x + 2], in[x + 3])),
                          least(least(in[x + 4], in[x + 5]), least(in[x + 6], in[x + 7])));
        float high = most(most(most(in[x], in[x + 1]), most(in[x + 2], in[x + 3])),
                          most(most(in[x + 4], in[x + 5]), most(in[x + 6], in[x + 7])));
        out[x] = (low <= 1.0f || high >= 254.0f) ? 1e9f : 0.0f;
    }
}

SONIC_WIDE
static void clipped_block(float *restrict out, float *const rows8[ROWS], int32_t count)
{
    const float *restrict a = rows8[0], *restrict b = rows8[1], *restrict c = rows8[2], *restrict d = rows8[3];
    const float *restrict e = rows8[4], *restrict f = rows8[5], *restrict g = rows8[6], *restrict h = rows8[7];
    for (int32_t x = 0; x < count; x++)
        out[x] = ((a[x] + b[x]) + (c[x] + d[x])) + ((e[x] + f[x]) + (g[x] + h[x]));
}

static inline int16_t bin_of(float coefficient, float clip)
{
    float scaled = fabsf(coefficient) * (1.0f / SONIC_DCT_BIN_WIDTH) + clip;
    return (int16_t)(scaled < SONIC_DCT_BINS - 1 ? scaled : (float)(SONIC_DCT_BINS - 1));
}

typedef struct eight_rows {
    const float *row[ROWS];
} eight_rows;

/* Vertical DCT at the frequencies in the function's name, as bins. One loop each, so that compilers vectorise all loads
 * and stores. */
#define SUMS                                                                                                           \
    float s0 = a[x] + h[x], s1 = b[x] + g[x], s2 = c[x] + f[x], s3 = d[x] + e[x];                                      \
    (void)s0, (void)s1, (void)s2, (void)s3
#define DIFFERENCES                                                                                                    \
    float d0 = a[x] - h[x], d1 = b[x] - g[x], d2 = c[x] - f[x], d3 = d[x] - e[x];                                      \
    (void)d0, (void)d1, (void)d2, (void)d3
#define ROW_POINTERS                                                                                                   \
    const float *restrict a = in->row[0], *restrict b = in->row[1], *restrict c = in->row[2],                          \
                          *restrict d = in->row[3];                                                                    \
    const float *restrict e = in->row[4], *restrict f = in->row[5], *restrict g = in->row[6], *restrict h = in->row[7]

SONIC_WIDE
static void down_0(int16_t *restrict o0, const eight_rows *in, const float *restrict clip, int32_t count)
{
    ROW_POINTERS;
    for (int32_t x = 0; x < count; x++) {
        SUMS;
        o0[x] = bin_of(D0 * ((s0 + s3) + (s1 + s2)), clip[x]);
    }
}

SONIC_WIDE
static void down_13(int16_t *restrict o1, int16_t *restrict o3, const eight_rows *in, const float *restrict clip,
                    int32_t count)
{
    ROW_POINTERS;
    for (int32_t x = 0; x < count; x++) {
        DIFFERENCES;
        o1[x] = bin_of(D1 * d0 + D3 * d1 + D5 * d2 + D7 * d3, clip[x]);
        o3[x] = bin_of(D3 * d0 - D7 * d1 - D1 * d2 - D5 * d3, clip[x]);
    }
}

SONIC_WIDE
static void down_1(int16_t *restrict o1, const eight_rows *in, const float *restrict clip, int32_t count)
{
    ROW_POINTERS;
    for (int32_t x = 0; x < count; x++) {
        DIFFERENCES;
        o1[x] = bin_of(D1 * d0 + D3 * d1 + D5 * d2 + D7 * d3, clip[x]);
    }
}

SONIC_WIDE
static void down_24(int16_t *restrict o2, int16_t *restrict o4, const eight_rows *in, const float *restrict clip,
                    int32_t count)
{
    ROW_POINTERS;
    for (int32_t x = 0; x < count; x++) {
        SUMS;
        o2[x] = bin_of(D2 * (s0 - s3) + D6 * (s1 - s2), clip[x]);
        o4[x] = bin_of(D0 * ((s0 + s3) - (s1 + s2)), clip[x]);
    }
}

SONIC_WIDE
static void down_02(int16_t *restrict o0, int16_t *restrict o2, const eight_rows *in, const float *restrict clip,
                    int32_t count)
{
    ROW_POINTERS;
    for (int32_t x = 0; x < count; x++) {
        SUMS;
        o0[x] = bin_of(D0 * ((s0 + s3) + (s1 + s2)), clip[x]);
        o2[x] = bin_of(D2 * (s0 - s3) + D6 * (s1 - s2), clip[x]);
    }
}

/* counts: [8 horizontal offsets][stride]. Neighbours go to different tables and do not wait for each other's store. */
static void tally(uint32_t *restrict counts, size_t stride, const int16_t *restrict index, int32_t count)
{
    int32_t x = 0;
    for (; x + 8 <= count; x += 8)
        for (int k = 0; k < 8; k++)
            counts[(size_t)k * stride + (size_t)index[x + k]]++;
    for (; x < count; x++)
        counts[(size_t)(x & 7) * stride + (size_t)index[x]]++;
}

/* Bins of all vertical frequencies that go with horizontal frequency v. */
static void down_group(const rows *r, int32_t top, int v, int32_t count)
{
    eight_rows in;
    for (int k = 0; k < ROWS; k++)
        in.row[k] = r->across[(top + k) & 7][v];
    if (v == 0) {
        down_13(r->index[1], r->index[3], &in, r->column_clip, count);
        down_24(r->index[2], r->index[4], &in, r->column_clip, count);
    } else if (v == 1) {
        down_02(r->index[0], r->index[2], &in, r->column_clip, count);
        down_13(r->index[1], r->index[3], &in, r->column_clip, count);
    } else if (v == 2) {
        down_02(r->index[0], r->index[2], &in, r->column_clip, count);
        down_1(r->index[1], &in, r->column_clip, count);
    } else {
        down_0(r->index[0], &in, r->column_clip, count);
        if (v == 3)
            down_1(r->index[1], &in, r->column_clip, count);
    }
}

/* Counts all blocks whose first row is `top`. */
static void count_row(uint32_t *counts, sonic_region_map *map, const rows *r, int32_t top, int32_t count)
{
    const size_t stride = (size_t)SONIC_DCT_MODES * SONIC_DCT_BINS;
    clipped_block(r->column_clip, r->clipped, count);
    uint32_t *first = counts ? counts + (size_t)(top & 7) * 8 * stride : NULL;
    for (int v = 0, mode = 0; v < FREQUENCIES; v++) {
        down_group(r, top, v, count);
        for (int u = v == 0; u + v < FREQUENCIES; u++, mode++) {
            if (first)
                tally(first + (size_t)mode * SONIC_DCT_BINS, stride, r->index[u], count);
            if (map)
                sonic_region_map_add(map, r->index[u], count);
        }
    }
}

void sonic_dct_histogram_count(uint32_t *counts, sonic_region_map *map, const sonic_plane *luma, void *scratch)
{
    rows r;
    if (counts)
        memset(counts, 0, SONIC_DCT_COUNTS * sizeof *counts);
    if (luma->width_px < 8 || luma->height_px < 8)
        return;
    const int32_t count = luma->width_px - 7;
    place_rows(&r, luma->width_px, scratch);
    for (int32_t y = 0; y < luma->height_px; y++) {
        float **o = r.across[y & 7];
        across_row(o[0], o[1], o[2], o[3], o[4], sonic_plane_row(luma, y), count);
        clipped_row(r.clipped[y & 7], sonic_plane_row(luma, y), count);
        if (y < 7)
            continue;
        count_row(counts, map, &r, y - 7, count);
        if (map)
            sonic_region_map_end_row(map, y - 7, luma->height_px - 8, count);
    }
}
