#include "gate/sharpness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N SONIC_FOURIER_BLOCK
#define BANDS SONIC_SHARPNESS_BANDS
#define SECTORS SONIC_SHARPNESS_SECTORS
#define GROUPS (BANDS + 2 * SECTORS + 3) /* bands; sectors low, high; ratio low, high; noise */
#define RATIO_LOW (BANDS + 2 * SECTORS)
#define RATIO_HIGH (RATIO_LOW + 1)
#define NOISE (RATIO_LOW + 2)
#define CONTRAST                                                                                                       \
    4.0f /* low-band density below which a block is flat, levels^2; by hand on the variants of bench/gate.py */

const float sonic_sharpness_edge[BANDS] = {0.03f, 0.06f, 0.09f, 0.125f, 0.18f, 0.25f, 0.35f, 0.46f};

/* Power density of one block in each group of frequencies, levels^2: white noise of deviation s has s^2 everywhere. */
typedef struct block_power {
    float density[GROUPS];
    int32_t x, y; /* of its middle, pixels */
} block_power;

/* The bins of each group, one group after the other. */
typedef struct layout {
    uint16_t bin[4 * N * N];
    int32_t start[GROUPS + 1];
} layout;

static int in_group(int group, float f, float degrees)
{
    if (group < BANDS)
        return f >= sonic_sharpness_edge[group] && (group == BANDS - 1 || f < sonic_sharpness_edge[group + 1]);
    if (group == RATIO_LOW)
        return f >= 0.05f && f < 0.13f;
    if (group == RATIO_HIGH)
        return f >= 0.2f && f < 0.4f;
    if (group == NOISE)
        return f >= 0.42f && f < 0.65f;
    int sector = (group - BANDS) % SECTORS, high = group - BANDS >= SECTORS;
    float off = fabsf(degrees - 45.0f * (float)sector);
    if (off > 90.0f)
        off = 180.0f - off;
    return off <= 22.5f && (high ? f >= 0.22f && f < 0.42f : f >= 0.05f && f < 0.11f);
}

/* Only positive horizontal frequencies: the other half-plane mirrors them. Bins are [horizontal][vertical]. */
static void fill_layout(layout *out)
{
    float frequency[(N / 2 + 1) * N], degrees[(N / 2 + 1) * N];
    int32_t count = 0;
    for (int bin = 0; bin < (N / 2 + 1) * N; bin++) {
        const int u = bin / N, v = bin % N;
        const float fx = (float)u / N, fy = (float)(v <= N / 2 ? v : v - N) / N, angle = atan2f(fy, fx) * 57.29578f;
        frequency[bin] = sqrtf(fx * fx + fy * fy);
        degrees[bin] = angle < 0 ? angle + 180.0f : angle;
    }
    for (int group = 0; group < GROUPS; group++) {
        out->start[group] = count;
        for (int bin = 0; bin < (N / 2 + 1) * N; bin++)
            if (in_group(group, frequency[bin], degrees[bin]))
                out->bin[count++] = (uint16_t)bin;
    }
    out->start[GROUPS] = count;
}

/* Two blocks become the real and imaginary part of one. Means are subtracted, or the window would spread them. */
static void load_pair(sonic_fourier_block *block, const sonic_plane *luma, int32_t x, int32_t y, int32_t second_x,
                      const float window[N])
{
    float mean_a = 0, mean_b = 0;
    for (int i = 0; i < N; i++) {
        const float *row = sonic_plane_row(luma, y + i);
        for (int k = 0; k < N; k++)
            mean_a += row[x + k], mean_b += row[second_x + k];
    }
    mean_a /= N * N, mean_b /= N * N;
    for (int i = 0; i < N; i++) {
        const float *a = sonic_plane_row(luma, y + i) + x, *b = sonic_plane_row(luma, y + i) + second_x;
        for (int k = 0; k < N; k++) {
            float w = window[i] * window[k];
            block->re[i][k] = (a[k] - mean_a) * w;
            block->im[i][k] = (b[k] - mean_b) * w;
        }
    }
}

/* |A|^2 and |B|^2 of two real blocks from the transform of a + i b. */
static void split_power(float a[N][N], float b[N][N], const sonic_fourier_block *z)
{
    const float scale = 1.0f / (N * N * 0.140625f); /* mean square of the window: (3/8)^2 */
    for (int u = 0; u <= N / 2; u++)
        for (int v = 0; v < N; v++) {
            int mu = (N - u) % N, mv = (N - v) % N;
            float er = 0.5f * (z->re[u][v] + z->re[mu][mv]), ei = 0.5f * (z->im[u][v] - z->im[mu][mv]);
            float or_ = 0.5f * (z->im[u][v] + z->im[mu][mv]), oi = 0.5f * (z->re[mu][mv] - z->re[u][v]);
            a[u][v] = (er * er + ei * ei) * scale;
            b[u][v] = (or_ * or_ + oi * oi) * scale;
        }
}

