#include "smooth/path.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "smooth/piecewise.h"

enum { STIFFNESSES = 13, MEMORIES = 3, DIFFERENCES = 4 };
/* Of the squared steps between velocities, against the white shake's: 4^-4 .. 4^8. */
static const double softest = 1.0 / 256.0, stiffness_ratio = 4.0;
/* How much of a velocity is left at the next point: none (a path that wanders), nearly all, all of it. */
static const double memories[MEMORIES] = {0.0, 0.95, 1.0};
/* Weight of the first velocity, when it is not known from the memory. */
static const double first_weight = 0.05;
/* Likelihoods count to this power: no hand's path is quite what a model draws. Chosen on the paths of 20 clips that
 * move. */
static const double trust = 0.5;
/* Logarithm of the odds that a picture which seems a repetition is one. */
static const double known_repeats = 3.0;
/* Shake below this is no more than the measurement's own: of gains, of pixels. */
static const double least_sigma[2] = {1e-4, 0.02};

/* Points of the path to those of the curve, both in time: a frame that is the one before again stands at the same place
 * of the camera's movement. */
typedef struct places {
    int32_t n, count, of[SONIC_PATH_MAX];
    double weight[SONIC_PATH_MAX];
} places;

static int32_t lay_out(places *p, int32_t n, const uint8_t *repeats)
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

/* Steps between velocities, memory r: row i > 0 is x[i + 1] - x[i] - r (x[i] - x[i - 1]), row 0 a weight times x[1] -
 * x[0]. */
typedef struct kind {
    double stiffness, memory, first;
} kind;

static double coefficient(const kind *k, int32_t row, int32_t at)
{
    if (row == 0)
        return at == 1 ? k->first : -k->first;
    return at == row + 1 ? 1.0 : at == row ? -1.0 - k->memory : k->memory;
}

/* Cholesky factor L of W + stiffness A'A, W the weights, A the steps: L[i][0] is the diagonal, L[i][k] the entry k to
 * its left. */
typedef struct band {
    double row[SONIC_PATH_MAX][3];
} band;

static double entry(const kind *k, const places *p, int32_t i, int32_t back)
{
    double sum = back == 0 ? p->weight[i] : 0.0;
    for (int32_t row = i > 0 ? i - 1 : 0; row <= i - back + 1 && row + 1 < p->count; row++)
        if (row > 0 || i < 2)
            sum += k->stiffness * coefficient(k, row, i) * coefficient(k, row, i - back);
    return sum;
}

/* Returns the logarithm of the determinant of W + stiffness A'A. */
static double factor(band *l, const kind *kind, const places *p)
{
    double logarithm = 0;
    memset(l, 0, sizeof *l);
    for (int32_t i = 0; i < p->count; i++) {
        for (int32_t back = i < 2 ? i : 2; back >= 0; back--) {
            double sum = entry(kind, p, i, back);
            for (int32_t k = back + 1; k <= 2 && i - k >= 0; k++)
                sum -= l->row[i][k] * l->row[i - back][k - back];
            l->row[i][back] = back ? sum / l->row[i - back][0] : sqrt(sum);
        }
        logarithm += 2.0 * log(l->row[i][0]);
    }
    return logarithm;
}

static void solve(double *x, const band *l, int32_t n)
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

/* A curve, the shake it leaves, and how likely it makes the path: a logarithm, less what is the same for every curve.
 */
typedef struct drawn {
    double curve[SONIC_PATH_MAX], sigma, evidence;
} drawn;

static double squared_steps(const kind *k, const double *x, int32_t count)
{
    double sum = count > 1 ? k->first * k->first * (x[1] - x[0]) * (x[1] - x[0]) : 0.0;
    for (int32_t i = 1; i + 1 < count; i++) {
        const double step = x[i + 1] - x[i] - k->memory * (x[i] - x[i - 1]);
        sum += step * step;
    }
    return sum;
}

/* Stirling's series; to 1e-3 from 3 on. */
static double log_gamma(double x) { return (x - 0.5) * log(x) - x + 0.9189385 + 1.0 / (12.0 * x); }

