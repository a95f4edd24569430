#include "smooth/motion.h"

#include <math.h>
#include <string.h>

#include "core/parallel.h"
#include "smooth/translate.h"

enum { BLOCK = 16, MARGIN = 4, SUMS = 10, LANES = 16, WARPS = 2, REWEIGHTS = 6, STARTS = 3 };
/* The sums of a block. J is the derivative by x, y and gain, r the difference now - before. */
enum { XX, XY, XG, YY, YG, GG, XR, YR, GR, RR };
/* Shares of the way that trust in a block takes in a frame. */
static const double trust_lost = 0.9, trust_gained = 0.01, least_trust = 0.01;

typedef struct sums_job {
    float *sums; /* [rows, columns, SUMS] */
    const float *before, *now;
    int32_t width, height, columns, rows;
    float gain;
} sums_job;

size_t sonic_step_blocks(const sonic_planes *planes)
{
    return (size_t)planes->width[0] * planes->height[0] / (BLOCK * BLOCK) + 1;
}

size_t sonic_step_scratch(const sonic_planes *planes)
{
    size_t area = (size_t)planes->width[0] * planes->height[0];
    return 2 * area + (area / (BLOCK * BLOCK) + 1) * (SUMS + STARTS);
}

static void add_row(float lanes[SUMS][LANES], const float *a, const float *b, int32_t width, float gain)
{
    for (int i = 0; i < LANES; i++) {
        float x = ((a[i + 1] - a[i - 1]) + (b[i + 1] - b[i - 1])) * 0.25f;
        float y = ((a[i + width] - a[i - width]) + (b[i + width] - b[i - width])) * 0.25f;
        float g = -a[i] * (1.0f / 128.0f), r = b[i] - gain * a[i];
        lanes[XX][i] += x * x, lanes[XY][i] += x * y, lanes[XG][i] += x * g, lanes[YY][i] += y * y,
            lanes[YG][i] += y * g;
        lanes[GG][i] += g * g, lanes[XR][i] += x * r, lanes[YR][i] += y * r, lanes[GR][i] += g * r,
            lanes[RR][i] += r * r;
    }
}

static void sum_blocks(int64_t begin, int64_t end, void *context)
{
    const sums_job *job = context;
    for (int64_t row = begin; row < end; row++)
        for (int32_t column = 0; column < job->columns; column++) {
            float lanes[SUMS][LANES] = {{0}}, *out = job->sums + (row * job->columns + column) * SUMS;
            for (int32_t j = 0; j < BLOCK; j++) {
                ptrdiff_t at = (ptrdiff_t)(MARGIN + row * BLOCK + j) * job->width + MARGIN + column * BLOCK;
                add_row(lanes, job->before + at, job->now + at, job->width, job->gain);
            }
            for (int s = 0; s < SUMS; s++) {
                out[s] = 0.0f;
                for (int i = 0; i < LANES; i++)
                    out[s] += lanes[s][i];
            }
        }
}

/* Mean squared difference of a block after the step d (x, y, gain). */
static double rest(const float *s, const double d[3])
{
    double linear = d[0] * s[XR] + d[1] * s[YR] + d[2] * s[GR];
    double square = d[0] * (d[0] * s[XX] + 2 * d[1] * s[XY] + 2 * d[2] * s[XG]) +
                    d[1] * (d[1] * s[YY] + 2 * d[2] * s[YG]) + d[2] * d[2] * s[GG];
    double value = (s[RR] + 2 * linear + square) / (BLOCK * BLOCK);
    return value > 0 ? value : 0;
}

/* The value below which `share` of values[count] lie, to about 3 %: from a histogram of logarithms. */
static double quantile(const float *values, int32_t count, double share)
{
    int32_t bins[512] = {0}, seen = 0;
    for (int32_t i = 0; i < count; i++) {
        int32_t bin = (int32_t)((log(values[i] + 1e-4) + 10.0) * 22.0);
        bins[bin < 0 ? 0 : bin > 511 ? 511 : bin]++;
    }
    for (int32_t bin = 0; bin < 512; bin++)
        if ((seen += bins[bin]) >= share * count)
            return exp((bin + 0.5) / 22.0 - 10.0);
    return 0.0;
}

