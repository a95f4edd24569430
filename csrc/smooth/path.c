#include "smooth/path.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "smooth/piecewise.h"

enum { STIFFNESSES = 13, MEMORIES = 3, DIFFERENCES = 4 };
/* The constants of this file are chosen by hand on the clips of bench/smooth.py, unless they say otherwise.
 * Stiffness: variance of the noise over that of the innovations of the velocity, 4^-4 .. 4^8. */
static const double min_stiffness = 1.0 / 256.0, stiffness_ratio = 4.0;
/* Autoregressive coefficient of the velocity: none (a random walk), persistent, an integrated random walk. */
static const double memories[MEMORIES] = {0.0, 0.95, 1.0};
/* Weight of the first velocity where the process has no stationary distribution. */
static const double first_weight = 0.05;
/* Tempering exponent of the likelihoods: real camera paths do not fit the models exactly. Chosen on the paths of 20
 * clips with a moving camera. */
static const double tempering = 0.5;
/* Log odds that a frame that looks repeated is. */
static const double repeat_log_odds = 3.0;
/* Measurement error: of log gains, of pixels. */
static const double min_sigma[2] = {1e-4, 0.02};

/* Maps the n points of the path to the `count` points of the curve, which a repeated frame shares with the one before:
 * the camera did not move in between. weight: points of the path to one of the curve. */
typedef struct point_map {
    int32_t n, count, of[SONIC_PATH_MAX_POINTS];
    double weight[SONIC_PATH_MAX_POINTS];
} point_map;

/* Returns the number of shared points. */
static int32_t map_points(point_map *p, int32_t n, const uint8_t *repeats)
{
    memset(p, 0, sizeof *p);
    p->n = n, p->weight[0] = 1.0;
    for (int32_t i = 1; i < n; i++) {
        p->of[i] = p->of[i - 1] + !(repeats && repeats[i - 1]);
        p->weight[p->of[i]] += 1.0;
    }
    p->count = p->of[n - 1] + 1;
    return n - p->count;
}

/* Innovations A x of the velocity with coefficient r: row i > 0 is x[i + 1] - x[i] - r (x[i] - x[i - 1]), row 0 is
 * first * (x[1] - x[0]). */
typedef struct curve_model {
    double stiffness, memory, first;
} curve_model;

static double coefficient(const curve_model *k, int32_t row, int32_t at)
{
    if (row == 0)
        return at == 1 ? k->first : -k->first;
    return at == row + 1 ? 1.0 : at == row ? -1.0 - k->memory : k->memory;
}

/* Cholesky factor L of W + stiffness A'A, W = diag(weight): row[i][0] is the diagonal, row[i][k] the entry k to its
 * left. */
typedef struct banded_factor {
    double row[SONIC_PATH_MAX_POINTS][3];
} banded_factor;

static double entry(const curve_model *k, const point_map *p, int32_t i, int32_t back)
{
    double sum = back == 0 ? p->weight[i] : 0.0;
    for (int32_t row = i > 0 ? i - 1 : 0; row <= i - back + 1 && row + 1 < p->count; row++)
        if (row > 0 || i < 2)
            sum += k->stiffness * coefficient(k, row, i) * coefficient(k, row, i - back);
    return sum;
}

/* Returns the log determinant of W + stiffness A'A. */
static double factorise(banded_factor *l, const curve_model *model, const point_map *p)
{
    double logarithm = 0;
    memset(l, 0, sizeof *l);
    for (int32_t i = 0; i < p->count; i++) {
        for (int32_t back = i < 2 ? i : 2; back >= 0; back--) {
            double sum = entry(model, p, i, back);
            for (int32_t k = back + 1; k <= 2 && i - k >= 0; k++)
                sum -= l->row[i][k] * l->row[i - back][k - back];
            l->row[i][back] = back ? sum / l->row[i - back][0] : sqrt(sum);
        }
        logarithm += 2.0 * log(l->row[i][0]);
    }
    return logarithm;
}

static void solve(double *x, const banded_factor *l, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        for (int32_t k = 1; k <= 2 && i - k >= 0; k++)
            x[i] -= l->row[i][k] * x[i - k];
        x[i] /= l->row[i][0];
    }
    for (int32_t i = n - 1; i >= 0; i--) {
        for (int32_t k = 1; k <= 2 && i + k < n; k++)
            x[i] -= l->row[i + k][k] * x[i + k];
        x[i] /= l->row[i][0];
    }
}

/* A curve, the standard deviation of its residual, and the log marginal likelihood of the path, up to a constant common
 * to all models. */
typedef struct curve_fit {
    double curve[SONIC_PATH_MAX_POINTS], sigma, evidence;
} curve_fit;

static double squared_innovations(const curve_model *k, const double *x, int32_t count)
{
    double sum = count > 1 ? k->first * k->first * (x[1] - x[0]) * (x[1] - x[0]) : 0.0;
    for (int32_t i = 1; i + 1 < count; i++) {
        const double step = x[i + 1] - x[i] - k->memory * (x[i] - x[i - 1]);
        sum += step * step;
    }
    return sum;
}

/* Stirling's series; error below 1e-3 for x >= 3. */
static double log_gamma(double x) { return (x - 0.5) * log(x) - x + 0.9189385 + 1.0 / (12.0 * x); }

