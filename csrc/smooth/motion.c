#include "smooth/motion.h"

#include <math.h>
#include <string.h>

#include "core/parallel.h"
#include "smooth/translate.h"

enum {
    BLOCK_PX = 16,
    BLOCK_AREA = BLOCK_PX * BLOCK_PX,
    MARGIN_PX = 4,
    LANES = 16,
    WARPS = 2,
    REWEIGHTS = 6,
    STARTS = 3
};
/* Sums of a block: products of the derivatives by x, y and gain with each other and with r, the difference
 * now - before. */
enum { XX, XY, XG, YY, YG, GG, XR, YR, GR, RR, SUMS };
/* Chosen by hand on the clips of bench/smooth.py, as are the other constants of this file. */
static const double prior_fall = 0.9, prior_rise = 0.01, prior_min = 0.01; /* shares of the change, per frame */
static const float prior_middle = 0.1f;                                    /* where people usually stand */
/* Residuals at which a block has a quarter of its weight, times the residual of the static 30 %: of the first pass at
 * the coarsest level, at other coarse levels, and otherwise. */
static const double coarsest_scale = 10.0, coarse_scale = 4.0, fine_scale = 2.5;
static const double max_step_px = 2.0;  /* of one warp: the linearisation holds no further */
static const double better_start = 1.2; /* by how much a later start must win */
static const double cut_levels = 4.0, cut_correlation = 0.7;

typedef struct sums_job {
    float *sums; /* [rows, columns, SUMS] */
    const float *before, *now;
    int32_t width, height, columns, rows;
    float gain;
} sums_job;

size_t sonic_camera_motion_prior_floats(const sonic_pyramid *pyramid)
{
    return (size_t)pyramid->width[0] * pyramid->height[0] / BLOCK_AREA + 1;
}