/* inverse of the symmetric m = {xx, xy, xg, yy, yg, gg}; 0 when it has none. */
static int invert(double out[6], const double m[6])
{
    double a = m[3] * m[5] - m[4] * m[4], b = m[2] * m[4] - m[1] * m[5], c = m[1] * m[4] - m[2] * m[3];
    double determinant = m[0] * a + m[1] * b + m[2] * c;
    if (!(determinant > 1e-9 * m[0] * m[3] * m[5]) || !(m[0] > 0) || !(m[3] > 0))
        return 0;
    out[0] = a / determinant, out[1] = b / determinant, out[2] = c / determinant;
    out[3] = (m[0] * m[5] - m[2] * m[2]) / determinant, out[4] = (m[1] * m[2] - m[0] * m[4]) / determinant;
    out[5] = (m[0] * m[3] - m[1] * m[1]) / determinant;
    return 1;
}

typedef struct fit {
    double d[3], inverse[6], floor;
} fit;

/* Blocks of a level, their sums, and what is left in them. */
typedef struct blocks {
    const float *sums;
    float *rests;
    int32_t columns, rows, count, level;
    const float *trust; /* of the blocks of level 0 */
    int32_t trust_columns, trust_rows;
} blocks;

static int32_t blocks_along(int32_t side) { return (side - 2 * MARGIN) / BLOCK; }

/* People stand in the middle and reach the lower edge; the other edges show the background, whose movement is the
 * camera's. */
static void expect_people(float *trust, int32_t columns, int32_t rows)
{
    for (int32_t y = 0; y < rows; y++)
        for (int32_t x = 0; x < columns; x++)
            trust[y * columns + x] = 5 * x < columns || 5 * (x + 1) > 4 * columns || 6 * y < rows ? 1.0f : 0.1f;
}

/* Mean trust in the blocks of level 0 where block i is. */
static double prior(const blocks *b, int32_t i)
{
    const int32_t side = 1 << b->level, left = i % b->columns * side, top = i / b->columns * side;
    const int32_t right = left + side < b->trust_columns ? left + side : b->trust_columns;
    const int32_t bottom = top + side < b->trust_rows ? top + side : b->trust_rows;
    double sum = 0;
    for (int32_t y = top; y < bottom; y++)
        for (int32_t x = left; x < right; x++)
            sum += b->trust[y * b->trust_columns + x];
    return sum / ((right - left) * (bottom - top));
}

static double agreement(double rest_of_block, double scale)
{
    double t = rest_of_block / scale;
    return 1.0 / ((1.0 + t * t) * (1.0 + t * t));
}

static int weighted_step(fit *f, const blocks *b, double scale)
{
    double m[6] = {0}, v[3] = {0};
    for (int32_t i = 0; i < b->count; i++) {
        const float *s = b->sums + (size_t)i * SUMS;
        double w = prior(b, i) * agreement(b->rests[i], scale);
        for (int k = 0; k < 6; k++)
            m[k] += w * s[k];
        for (int k = 0; k < 3; k++)
            v[k] -= w * s[XR + k];
    }
    if (!invert(f->inverse, m))
        return 0;
    const double *n = f->inverse;
    f->d[0] = n[0] * v[0] + n[1] * v[1] + n[2] * v[2];
    f->d[1] = n[1] * v[0] + n[3] * v[1] + n[4] * v[2];
    f->d[2] = n[2] * v[0] + n[4] * v[1] + n[5] * v[2];
    return 1;
}

static int solve(fit *f, const blocks *b, double start_scale)
{
    memset(f, 0, sizeof *f);
    for (int k = 0; k <= REWEIGHTS; k++) {
        for (int32_t i = 0; i < b->count; i++)
            b->rests[i] = (float)rest(b->sums + (size_t)i * SUMS, f->d);
        f->floor = quantile(b->rests, b->count, 0.3) + 0.02;
        if (k < REWEIGHTS && !weighted_step(f, b, (k == 0 ? start_scale : 2.5) * f->floor))
            return 0;
    }
    return 1;
}

/* A shift in pixels of level 0, the gain, and how they were found. */
typedef struct estimate {
    double shift[2], gain;
    fit fit;
} estimate;

typedef struct pair {
    const sonic_planes *before, *now;
    float *trust, *scratch;
} pair;

static blocks blocks_of(const pair *p, int32_t level)
{
    const int32_t width = p->now->width[level], height = p->now->height[level];
    blocks b = {p->scratch + 2 * (size_t)width * height,
                NULL,
                blocks_along(width),
                blocks_along(height),
                0,
                level,
                p->trust,
                0,
                0};
    b.count = b.columns * b.rows;
    b.trust_columns = blocks_along(p->now->width[0]), b.trust_rows = blocks_along(p->now->height[0]);
    b.rests = p->scratch + 2 * (size_t)width * height + (size_t)b.count * SUMS;
    return b;
}