/* The size of the shake is integrated out: each is as likely beforehand. */
static void bend(drawn *out, const double *path, const places *p, const kind *k, double least)
{
    band l;
    double x[SONIC_PATH_MAX] = {0}, left = p->n * least * least;
    for (int32_t i = 0; i < p->n; i++)
        x[p->of[i]] += path[i];
    const double determinant = factor(&l, k, p), steps = p->count - 1, spare = p->n - 1;
    solve(x, &l, p->count);
    for (int32_t i = 0; i < p->n; i++) {
        out->curve[i] = x[p->of[i]];
        left += (path[i] - out->curve[i]) * (path[i] - out->curve[i]);
    }
    left += k->stiffness * squared_steps(k, x, p->count);
    out->sigma = sqrt(left / spare);
    out->evidence = 0.5 * steps * log(k->stiffness) + (p->count > 1 ? log(k->first) : 0.0) - 0.5 * determinant +
                    log_gamma(0.5 * spare) - 0.5 * spare * log(0.5 * left) - log(2.0);
}

/* Weighed by its likelihood to the power of `trust`. */
static void add(sonic_mixture *m, const drawn *d, int32_t n, double bonus)
{
    sonic_mixture_add(m, d->curve, d->sigma, trust * d->evidence + bonus, n);
}

static void add_curves(sonic_mixture *m, const double *path, const places *p, double least, double bonus)
{
    drawn d;
    for (int i = 0; i < MEMORIES; i++) {
        const double memory = memories[i];
        kind k = {softest, memory, memory < 1.0 ? sqrt(1.0 - memory * memory) : first_weight};
        for (int j = 0; j < STIFFNESSES; j++, k.stiffness *= stiffness_ratio) {
            bend(&d, path, p, &k, least);
            add(m, &d, p->n, bonus);
        }
    }
}

/* White shake answers every step with half of it back; what is left of a movement goes on. */
static double whiteness(const double *rest, int32_t n)
{
    double square = 0, product = 0;
    for (int32_t i = 1; i < n; i++) {
        double step = rest[i] - rest[i - 1];
        square += step * step;
        if (i > 1)
            product += step * (rest[i - 1] - rest[i - 2]);
    }
    double answer = square > 0 ? -product / square : 0.0;
    return answer < 0.15 ? 0.0 : answer > 0.3 ? 1.0 : (answer - 0.15) / 0.15;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What white shake there is from place to place, by fourth differences, in which no movement is left but a sudden one;
 * their median does not see those. `evenness`: their root mean square over that of second differences, as white shake
 * would have it. */
static void judge_white(sonic_path_fit *out, const double *path, const places *p)
{
    double d[SONIC_PATH_MAX] = {0}, second = 0, fourth = 0;
    const int32_t n = p->count;
    if (n < SONIC_PATH_MIN)
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
    out->white = d[(n - DIFFERENCES) / 2] / (0.6745 * sqrt(70.0));
    out->evenness = second > 0 ? sqrt(fourth / second) : 0.0;
}

/* Counts as much as all curves together. */
static void add_rests(sonic_mixture *m, const double *path, const places *p)
{
    drawn d;
    d.evidence = sonic_rests_fit(d.curve, &d.sigma, path, p->n);
    add(m, &d, p->n, log(MEMORIES * STIFFNESSES));
}

sonic_path_fit sonic_path_smooth(const double *steps, const uint8_t *repeats, int32_t count, int32_t at, int jumps)
{
    sonic_path_fit fit = {0, 0, 0, 0, 0};
    double path[SONIC_PATH_MAX] = {0}, rest[SONIC_PATH_MAX] = {0};
    sonic_mixture m = {-INFINITY, 0, 0, {0}};
    places p;
    const int32_t n = count + 1;
    if (count < SONIC_PATH_MIN || n > SONIC_PATH_MAX)
        return fit;
    for (int32_t i = 1; i < n; i++)
        path[i] = path[i - 1] + steps[i - 1];
    lay_out(&p, n, NULL);
    judge_white(&fit, path, &p);
    add_curves(&m, path, &p, least_sigma[jumps != 0], 0.0);
    if (jumps)
        add_rests(&m, path, &p);
    if (lay_out(&p, n, repeats)) {
        sonic_path_fit apart = fit;
        judge_white(&apart, path, &p);
        /* A path that halts is not white for that; each place is the mean of its points. */
        fit.white = fmin(fit.white, apart.white * sqrt((double)n / p.count));
        add_curves(&m, path, &p, least_sigma[jumps != 0], known_repeats);
    }
    for (int32_t i = 0; i < n; i++)
        rest[i] = path[i] - m.curve[i] / m.weight;
    fit.correction = -rest[at], fit.sigma = m.sigma / m.weight, fit.whiteness = whiteness(rest, n);
    return fit;
}
