#include "post/smooth_path.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "post/smooth_rests.h"

/* Kinds of curves: one for each stiffness, the same for a clip with repeated frames, and the one of pieces. */
enum { STIFFNESSES = 8, JUMPS = 2 * STIFFNESSES, KINDS, REPEAT_MAX = 6, TYPICAL = 3, DIFFERENCES = 4 };
static const double stiffnesses[STIFFNESSES] = {0.5, 2, 8, 32, 128, 512, 4096, 65536};

/* Weight of the degrees of freedom in cross-validation: with a few dozen points plain 1 too often follows the noise. */
static const double caution = 1.2;
/* Degrees of freedom of a jump: its place is found in the path too. */
static const double jump_freedom = 2.0;

/* Points of the path to those of the curve, both in time: a frame that is the one before again stands at the same place of the camera's
 * movement. */
typedef struct places {
    int32_t count, of[SONIC_PATH_MAX];
    double weight[SONIC_PATH_MAX];
} places;

/* Every `period`th frame a repetition, the first one at `phase` (1 .. period); period 0 for none. */
static void lay_out(places *p, int32_t n, int32_t period, int32_t phase)
{
    memset(p, 0, sizeof *p);
    for (int32_t i = 0; i < n; i++) {
        p->of[i] = i == 0 || (period && i % period == phase % period) ? (i ? p->count - 1 : p->count++) : p->count++;
        p->weight[p->of[i]] += 1.0;
    }
}

/* Cholesky factor L of W + lambda D'D, W the weights, D the second differences: L[i][0] is the diagonal, L[i][k] the entry k to its
 * left. */
typedef struct band {
    double row[SONIC_PATH_MAX][3];
} band;

static double entry(double lambda, const places *p, int32_t i, int32_t back)
{
    static const double d[3] = {1, -2, 1};
    const int32_t n = p->count;
    double sum = back == 0 ? p->weight[i] : 0.0;
    for (int32_t first = i < 2 ? 0 : i - 2; first <= i - back && first + 2 < n; first++)
        sum += lambda * d[i - first] * d[i - back - first];
    return sum;
}