/* Refines an estimate at one level; 0 when the picture has nothing to hold on to. */
static int refine(estimate *e, const pair *p, int32_t level, blocks b, double start_scale)
{
    const int32_t width = p->now->width[level], height = p->now->height[level];
    const double unit = 1 << level;
    sums_job job = {(float *)b.sums, p->before->luma[level], p->scratch, width, height, b.columns, b.rows, 0};
    for (int k = 0; k < WARPS; k++) {
        sonic_shift(p->scratch, p->scratch + (size_t)width * height, p->now->luma[level], width, height, 1,
                    e->shift[0] / unit, e->shift[1] / unit);
        job.gain = (float)e->gain;
        sonic_parallel_for(job.rows, 4, sum_blocks, &job);
        if (!solve(&e->fit, &b, k == 0 ? start_scale : 2.5))
            return 0;
        const double *d = e->fit.d;
        double longest = fmax(fabs(d[0]), fabs(d[1])), damp = longest > 2.0 ? 2.0 / longest : 1.0;
        e->shift[0] += d[0] * damp * unit, e->shift[1] += d[1] * damp * unit, e->gain *= 1.0 + d[2] / 128.0;
    }
    return 1;
}

/* How much of the picture agrees; blocks count by their texture, up to a limit. */
static double support(const blocks *b, double floor)
{
    double sum = 0;
    for (int32_t i = 0; i < b->count; i++) {
        const float *s = b->sums + (size_t)i * SUMS;
        double texture = (s[XX] + s[YY]) / (BLOCK * BLOCK);
        sum += prior(b, i) * texture / (texture + 4.0 * floor) * agreement(b->rests[i], 2.5 * floor);
    }
    return sum;
}

/* The best of several beginnings at one level: the whole picture can follow the background or whoever moves in front of
 * it, and it has to be the same from frame to frame. */
static int choose(estimate *best, const pair *p, int32_t level, const double starts[STARTS][2], double gain)
{
    estimate found[STARTS];
    blocks b = blocks_of(p, level);
    float *rests = b.rests;
    double floor = INFINITY, most = -1.0;
    int held[STARTS];
    for (int i = 0; i < STARTS; i++) {
        found[i] = (estimate){{starts[i][0], starts[i][1]}, gain, {{0}, {0}, 0}};
        b.rests = rests + (size_t)i * b.count;
        held[i] = refine(&found[i], p, level, b, 4.0);
        if (held[i])
            floor = fmin(floor, found[i].fit.floor);
    }
    for (int i = 0; i < STARTS; i++) {
        b.rests = rests + (size_t)i * b.count;
        double value = held[i] ? support(&b, floor) : -1.0;
        if (value > most * 1.2)
            most = value, *best = found[i];
    }
    return most >= 0;
}

/* Coarse to fine. `last` is the step before. */
static int follow(estimate *e, const pair *p, const sonic_step *last)
{
    const int32_t top = p->now->levels - 1;
    for (int32_t level = top; level > 1; level--) {
        estimate coarse = *e;
        if (blocks_of(p, level).count >= 4 && refine(&coarse, p, level, blocks_of(p, level), level == top ? 10.0 : 4.0))
            *e = coarse;
    }
    const double unit = p->now->factor;
    const double first[2] = {last ? last->shift_px[0] / unit : 0, last ? last->shift_px[1] / unit : 0};
    const double starts[STARTS][2] = {{0, 0}, {first[0], first[1]}, {e->shift[0], e->shift[1]}};
    const int32_t level = top > 0 && blocks_of(p, 1).count >= 16 ? 1 : 0;
    if (blocks_of(p, 0).count < 4 || !choose(e, p, level, starts, e->gain))
        return 0;
    return refine(e, p, 0, blocks_of(p, 0), 2.5);
}

/* Who moved on their own will do so again: trust is lost quickly and comes back slowly. */
static void learn_trust(const pair *p, double floor)
{
    const blocks b = blocks_of(p, 0);
    for (int32_t i = 0; i < b.count; i++) {
        const double seen = fmax(agreement(b.rests[i], 2.5 * floor), least_trust);
        p->trust[i] += (float)((seen < p->trust[i] ? trust_lost : trust_gained) * (seen - p->trust[i]));
    }
}