/* Penalised least squares; the size of the shake is integrated out under a scale-invariant prior. */
static void fit_curve(curve_fit *out, const double *path, const point_map *p, const curve_model *k, double min_size)
{
    banded_factor l;
    double x[SONIC_PATH_MAX_POINTS] = {0}, left = p->n * min_size * min_size;
    for (int32_t i = 0; i < p->n; i++)
        x[p->of[i]] += path[i];
    const double determinant = factorise(&l, k, p), steps = p->count - 1, spare = p->n - 1;
    solve(x, &l, p->count);
    for (int32_t i = 0; i < p->n; i++) {
        out->curve[i] = x[p->of[i]];
        left += (path[i] - out->curve[i]) * (path[i] - out->curve[i]);
    }
    left += k->stiffness * squared_innovations(k, x, p->count);
    out->sigma = sqrt(left / spare);
    out->evidence = 0.5 * steps * log(k->stiffness) + (p->count > 1 ? log(k->first) : 0.0) - 0.5 * determinant +
                    log_gamma(0.5 * spare) - 0.5 * spare * log(0.5 * left) - log(2.0);
}

/* Weighted by its likelihood to the power of `tempering`. */
static void add_curve(sonic_mixture *m, const curve_fit *d, int32_t n, double log_odds)
{
    sonic_mixture_add(m, d->curve, d->sigma, tempering * d->evidence + log_odds, n);
}

static void add_curves(sonic_mixture *m, const double *path, const point_map *p, double min_size, double log_odds)
{
    curve_fit d;
    for (int i = 0; i < MEMORIES; i++) {
        const double memory = memories[i];
        curve_model k = {min_stiffness, memory, memory < 1.0 ? sqrt(1.0 - memory * memory) : first_weight};
        for (int j = 0; j < STIFFNESSES; j++, k.stiffness *= stiffness_ratio) {
            fit_curve(&d, path, p, &k, min_size);
            add_curve(m, &d, p->n, log_odds);
        }
    }
}

/* By the lag-1 autocorrelation of the steps: -1/2 for white noise, 0 or above for movement. */
static double find_whiteness(const double *residual, int32_t n)
{
    double square = 0, product = 0;
    for (int32_t i = 1; i < n; i++) {
        double step = residual[i] - residual[i - 1];
        square += step * step;
        if (i > 1)
            product += step * (residual[i - 1] - residual[i - 2]);
    }
    double reversal = square > 0 ? -product / square : 0.0;
    return reversal < 0.15 ? 0.0 : reversal > 0.3 ? 1.0 : (reversal - 0.15) / 0.15;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* White noise by fourth differences, which suppress all movement but jumps; their median ignores jumps. The variances
 * of second and fourth differences of white noise are 6 and 70 times its own. */
static void estimate_white(sonic_path_fit *out, const double *path, const point_map *p)
{
    double d[SONIC_PATH_MAX_POINTS] = {0}, second = 0, fourth = 0;
    const int32_t n = p->count;
    if (n < SONIC_PATH_MIN_STEPS)
        return;
    for (int32_t i = 0; i < p->n; i++)
        d[p->of[i]] += path[i] / p->weight[p->of[i]];
    for (int32_t order = 1; order <= DIFFERENCES; order++) {
        for (int32_t i = 0; i + order < n; i++)
            d[i] = d[i + 1] - d[i];
        for (int32_t i = 0; order == 2 && i + order < n; i++)
            second += d[i] * d[i] / (6.0 * (n - 2));
    }
    for (int32_t i = 0; i + DIFFERENCES < n; i++)
        fourth += d[i] * d[i] / (70.0 * (n - DIFFERENCES)), d[i] = fabs(d[i]);
    qsort(d, (size_t)(n - DIFFERENCES), sizeof *d, ascending);
    out->robust_sigma = d[(n - DIFFERENCES) / 2] / (0.6745 * sqrt(70.0));
    out->difference_ratio = second > 0 ? sqrt(fourth / second) : 0.0;
}

/* Has the prior weight of all curves together. */
static void add_piecewise(sonic_mixture *m, const double *path, const point_map *p)
{
    curve_fit d;
    d.evidence = sonic_piecewise_fit(d.curve, &d.sigma, path, p->n);
    add_curve(m, &d, p->n, log(MEMORIES * STIFFNESSES));
}

sonic_path_fit sonic_path_smooth(const double *steps, const uint8_t *repeats, int32_t count, int32_t at, int in_pixels)
{
    sonic_path_fit fit = {0, 0, 0, 0, 0};
    double path[SONIC_PATH_MAX_POINTS] = {0}, residual[SONIC_PATH_MAX_POINTS] = {0};
    sonic_mixture m = {-INFINITY, 0, 0, {0}};
    point_map p;
    const int32_t n = count + 1;
    if (count < SONIC_PATH_MIN_STEPS || n > SONIC_PATH_MAX_POINTS)
        return fit;
    for (int32_t i = 1; i < n; i++)
        path[i] = path[i - 1] + steps[i - 1];
    map_points(&p, n, NULL);
    estimate_white(&fit, path, &p);
    add_curves(&m, path, &p, min_sigma[in_pixels != 0], 0.0);
    if (in_pixels)
        add_piecewise(&m, path, &p);
    if (map_points(&p, n, repeats)) {
        sonic_path_fit shared = fit;
        estimate_white(&shared, path, &p);
        /* Pauses alone do not make a path white; each shared point is the mean of its frames. */
        fit.robust_sigma = fmin(fit.robust_sigma, shared.robust_sigma * sqrt((double)n / p.count));
        add_curves(&m, path, &p, min_sigma[in_pixels != 0], repeat_log_odds);
    }
    for (int32_t i = 0; i < n; i++)
        residual[i] = path[i] - m.curve[i] / m.weight;
    fit.correction = -residual[at], fit.sigma = m.sigma / m.weight, fit.whiteness = find_whiteness(residual, n);
    return fit;
}