size_t sonic_camera_motion_scratch_floats(const sonic_pyramid *pyramid)
{
    size_t area = (size_t)pyramid->width[0] * pyramid->height[0];
    return 2 * area + (area / BLOCK_AREA + 1) * (SUMS + STARTS);
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
            for (int32_t j = 0; j < BLOCK_PX; j++) {
                ptrdiff_t at = (ptrdiff_t)(MARGIN_PX + row * BLOCK_PX + j) * job->width + MARGIN_PX + column * BLOCK_PX;
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
static double block_residual(const float *s, const double d[3])
{
    double linear = d[0] * s[XR] + d[1] * s[YR] + d[2] * s[GR];
    double square = d[0] * (d[0] * s[XX] + 2 * d[1] * s[XY] + 2 * d[2] * s[XG]) +
                    d[1] * (d[1] * s[YY] + 2 * d[2] * s[YG]) + d[2] * d[2] * s[GG];
    double value = (s[RR] + 2 * linear + square) / BLOCK_AREA;
    return value > 0 ? value : 0;
}

/* The quantile of values[count] at `share`, within 3 %: from a histogram of logarithms. */
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

/* out: the inverse of the symmetric m = {xx, xy, xg, yy, yg, gg}. Returns 0 for a singular one. */
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

/* The step (x, y, gain), the inverse of its normal matrix, and the residual of the static blocks. */
typedef struct fit {
    double d[3], inverse[6], floor;
} fit;

/* Blocks of a level, their sums and residuals. */
typedef struct blocks {
    const float *sums;
    float *residuals;
    int32_t columns, rows, count, level;
    const float *prior; /* of the blocks of level 0 */
    int32_t prior_columns, prior_rows;
} blocks;

static int32_t blocks_along(int32_t side) { return (side - 2 * MARGIN_PX) / BLOCK_PX; }

/* People usually stand in the middle, down to the lower edge. The other edges show the background, whose motion is that
 * of the camera. */
static void init_prior(float *prior, int32_t columns, int32_t rows)
{
    for (int32_t y = 0; y < rows; y++)
        for (int32_t x = 0; x < columns; x++)
            prior[y * columns + x] = 5 * x < columns || 5 * (x + 1) > 4 * columns || 6 * y < rows ? 1.0f : prior_middle;
}

/* Mean prior of the blocks of level 0 within block i. */
static double block_prior(const blocks *b, int32_t i)
{
    const int32_t side = 1 << b->level, left = i % b->columns * side, top = i / b->columns * side;
    const int32_t right = left + side < b->prior_columns ? left + side : b->prior_columns;
    const int32_t bottom = top + side < b->prior_rows ? top + side : b->prior_rows;
    double sum = 0;
    for (int32_t y = top; y < bottom; y++)
        for (int32_t x = left; x < right; x++)
            sum += b->prior[y * b->prior_columns + x];
    return sum / ((right - left) * (bottom - top));
}

/* Geman-McClure weight of a residual. */
static double robust_weight(double residual, double scale)
{
    double t = residual / scale;
    return 1.0 / ((1.0 + t * t) * (1.0 + t * t));
}

/* One weighted least-squares step; 0 without texture. */
static int weighted_step(fit *f, const blocks *b, double residual_scale)
{
    double m[6] = {0}, v[3] = {0};
    for (int32_t i = 0; i < b->count; i++) {
        const float *s = b->sums + (size_t)i * SUMS;
        double w = block_prior(b, i) * robust_weight(b->residuals[i], residual_scale);
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

/* Iteratively reweighted least squares. */
static int solve(fit *f, const blocks *b, double start_scale)
{
    memset(f, 0, sizeof *f);
    for (int k = 0; k <= REWEIGHTS; k++) {
        for (int32_t i = 0; i < b->count; i++)
            b->residuals[i] = (float)block_residual(b->sums + (size_t)i * SUMS, f->d);
        f->floor = quantile(b->residuals, b->count, 0.3) + 0.02;
        if (k < REWEIGHTS && !weighted_step(f, b, (k == 0 ? start_scale : fine_scale) * f->floor))
            return 0;
    }
    return 1;
}

/* A shift in pixels of level 0, the gain, and the last fit. */
typedef struct estimate {
    double shift[2], gain;
    fit fit;
} estimate;

typedef struct frame_pair {
    const sonic_pyramid *before, *now;
    float *prior, *scratch;
} frame_pair;

static blocks blocks_of(const frame_pair *p, int32_t level)
{
    const int32_t width = p->now->width[level], height = p->now->height[level];
    blocks b = {p->scratch + 2 * (size_t)width * height,
                NULL,
                blocks_along(width),
                blocks_along(height),
                0,
                level,
                p->prior,
                0,
                0};
    b.count = b.columns * b.rows;
    b.prior_columns = blocks_along(p->now->width[0]), b.prior_rows = blocks_along(p->now->height[0]);
    b.residuals = p->scratch + 2 * (size_t)width * height + (size_t)b.count * SUMS;
    return b;
}

/* Refines an estimate at one level; 0 when the image has too little texture. */
static int refine(estimate *e, const frame_pair *p, int32_t level, blocks b, double start_scale)
{
    const int32_t width = p->now->width[level], height = p->now->height[level];
    const double unit = 1 << level;
    sums_job job = {(float *)b.sums, p->before->luma[level], p->scratch, width, height, b.columns, b.rows, 0};
    for (int k = 0; k < WARPS; k++) {
        sonic_translate(p->scratch, p->scratch + (size_t)width * height, p->now->luma[level], width, height, 1,
                        e->shift[0] / unit, e->shift[1] / unit);
        job.gain = (float)e->gain;
        sonic_parallel_for(job.rows, 4, sum_blocks, &job);
        if (!solve(&e->fit, &b, k == 0 ? start_scale : fine_scale))
            return 0;
        const double *d = e->fit.d;
        double longest = fmax(fabs(d[0]), fabs(d[1])), damp = longest > max_step_px ? max_step_px / longest : 1.0;
        e->shift[0] += d[0] * damp * unit, e->shift[1] += d[1] * damp * unit, e->gain *= 1.0 + d[2] / 128.0;
    }
    return 1;
}

/* How much of the image agrees: blocks weighted by prior, texture (saturating) and residual. */
static double support(const blocks *b, double floor)
{
    double sum = 0;
    for (int32_t i = 0; i < b->count; i++) {
        const float *s = b->sums + (size_t)i * SUMS;
        double texture = (s[XX] + s[YY]) / BLOCK_AREA;
        sum +=
            block_prior(b, i) * texture / (texture + 4.0 * floor) * robust_weight(b->residuals[i], fine_scale * floor);
    }
    return sum;
}

/* The best of several starts at one level: the registration can lock on to the background or on to the foreground, and
 * has to stay with the same one from frame to frame. */
static int choose_start(estimate *best, const frame_pair *p, int32_t level, const double starts[STARTS][2], double gain)
{
    estimate found[STARTS];
    blocks b = blocks_of(p, level);
    float *residuals = b.residuals;
    double floor = INFINITY, most = -1.0;
    int converged[STARTS];
    for (int i = 0; i < STARTS; i++) {
        found[i] = (estimate){{starts[i][0], starts[i][1]}, gain, {{0}, {0}, 0}};
        b.residuals = residuals + (size_t)i * b.count;
        converged[i] = refine(&found[i], p, level, b, coarse_scale);
        if (converged[i])
            floor = fmin(floor, found[i].fit.floor);
    }
    for (int i = 0; i < STARTS; i++) {
        b.residuals = residuals + (size_t)i * b.count;
        double value = converged[i] ? support(&b, floor) : -1.0;
        if (value > most * better_start)
            most = value, *best = found[i];
    }
    return most >= 0;
}

/* Coarse to fine. `last` is the motion of the frame before; 0 when the image has too little texture. */
static int register_frames(estimate *e, const frame_pair *p, const sonic_camera_motion *last)
{
    const int32_t top = p->now->levels - 1;
    for (int32_t level = top; level > 1; level--) {
        estimate coarse = *e;
        if (blocks_of(p, level).count >= 4 &&
            refine(&coarse, p, level, blocks_of(p, level), level == top ? coarsest_scale : coarse_scale))
            *e = coarse;
    }
    const double unit = p->now->factor;
    const double first[2] = {last ? last->shift_px[0] / unit : 0, last ? last->shift_px[1] / unit : 0};
    const double starts[STARTS][2] = {{0, 0}, {first[0], first[1]}, {e->shift[0], e->shift[1]}};
    const int32_t level = top > 0 && blocks_of(p, 1).count >= 16 ? 1 : 0;
    if (blocks_of(p, 0).count < 4 || !choose_start(e, p, level, starts, e->gain))
        return 0;
    return refine(e, p, 0, blocks_of(p, 0), fine_scale);
}

/* What moved on its own will do so again: the prior falls quickly and rises slowly. */
static void update_prior(const frame_pair *p, double floor)
{
    const blocks b = blocks_of(p, 0);
    for (int32_t i = 0; i < b.count; i++) {
        const double weight = fmax(robust_weight(b.residuals[i], fine_scale * floor), prior_min);
        p->prior[i] += (float)((weight < p->prior[i] ? prior_fall : prior_rise) * (weight - p->prior[i]));
    }
}

/* At most 2 % of the blocks differ by more than noise or a tenth of a pixel. */
static int is_repeat(const frame_pair *p)
{
    const blocks b = blocks_of(p, 0);
    const double noise = 3.0 * quantile(b.residuals, b.count, 0.3) + 0.7;
    int32_t moving = 0;
    for (int32_t i = 0; i < b.count; i++) {
        const float *s = b.sums + (size_t)i * SUMS;
        moving += b.residuals[i] > noise + 0.01 * (s[XX] + s[YY]) / BLOCK_AREA;
    }
    return 50 * moving <= b.count;
}

static double block_luma(const float *block) { return 0.25 * block[0] + 0.5 * block[1] + 0.25 * block[2]; }

/* Another scene: the blocks correlate little, whatever the exposure. */
static int is_cut(const sonic_pyramid *before, const sonic_pyramid *now)
{
    double a = 0, b = 0, aa = 0, bb = 0, ab = 0, apart = 0;
    const int32_t count = now->columns * now->rows;
    for (int32_t i = 0; i < count; i++) {
        double p = block_luma(before->blocks + 3 * i), q = block_luma(now->blocks + 3 * i);
        a += p, b += q, aa += p * p, bb += q * q, ab += p * q, apart += fabs(p - q);
    }
    if (!count)
        return 0;
    double covariance = ab - a * b / count, product = (aa - a * a / count) * (bb - b * b / count);
    return apart > cut_levels * count && covariance < cut_correlation * sqrt(product > 0 ? product : 0);
}

void sonic_camera_motion_estimate(sonic_camera_motion *out, const sonic_pyramid *before, const sonic_pyramid *now,
                                  const sonic_camera_motion *last, float *prior, float *scratch)
{
    estimate e = {{0, 0}, 1.0, {{0}, {0}, 0}};
    const frame_pair p = {before, now, prior, scratch};
    memset(out, 0, sizeof *out);
    out->error_px[0] = out->error_px[1] = 1e3;
    sonic_gains_reset(&out->gains);
    if ((out->cut = is_cut(before, now)))
        return;
    if (!last || last->cut)
        init_prior(prior, blocks_along(now->width[0]), blocks_along(now->height[0]));
    if (!register_frames(&e, &p, last))
        e = (estimate){{0, 0}, 1.0, {{0}, {0}, 0}};
    else {
        out->repeat = is_repeat(&p);
        update_prior(&p, e.fit.floor);
        for (int axis = 0; axis < 2; axis++) {
            out->shift_px[axis] = e.shift[axis] * now->factor;
            out->error_px[axis] = now->factor * sqrt(e.fit.floor * e.fit.inverse[axis == 0 ? 0 : 3]);
        }
    }
    sonic_gains_estimate(&out->gains, before, now, e.shift, e.gain);
}