/* Hardly a block differs by more than noise or a tenth of a pixel. */
static int is_repeat(const pair *p)
{
    const blocks b = blocks_of(p, 0);
    const double noise = 3.0 * quantile(b.rests, b.count, 0.3) + 0.7;
    int32_t moving = 0;
    for (int32_t i = 0; i < b.count; i++) {
        const float *s = b.sums + (size_t)i * SUMS;
        moving += b.rests[i] > noise + 0.01 * (s[XX] + s[YY]) / (BLOCK * BLOCK);
    }
    return 50 * moving <= b.count;
}

static double cell_luma(const float *cell) { return 0.25 * cell[0] + 0.5 * cell[1] + 0.25 * cell[2]; }

/* Another scene: the colour cells have little in common, whatever the exposure. */
static int is_cut(const sonic_planes *before, const sonic_planes *now)
{
    double a = 0, b = 0, aa = 0, bb = 0, ab = 0, apart = 0;
    const int32_t count = now->columns * now->rows;
    for (int32_t i = 0; i < count; i++) {
        double p = cell_luma(before->cells + 3 * i), q = cell_luma(now->cells + 3 * i);
        a += p, b += q, aa += p * p, bb += q * q, ab += p * q, apart += fabs(p - q);
    }
    if (!count)
        return 0;
    double covariance = ab - a * b / count, product = (aa - a * a / count) * (bb - b * b / count);
    return apart > 4.0 * count && covariance < 0.7 * sqrt(product > 0 ? product : 0);
}

static int usable(const float *cell)
{
    for (int c = 0; c < 3; c++)
        if (cell[c] < 20.0f || cell[c] > 232.0f)
            return 0;
    return 1;
}

/* The cells of `now` moved back by the shift: bilinear, which is exact enough for means over 8 x 8 pixels. */
static void moved_cell(float out[3], const sonic_planes *now, double x, double y)
{
    int32_t i = (int32_t)x, j = (int32_t)y;
    float u = (float)(x - i), v = (float)(y - j);
    const float *p = now->cells + ((size_t)j * now->columns + i) * 3, *q = p + (size_t)now->columns * 3;
    for (int c = 0; c < 3; c++)
        out[c] = (1 - v) * ((1 - u) * p[c] + u * p[c + 3]) + v * ((1 - u) * q[c] + u * q[c + 3]);
}

typedef struct gain_sums {
    double top[3], bottom[3], rest, weight, squares;
} gain_sums;

static void add_cell(gain_sums *s, const float *a, const float *b, const double ratio[3], double scale)
{
    double squared = 0;
    for (int c = 0; c < 3; c++)
        squared += (b[c] - ratio[c] * a[c]) * (b[c] - ratio[c] * a[c]);
    double t = squared / (3 * scale * scale), w = 1.0 / ((1.0 + t) * (1.0 + t));
    for (int c = 0; c < 3; c++)
        s->top[c] += w * a[c] * b[c], s->bottom[c] += w * a[c] * a[c];
    s->rest += w * squared / 3, s->weight += w, s->squares += w * w;
}

static gain_sums gain_pass(const sonic_planes *before, const sonic_planes *now, const double shift[2],
                           const double ratio[3], double scale)
{
    gain_sums sums = {{0}, {0}, 0, 0, 0};
    for (int32_t j = 1; j < now->rows - 1; j++)
        for (int32_t i = 1; i < now->columns - 1; i++) {
            double x = i + shift[0] / SONIC_CELL_PX, y = j + shift[1] / SONIC_CELL_PX;
            const float *a = before->cells + ((size_t)j * now->columns + i) * 3;
            float b[3];
            if (x < 0 || y < 0 || x >= now->columns - 1 || y >= now->rows - 1 || !usable(a))
                continue;
            moved_cell(b, now, x, y);
            if (usable(b))
                add_cell(&sums, a, b, ratio, scale);
        }
    return sums;
}

static void measure_gains(sonic_step *out, const sonic_planes *before, const sonic_planes *now, const double shift[2],
                          double gain)
{
    const double scales[] = {4.0, 2.0, 1.0, 0.7, 0.5, 0.5};
    double ratio[3] = {gain, gain, gain};
    out->gain_error = 2.0;
    for (size_t k = 0; k < sizeof scales / sizeof *scales; k++) {
        gain_sums s = gain_pass(before, now, shift, ratio, scales[k]);
        if (s.weight < 8.0)
            return;
        for (int c = 0; c < 3; c++)
            ratio[c] = s.top[c] / s.bottom[c];
        out->gain_error = sqrt(s.rest / s.weight * (s.squares / s.weight) / s.weight / (s.bottom[1] / s.weight));
    }
    for (int c = 0; c < 3; c++)
        out->gain[c] = log(ratio[c]);
}