static void factor(band *l, double lambda, const places *p)
{
    memset(l, 0, sizeof *l);
    for (int32_t i = 0; i < p->count; i++)
        for (int32_t back = i < 2 ? i : 2; back >= 0; back--) {
            double sum = entry(lambda, p, i, back);
            for (int32_t k = back + 1; k <= 2 && i - k >= 0; k++)
                sum -= l->row[i][k] * l->row[i - back][k - back];
            l->row[i][back] = back ? sum / l->row[i - back][0] : sqrt(sum);
        }
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

/* Trace of the inverse times the weights, from its entries within the band alone (Takahashi, Fagan and Chin 1973). inverse[i][k] is the
 * entry k to the right. */
static double freedom(const band *l, const places *p)
{
    const int32_t n = p->count;
    double inverse[SONIC_PATH_MAX + 2][3], trace = 0;
    memset(inverse, 0, sizeof inverse);
    for (int32_t i = n - 1; i >= 0; i--) {
        const double pivot = l->row[i][0], a = i + 1 < n ? l->row[i + 1][1] / pivot : 0, b = i + 2 < n ? l->row[i + 2][2] / pivot : 0;
        inverse[i][1] = -a * inverse[i + 1][0] - b * inverse[i + 1][1];
        inverse[i][2] = -a * inverse[i + 1][1] - b * inverse[i + 2][0];
        inverse[i][0] = 1.0 / (pivot * pivot) - a * inverse[i][1] - b * inverse[i][2];
        trace += p->weight[i] * inverse[i][0];
    }
    return trace;
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

/* The curve of one stiffness; returns its degrees of freedom. */
static double bend(double *curve, const double *path, int32_t n, const places *p, double stiffness)
{
    band l;
    double places_curve[SONIC_PATH_MAX] = {0};
    for (int32_t i = 0; i < n; i++)
        places_curve[p->of[i]] += path[i];
    factor(&l, stiffness, p);
    solve(places_curve, &l, p->count);
    for (int32_t i = 0; i < n; i++)
        curve[i] = places_curve[p->of[i]];
    return caution * freedom(&l, p);
}

/* The curve of one kind; returns its degrees of freedom. That frames are repeated, and which, is one more. */
static double draw(double *curve, const double *path, int32_t n, int kind, const places *repeated)
{
    places each;
    if (kind == JUMPS)
        return 1.0 + jump_freedom * (sonic_rests_fit(curve, path, n) - 1.0);
    if (kind >= STIFFNESSES)
        return caution * 1.0 + bend(curve, path, n, repeated, stiffnesses[kind - STIFFNESSES]);
    lay_out(&each, n, 0, 0);
    return bend(curve, path, n, &each, stiffnesses[kind]);
}

/* The repetition under which a curve of middle stiffness fits best. */
static void find_repeated(places *best, const double *path, int32_t n)
{
    double least = INFINITY, curve[SONIC_PATH_MAX];
    lay_out(best, n, 0, 0);
    for (int32_t period = 2; period <= REPEAT_MAX; period++)
        for (int32_t phase = 1; phase <= period; phase++) {
            places p;
            double left = 0;
            lay_out(&p, n, period, phase);
            const double spare = n - bend(curve, path, n, &p, stiffnesses[TYPICAL]);
            for (int32_t i = 0; i < n; i++)
                left += (path[i] - curve[i]) * (path[i] - curve[i]);
            if (spare > 0 && left / (spare * spare) < least)
                least = left / (spare * spare), *best = p;
        }
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What white shake there is by fourth differences, in which no movement is left but a sudden one; their median does not see those.
 * `evenness`: their root mean square over that of second differences, as white shake would have it. */
static void judge_white(sonic_path_fit *out, const double *path, int32_t n)
{
    double d[SONIC_PATH_MAX], second = 0, fourth = 0;
    for (int32_t i = 0; i < n; i++)
        d[i] = path[i];
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

/* One curve and its score in cross-validation; 0 where it has more freedom than the path has points. */
static double try_curve(sonic_path_fit *out, const double *path, int32_t n, int32_t at, int kind, const places *repeated)
{
    double curve[SONIC_PATH_MAX], rest[SONIC_PATH_MAX], left = 0;
    const double used = draw(curve, path, n, kind, repeated), spare = n - used;
    for (int32_t i = 0; i < n; i++)
        rest[i] = path[i] - curve[i], left += rest[i] * rest[i];
    if (spare <= 0)
        return 0;
    *out = (sonic_path_fit){-rest[at], sqrt(left / (n - used / (kind == JUMPS ? jump_freedom : caution))), whiteness(rest, n), 0, 0};
    return left / (spare * spare) + 1e-12;
}

sonic_path_fit sonic_path_smooth(const double *steps, int32_t count, int32_t at, int jumps)
{
    sonic_path_fit fits[KINDS], mean = {0, 0, 0, 0, 0};
    places repeated;
    double path[SONIC_PATH_MAX] = {0}, scores[KINDS] = {0}, least = INFINITY, sum = 0;
    const int32_t n = count + 1;
    if (count < SONIC_PATH_MIN || n > SONIC_PATH_MAX)
        return mean;
    for (int32_t i = 1; i < n; i++)
        path[i] = path[i - 1] + steps[i - 1];
    judge_white(&mean, path, n);
    if (jumps)
        find_repeated(&repeated, path, n);
    for (int k = 0; k < (jumps ? KINDS : STIFFNESSES); k++) {
        scores[k] = try_curve(&fits[k], path, n, at, k, &repeated);
        if (scores[k] > 0 && scores[k] < least)
            least = scores[k];
    }
    for (int k = 0; k < KINDS; k++) {
        const double weight = scores[k] > 0 ? pow(least / scores[k], 0.2 * n) : 0;
        if (weight > 0)
            mean.correction += weight * fits[k].correction, mean.sigma += weight * fits[k].sigma,
                mean.whiteness += weight * fits[k].whiteness;
        sum += weight;
    }
    if (sum > 0)
        mean.correction /= sum, mean.sigma /= sum, mean.whiteness /= sum;
    return mean;
}