static void sum_groups(block_power *out, float power[N][N], const layout *groups)
{
    const float *flat = &power[0][0];
    for (int group = 0; group < GROUPS; group++) {
        float sum = 0;
        for (int32_t i = groups->start[group]; i < groups->start[group + 1]; i++)
            sum += flat[groups->bin[i]];
        out->density[group] = sum / (float)(groups->start[group + 1] - groups->start[group]);
    }
}

static int32_t block_step(int32_t side_px) { return side_px < 320 ? N / 2 : N; }

static int32_t blocks_along(int32_t side_px) { return side_px < N ? 0 : (side_px - N) / block_step(side_px) + 1; }

size_t sonic_sharpness_scratch_size(int32_t width_px, int32_t height_px)
{
    size_t blocks = (size_t)blocks_along(width_px) * (size_t)blocks_along(height_px);
    return blocks * (sizeof(block_power) + sizeof(float)) + sizeof(layout) + 64;
}

static int32_t measure_blocks(block_power *out, const sonic_plane *luma, const layout *groups)
{
    sonic_fourier_tables tables;
    sonic_fourier_block block, scratch;
    float a[N][N], b[N][N];
    const int32_t columns = blocks_along(luma->width_px), rows = blocks_along(luma->height_px);
    int32_t count = 0;
    sonic_fourier_tables_init(&tables);
    for (int32_t row = 0; row < rows; row++)
        for (int32_t column = 0; column < columns; column += 2) {
            int32_t y = row * block_step(luma->height_px), x = column * block_step(luma->width_px),
                    two = column + 1 < columns;
            int32_t second = two ? x + block_step(luma->width_px) : x;
            load_pair(&block, luma, x, y, second, tables.window);
            sonic_fourier_transform(&block, &scratch, &tables);
            split_power(a, b, &block);
            sum_groups(&out[count], a, groups);
            out[count].x = x + N / 2, out[count++].y = y + N / 2;
            if (!two)
                continue;
            sum_groups(&out[count], b, groups);
            out[count].x = second + N / 2, out[count++].y = y + N / 2;
        }
    return count;
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static float quantile(float *values, int32_t count, float share)
{
    qsort(values, (size_t)count, sizeof *values, ascending);
    return values[(int32_t)(share * (float)(count - 1) + 0.5f)];
}

/* Power density of the noise: the highest frequencies of the calmest blocks. */
static float noise_density(const block_power *blocks, int32_t count, float *values)
{
    for (int32_t i = 0; i < count; i++)
        values[i] = blocks[i].density[NOISE];
    return count ? quantile(values, count, 0.1f) : 0;
}

static double log_density(double power, double noise) { return log10(fmax(power - noise, 0) + 0.02 * noise + 1e-4); }

/* round: only the ellipse in the box, since the corners of a face box are background. */
static int inside(const block_power *block, sonic_box box, int32_t round)
{
    if (block->x < box.x0 || block->x >= box.x1 || block->y < box.y0 || block->y >= box.y1)
        return 0;
    float x = (float)(2 * block->x - box.x0 - box.x1) / (float)(box.x1 - box.x0),
          y = (float)(2 * block->y - box.y0 - box.y1) / (float)(box.y1 - box.y0);
    return !round || x * x + y * y <= 1.0f;
}

static void summarise(sonic_sharpness *out, const block_power *blocks, int32_t count, sonic_box box, int32_t round,
                      float noise, float *values)
{
    double sums[GROUPS] = {0};
    int32_t used = 0, contrasted = 0;
    memset(out, 0, sizeof *out);
    out->noise = sqrt(noise);
    for (int32_t i = 0; i < count; i++) {
        if (!inside(&blocks[i], box, round))
            continue;
        used++;
        for (int group = 0; group < GROUPS; group++)
            sums[group] += blocks[i].density[group];
        if (blocks[i].density[RATIO_LOW] > CONTRAST + 4 * noise)
            values[contrasted++] = (float)(log_density(blocks[i].density[RATIO_HIGH], noise) -
                                           log_density(blocks[i].density[RATIO_LOW], noise));
    }
    if (!used)
        return;
    for (int band = 0; band < BANDS; band++)
        out->band[band] = log_density(sums[band] / used, noise);
    for (int s = 0; s < SECTORS; s++)
        out->sector[s] =
            log_density(sums[BANDS + SECTORS + s] / used, noise) - log_density(sums[BANDS + s] / used, noise);
    out->blocks = contrasted;
    out->ratio_50 = contrasted ? quantile(values, contrasted, 0.5f) : 0;
    out->ratio_90 = contrasted ? quantile(values, contrasted, 0.9f) : 0;
}

void sonic_sharpness_measure(sonic_sharpness *whole, sonic_sharpness *part, const sonic_plane *luma, sonic_box box,
                             void *scratch)
{
    layout *groups = scratch;
    block_power *blocks = (block_power *)(groups + 1);
    sonic_box all = {0, 0, luma->width_px, luma->height_px};
    fill_layout(groups);
    int32_t count = measure_blocks(blocks, luma, groups);
    float *values = (float *)(blocks + count), noise = noise_density(blocks, count, values);
    summarise(whole, blocks, count, all, 0, noise, values);
    summarise(part, blocks, count, box, 1, noise, values);
}
