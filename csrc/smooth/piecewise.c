#include "smooth/piecewise.h"

#include <math.h>
#include <string.h>

#include "smooth/mixture.h"

enum { SIGMAS = 12, CHANCES = 3, N = SONIC_RESTS_MAX };
static const double least_sigma_px = 0.05, sigma_ratio = 1.5, least_spread_px = 2.0;
static const double chances[CHANCES] = {0.03, 0.15, 0.5};

/* Of one size of noise. Pieces go from point a to point b, both included. */
typedef struct pieces {
    int32_t n;
    /* Likelihood of a piece, less what is the same for every division; its expected height */
    double fit[N][N], height[N][N];
    double sums[N + 1], squares[N + 1];
} pieces;

static void sum_up(pieces *p, const double *path, double middle)
{
    p->sums[0] = p->squares[0] = 0;
    for (int32_t i = 0; i < p->n; i++) {
        const double z = path[i] - middle;
        p->sums[i + 1] = p->sums[i] + z, p->squares[i + 1] = p->squares[i] + z * z;
    }
}

static void judge_pieces(pieces *p, double sigma, double spread)
{
    const double noise = sigma * sigma, heights = spread * spread;
    double narrow[N + 1], hold[N + 1];
    for (int32_t k = 1; k <= p->n; k++)
        narrow[k] = 1.0 / sqrt(1.0 + k * heights / noise), hold[k] = heights / (noise + k * heights);
    for (int32_t a = 0; a < p->n; a++)
        for (int32_t b = a; b < p->n; b++) {
            const double sum = p->sums[b + 1] - p->sums[a], square = p->squares[b + 1] - p->squares[a];
            const int32_t k = b - a + 1;
            p->height[a][b] = hold[k] * sum;
            p->fit[a][b] = narrow[k] * exp(-0.5 / noise * (square - hold[k] * sum * sum));
        }
}

/* Likelihoods of the points before a, with a jump at a, and of those from a on; stay[k]: no jump at the k points after
 * one. */
typedef struct passes {
    double before[N + 1], after[N + 1], stay[N];
} passes;

static void pass_both_ways(passes *s, const pieces *p, double chance)
{
    const int32_t n = p->n;
    memset(s, 0, sizeof *s);
    s->stay[0] = 1.0;
    for (int32_t k = 1; k < n; k++)
        s->stay[k] = s->stay[k - 1] * (1.0 - chance);
    s->before[0] = s->after[n] = 1.0;
    for (int32_t a = 0; a < n; a++)
        for (int32_t b = a; b < n; b++)
            s->before[b + 1] += s->before[a] * s->stay[b - a] * p->fit[a][b] * (b + 1 < n ? chance : 1.0);
    for (int32_t a = n - 1; a >= 0; a--)
        for (int32_t b = a; b < n; b++)
            s->after[a] += s->stay[b - a] * p->fit[a][b] * (b + 1 < n ? chance : 1.0) * s->after[b + 1];
}

/* Expected heights at every point. */
static void expect(double *curve, const pieces *p, const passes *s, double chance)
{
    const int32_t n = p->n;
    memset(curve, 0, (size_t)n * sizeof *curve);
    for (int32_t a = 0; a < n; a++) {
        double sum = 0;
        for (int32_t b = n - 1; b >= a; b--) {
            const double share = s->before[a] * s->stay[b - a] * p->fit[a][b] * (b + 1 < n ? chance : 1.0) *
                                 s->after[b + 1] / s->before[n];
            sum += share * p->height[a][b];
            curve[b] += sum;
        }
    }
}

double sonic_rests_fit(double *curve, double *sigma_px, const double *path, int32_t count)
{
    double middle = 0, spread = 0, sigma = least_sigma_px, heights[N];
    pieces p;
    passes s;
    sonic_mixture m = {-INFINITY, 0, 0, {0}};
    for (int32_t i = 0; i < count; i++)
        middle += path[i] / count;
    for (int32_t i = 0; i < count; i++)
        spread += (path[i] - middle) * (path[i] - middle) / count;
    spread = fmax(sqrt(spread), least_spread_px);
    p.n = count;
    sum_up(&p, path, middle);
    for (int i = 0; i < SIGMAS; i++, sigma *= sigma_ratio) {
        judge_pieces(&p, sigma, spread);
        for (int k = 0; k < CHANCES; k++) {
            pass_both_ways(&s, &p, chances[k]);
            if (!(s.before[count] > 0)) /* this size of noise is out of the question */
                continue;
            expect(heights, &p, &s, chances[k]);
            sonic_mixture_add(&m, heights, sigma, log(s.before[count]) - count * log(sigma), count);
        }
    }
    for (int32_t i = 0; i < count; i++)
        curve[i] = m.weight > 0 ? middle + m.curve[i] / m.weight : path[i];
    *sigma_px = m.weight > 0 ? m.sigma / m.weight : 0.0;
    /* Each size and chance as likely beforehand, by its logarithm; the level of the path as a whole is nobody's guess.
     */
    return m.weight > 0 ? m.best + log(m.weight / CHANCES * log(sigma_ratio) * spread) : -INFINITY;
}
