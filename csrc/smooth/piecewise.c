#include "smooth/piecewise.h"

#include <math.h>
#include <string.h>

#include "smooth/mixture.h"

enum { SIGMAS = 12, PROBABILITIES = 3, N = SONIC_PIECEWISE_MAX };
/* Grids of the noise level and of the probability of a jump; chosen by hand on the clips of bench/smooth.py. */
static const double min_sigma_px = 0.05, sigma_ratio = 1.5, min_spread_px = 2.0;
static const double probabilities[PROBABILITIES] = {0.03, 0.15, 0.5};

/* Pieces from point a to point b, both included, at one noise level. */
typedef struct pieces {
    int32_t n;
    /* Likelihood of a piece, up to a factor common to all partitions; its expected level */
    double likelihood[N][N], level[N][N];
    double sums[N + 1], squares[N + 1];
} pieces;

static void prefix_sums(pieces *p, const double *path, double middle)
{
    p->sums[0] = p->squares[0] = 0;
    for (int32_t i = 0; i < p->n; i++) {
        const double z = path[i] - middle;
        p->sums[i + 1] = p->sums[i] + z, p->squares[i + 1] = p->squares[i] + z * z;
    }
}

static void fit_pieces(pieces *p, double sigma, double spread)
{
    const double noise = sigma * sigma, levels = spread * spread;
    double narrow[N + 1], shrink[N + 1];
    for (int32_t k = 1; k <= p->n; k++)
        narrow[k] = 1.0 / sqrt(1.0 + k * levels / noise), shrink[k] = levels / (noise + k * levels);
    for (int32_t a = 0; a < p->n; a++)
        for (int32_t b = a; b < p->n; b++) {
            const double sum = p->sums[b + 1] - p->sums[a], square = p->squares[b + 1] - p->squares[a];
            const int32_t k = b - a + 1;
            p->level[a][b] = shrink[k] * sum;
            p->likelihood[a][b] = narrow[k] * exp(-0.5 / noise * (square - shrink[k] * sum * sum));
        }
}

/* Likelihoods of the points before a, with a jump at a, and of those from a on; stay[k]: probability of no jump at the
 * k points that follow. */
typedef struct passes {
    double before[N + 1], after[N + 1], stay[N];
} passes;

static void forward_backward(passes *s, const pieces *p, double probability)
{
    const int32_t n = p->n;
    memset(s, 0, sizeof *s);
    s->stay[0] = 1.0;
    for (int32_t k = 1; k < n; k++)
        s->stay[k] = s->stay[k - 1] * (1.0 - probability);
    s->before[0] = s->after[n] = 1.0;
    for (int32_t a = 0; a < n; a++)
        for (int32_t b = a; b < n; b++)
            s->before[b + 1] += s->before[a] * s->stay[b - a] * p->likelihood[a][b] * (b + 1 < n ? probability : 1.0);
    for (int32_t a = n - 1; a >= 0; a--)
        for (int32_t b = a; b < n; b++)
            s->after[a] += s->stay[b - a] * p->likelihood[a][b] * (b + 1 < n ? probability : 1.0) * s->after[b + 1];
}

/* curve[n]: the expected level at every point. */
static void expected_levels(double *curve, const pieces *p, const passes *s, double probability)
{
    const int32_t n = p->n;
    memset(curve, 0, (size_t)n * sizeof *curve);
    for (int32_t a = 0; a < n; a++) {
        double sum = 0;
        for (int32_t b = n - 1; b >= a; b--) {
            const double share = s->before[a] * s->stay[b - a] * p->likelihood[a][b] * (b + 1 < n ? probability : 1.0) *
                                 s->after[b + 1] / s->before[n];
            sum += share * p->level[a][b];
            curve[b] += sum;
        }
    }
}

double sonic_piecewise_fit(double *curve, double *sigma_px, const double *path, int32_t count)
{
    double middle = 0, spread = 0, sigma = min_sigma_px, levels[N];
    pieces p;
    passes s;
    sonic_mixture m = {-INFINITY, 0, 0, {0}};
    for (int32_t i = 0; i < count; i++)
        middle += path[i] / count;
    for (int32_t i = 0; i < count; i++)
        spread += (path[i] - middle) * (path[i] - middle) / count;
    spread = fmax(sqrt(spread), min_spread_px);
    p.n = count;
    prefix_sums(&p, path, middle);
    for (int i = 0; i < SIGMAS; i++, sigma *= sigma_ratio) {
        fit_pieces(&p, sigma, spread);
        for (int k = 0; k < PROBABILITIES; k++) {
            forward_backward(&s, &p, probabilities[k]);
            if (!(s.before[count] > 0)) /* underflow: far too little noise */
                continue;
            expected_levels(levels, &p, &s, probabilities[k]);
            sonic_mixture_add(&m, levels, sigma, log(s.before[count]) - count * log(sigma), count);
        }
    }
    for (int32_t i = 0; i < count; i++)
        curve[i] = m.weight > 0 ? middle + m.curve[i] / m.weight : path[i];
    *sigma_px = m.weight > 0 ? m.sigma / m.weight : 0.0;
    /* Flat priors on the log noise level, on the grid of probabilities, and on the mean level of the path. */
    return m.weight > 0 ? m.best + log(m.weight / PROBABILITIES * log(sigma_ratio) * spread) : -INFINITY;
}