typedef struct tile_sums {
    double top, bottom, rest, weight, squares;
} tile_sums;

/* The cells of one tile, their brightness after the picture's own gain against that before, times `ratio`. */
static tile_sums tile_pass(const sonic_planes *before, const sonic_planes *now, const double shift[2],
                           const sonic_step *step, int32_t tile, double ratio, double scale)
{
    const int32_t left = tile % SONIC_TILES * now->columns / SONIC_TILES,
                  right = (tile % SONIC_TILES + 1) * now->columns / SONIC_TILES;
    const int32_t top = tile / SONIC_TILES * now->rows / SONIC_TILES,
                  bottom = (tile / SONIC_TILES + 1) * now->rows / SONIC_TILES;
    const double gain = exp(0.25 * step->gain[0] + 0.5 * step->gain[1] + 0.25 * step->gain[2]);
    tile_sums sums = {0, 0, 0, 0, 0};
    for (int32_t j = top; j < bottom; j++)
        for (int32_t i = left; i < right; i++) {
            double x = i + shift[0] / SONIC_CELL_PX, y = j + shift[1] / SONIC_CELL_PX;
            const float *cell = before->cells + ((size_t)j * now->columns + i) * 3;
            float moved[3];
            if (x < 0 || y < 0 || x >= now->columns - 1 || y >= now->rows - 1 || !usable(cell))
                continue;
            moved_cell(moved, now, x, y);
            if (!usable(moved))
                continue;
            double a = gain * cell_luma(cell), b = cell_luma(moved), t = (b - ratio * a) / scale,
                   w = 1.0 / ((1.0 + t * t) * (1.0 + t * t));
            sums.top += w * a * b, sums.bottom += w * a * a;
            sums.rest += w * t * t * scale * scale, sums.weight += w, sums.squares += w * w;
        }
    return sums;
}

static void measure_tile(sonic_step *out, const sonic_planes *before, const sonic_planes *now, const double shift[2],
                         int32_t tile)
{
    const double scales[] = {16.0, 8.0, 4.0, 2.0, 1.0, 0.5, 0.5};
    const double cells = (double)(now->columns / SONIC_TILES) * (now->rows / SONIC_TILES);
    double ratio = 1.0;
    tile_sums s = {0, 0, 0, 0, 0};
    for (size_t k = 0; k < sizeof scales / sizeof *scales; k++) {
        s = tile_pass(before, now, shift, out, tile, ratio, scales[k]);
        if (s.weight < 2.0)
            return;
        ratio = s.top / s.bottom;
    }
    if (s.weight < 0.3 * cells) /* most of it moves */
        return;
    out->tile_gain[tile] = log(ratio);
    out->tile_error[tile] = sqrt(s.rest * s.squares / s.weight / s.weight / s.bottom);
}

void sonic_step_measure(sonic_step *out, const sonic_planes *before, const sonic_planes *now, const sonic_step *last,
                        float *trust, float *scratch)
{
    estimate e = {{0, 0}, 1.0, {{0}, {0}, 0}};
    const pair p = {before, now, trust, scratch};
    memset(out, 0, sizeof *out);
    out->error_px[0] = out->error_px[1] = 1e3, out->gain_error = 2.0;
    for (int32_t tile = 0; tile < SONIC_TILES * SONIC_TILES; tile++)
        out->tile_error[tile] = 2.0;
    if ((out->cut = is_cut(before, now)))
        return;
    if (!last || last->cut)
        expect_people(trust, blocks_along(now->width[0]), blocks_along(now->height[0]));
    if (!follow(&e, &p, last))
        e = (estimate){{0, 0}, 1.0, {{0}, {0}, 0}};
    else {
        out->repeat = is_repeat(&p);
        learn_trust(&p, e.fit.floor);
        for (int axis = 0; axis < 2; axis++) {
            out->shift_px[axis] = e.shift[axis] * now->factor;
            out->error_px[axis] = now->factor * sqrt(e.fit.floor * e.fit.inverse[axis == 0 ? 0 : 3]);
        }
    }
    measure_gains(out, before, now, e.shift, e.gain);
    for (int32_t tile = 0; tile < SONIC_TILES * SONIC_TILES; tile++)
        measure_tile(out, before, now, e.shift, tile);
}
