#include "post/smooth_path.h"

#include <math.h>
#include <string.h>

enum { KINDS = 2, STIFFNESSES = 8, ROUNDS = 6 };
static const double stiffnesses[STIFFNESSES] = {0.5, 2, 8, 32, 128, 512, 4096, 65536};

/* Weight of the degrees of freedom in cross-validation: with a few dozen points plain 1 too often follows the noise. */
static const double caution = 1.4;

/* Differences of order 1 and 2. */
static const double differences[KINDS][3] = {{-1, 1, 0}, {1, -2, 1}};

/* Cholesky factor L of I + lambda D'WD: L[i][0] is the diagonal, L[i][k] the entry k to its left. */
typedef struct band {
    double row[SONIC_PATH_MAX][3];
} band;

typedef struct roughness {
    int32_t order;
    double lambda, weights[SONIC_PATH_MAX];
} roughness;

static double entry(const roughness *r, int32_t n, int32_t i, int32_t back)
{
    const double *d = differences[r->order - 1];
    double sum = back == 0 ? 1.0 : 0.0;
    for (int32_t first = i - r->order < 0 ? 0 : i - r->order; first <= i - back && first + r->order < n; first++)
        sum += r->lambda * r->weights[first] * d[i - first] * d[i - back - first];
    return sum;
}

static void factor(band *l, const roughness *r, int32_t n)
{
    memset(l, 0, sizeof *l);
    for (int32_t i = 0; i < n; i++)
        for (int32_t back = i < 2 ? i : 2; back >= 0; back--) {
            double sum = entry(r, n, i, back);
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

/* The curve of one roughness; returns its degrees of freedom. */
static double draw(double *curve, const double *path, int32_t n, int32_t order, double lambda, double jump)
{
    roughness r = {order, lambda, {0}};
    band l;
    for (int32_t i = 0; i < n; i++)
        r.weights[i] = 1.0;
    for (int round = 0; round < (order == 1 ? ROUNDS : 1); round++) {
        for (int32_t i = 0; round && i + 1 < n; i++) {
            double step = (curve[i + 1] - curve[i]) / jump;
            r.weights[i] = 1.0 / (1.0 + step * step);
        }
        memcpy(curve, path, (size_t)n * sizeof *curve);
        factor(&l, &r, n);
        solve(curve, &l, n);
    }
    return freedom(&l, n);
}

/* One curve and its score in cross-validation; 0 where it has more freedom than the path has points. */
static double try_curve(sonic_path_fit *out, const double *path, int32_t n, int32_t at, int32_t order, double lambda, double jump)
{
    double curve[SONIC_PATH_MAX], rest[SONIC_PATH_MAX], left = 0;
    const double used = draw(curve, path, n, order, lambda, jump), spare = n - caution * used;
    for (int32_t i = 0; i < n; i++)
        rest[i] = path[i] - curve[i], left += rest[i] * rest[i];
    if (spare <= 0)
        return 0;
    *out = (sonic_path_fit){-rest[at], sqrt(left / (n - used)), whiteness(rest, n)};
    return left / (spare * spare) + 1e-12;
}

sonic_path_fit sonic_path_smooth(const double *steps, int32_t count, int32_t at, double jump)
{
    sonic_path_fit fits[KINDS * STIFFNESSES], mean = {0, 0, 0};
    double path[SONIC_PATH_MAX] = {0}, scores[KINDS * STIFFNESSES] = {0}, least = INFINITY, sum = 0;
    const int32_t n = count + 1;
    if (count < SONIC_PATH_MIN || n > SONIC_PATH_MAX)
        return mean;
    for (int32_t i = 1; i < n; i++)
        path[i] = path[i - 1] + steps[i - 1];
    for (int k = jump > 0 ? 0 : STIFFNESSES; k < KINDS * STIFFNESSES; k++) {
        scores[k] = try_curve(&fits[k], path, n, at, 1 + k / STIFFNESSES, stiffnesses[k % STIFFNESSES], jump);
        if (scores[k] > 0 && scores[k] < least)
            least = scores[k];
    }
    for (int k = 0; k < KINDS * STIFFNESSES; k++) {
        const double weight = scores[k] > 0 ? pow(least / scores[k], 0.5 * n) : 0;
        if (weight > 0)
            mean.correction += weight * fits[k].correction, mean.sigma += weight * fits[k].sigma, mean.whiteness += weight * fits[k].whiteness;
        sum += weight;
    }
    if (sum > 0)
        mean.correction /= sum, mean.sigma /= sum, mean.whiteness /= sum;
    return mean;
}
