#include "post/smooth_path.h"

#include <math.h>
#include <string.h>

#include "post/smooth_rests.h"

enum { STIFFNESSES = 8, KINDS = STIFFNESSES + 1 };
static const double stiffnesses[STIFFNESSES] = {0.5, 2, 8, 32, 128, 512, 4096, 65536};

/* Weight of the degrees of freedom in cross-validation: with a few dozen points plain 1 too often follows the noise. */
static const double caution = 1.4;
/* Degrees of freedom of a jump: its place is found in the path too. */
static const double jump_freedom = 2.0;

/* Cholesky factor L of I + lambda D'D, D the second differences: L[i][0] is the diagonal, L[i][k] the entry k to its left. */
typedef struct band {
    double row[SONIC_PATH_MAX][3];
} band;

static double entry(double lambda, int32_t n, int32_t i, int32_t back)
{
    static const double d[3] = {1, -2, 1};
    double sum = back == 0 ? 1.0 : 0.0;
    for (int32_t first = i < 2 ? 0 : i - 2; first <= i - back && first + 2 < n; first++)
        sum += lambda * d[i - first] * d[i - back - first];
    return sum;
}

static void factor(band *l, double lambda, int32_t n)
{
    memset(l, 0, sizeof *l);
    for (int32_t i = 0; i < n; i++)
        for (int32_t back = i < 2 ? i : 2; back >= 0; back--) {
            double sum = entry(lambda, n, i, back);
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

/* Trace of the inverse, from its entries within the band alone (Takahashi, Fagan and Chin 1973). inverse[i][k] is the entry k to the right. */
static double freedom(const band *l, int32_t n)
{
    double inverse[SONIC_PATH_MAX + 2][3], trace = 0;
    memset(inverse, 0, sizeof inverse);
    for (int32_t i = n - 1; i >= 0; i--) {
        const double pivot = l->row[i][0], a = i + 1 < n ? l->row[i + 1][1] / pivot : 0, b = i + 2 < n ? l->row[i + 2][2] / pivot : 0;
        inverse[i][1] = -a * inverse[i + 1][0] - b * inverse[i + 1][1];
        inverse[i][2] = -a * inverse[i + 1][1] - b * inverse[i + 2][0];
        inverse[i][0] = 1.0 / (pivot * pivot) - a * inverse[i][1] - b * inverse[i][2];
        trace += inverse[i][0];
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

/* The curve of one kind; returns its degrees of freedom. */
static double draw(double *curve, const double *path, int32_t n, int kind)
{
    band l;
    if (kind == STIFFNESSES)
        return 1.0 + jump_freedom * (sonic_rests_fit(curve, path, n) - 1.0);
    memcpy(curve, path, (size_t)n * sizeof *curve);
    factor(&l, stiffnesses[kind], n);
    solve(curve, &l, n);
    return caution * freedom(&l, n);
}

/* One curve and its score in cross-validation; 0 where it has more freedom than the path has points. */
static double try_curve(sonic_path_fit *out, const double *path, int32_t n, int32_t at, int kind)
{
    double curve[SONIC_PATH_MAX], rest[SONIC_PATH_MAX], left = 0;
    const double used = draw(curve, path, n, kind), spare = n - used;
    for (int32_t i = 0; i < n; i++)
        rest[i] = path[i] - curve[i], left += rest[i] * rest[i];
    if (spare <= 0)
        return 0;
    *out = (sonic_path_fit){-rest[at], sqrt(left / (n - used / (kind == STIFFNESSES ? jump_freedom : caution))), whiteness(rest, n)};
    return left / (spare * spare) + 1e-12;
}

sonic_path_fit sonic_path_smooth(const double *steps, int32_t count, int32_t at, int jumps)
{
    sonic_path_fit fits[KINDS], mean = {0, 0, 0};
    double path[SONIC_PATH_MAX] = {0}, scores[KINDS] = {0}, least = INFINITY, sum = 0;
    const int32_t n = count + 1;
    if (count < SONIC_PATH_MIN || n > SONIC_PATH_MAX)
        return mean;
    for (int32_t i = 1; i < n; i++)
        path[i] = path[i - 1] + steps[i - 1];
    for (int k = 0; k < (jumps ? KINDS : STIFFNESSES); k++) {
        scores[k] = try_curve(&fits[k], path, n, at, k);
        if (scores[k] > 0 && scores[k] < least)
            least = scores[k];
    }
    for (int k = 0; k < KINDS; k++) {
        const double weight = scores[k] > 0 ? pow(least / scores[k], 0.3 * n) : 0;
        if (weight > 0)
            mean.correction += weight * fits[k].correction, mean.sigma += weight * fits[k].sigma, mean.whiteness += weight * fits[k].whiteness;
        sum += weight;
    }
    if (sum > 0)
        mean.correction /= sum, mean.sigma /= sum, mean.whiteness /= sum;
    return mean;
}
