#include "post/smooth_path.h"

#include <math.h>
#include <string.h>

static const double stiffnesses[SONIC_PATH_STIFFNESSES] = {0.5, 2, 8, 32, 128, 512, 4096, 65536};

/* Weight of the degrees of freedom in cross-validation: with a few dozen points plain 1 too often follows the noise. */
static const double caution = 1.4;

/* Cholesky factor L of I + lambda D'D, D the second differences: L[i][0] the diagonal, L[i][k] the entry k to its left. */
typedef struct band {
    double row[SONIC_PATH_MAX][3];
} band;

static double entry(int32_t n, int32_t i, int32_t back, double lambda)
{
    static const double weights[3] = {1, -2, 1};
    double sum = back == 0 ? 1.0 : 0.0;
    for (int32_t d = i - 2; d <= i; d++)
        if (d >= 0 && d + 2 < n && i - back >= d)
            sum += lambda * weights[i - d] * weights[i - back - d];
    return sum;
}

static void factor(band *l, int32_t n, double lambda)
{
    memset(l, 0, sizeof *l);
    for (int32_t i = 0; i < n; i++)
        for (int32_t back = i < 2 ? i : 2; back >= 0; back--) {
            double sum = entry(n, i, back, lambda);
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

void sonic_path_table_fill(sonic_path_table *table)
{
    memset(table, 0, sizeof *table);
    for (int s = 0; s < SONIC_PATH_STIFFNESSES; s++)
        for (int32_t n = 3; n <= SONIC_PATH_MAX; n++) {
            band l;
            factor(&l, n, stiffnesses[s]);
            for (int32_t i = 0; i < n; i++) {
                double x[SONIC_PATH_MAX] = {0};
                x[i] = 1.0;
                solve(x, &l, n);
                table->freedom[s][n] += x[i];
            }
        }
}

/* White shake has steps whose neighbours correlate by -1/2, movement by more than 0. */
static double whiteness(const double *steps, int32_t count)
{
    double mean = 0, square = 0, product = 0;
    for (int32_t i = 0; i < count; i++)
        mean += steps[i] / count;
    for (int32_t i = 0; i < count; i++) {
        square += (steps[i] - mean) * (steps[i] - mean);
        if (i)
            product += (steps[i] - mean) * (steps[i - 1] - mean);
    }
    double answer = square > 0 ? -product / square : 0.0;
    return answer < 0.1 ? 0.0 : answer > 0.25 ? 1.0 : (answer - 0.1) / 0.15;
}

sonic_path_fit sonic_path_smooth(const sonic_path_table *table, const double *steps, int32_t count, int32_t at)
{
    sonic_path_fit best = {0, 0, 0};
    double path[SONIC_PATH_MAX] = {0}, least = INFINITY;
    const int32_t n = count + 1;
    if (count < SONIC_PATH_MIN || n > SONIC_PATH_MAX)
        return best;
    for (int32_t i = 1; i < n; i++)
        path[i] = path[i - 1] + steps[i - 1];
    for (int s = 0; s < SONIC_PATH_STIFFNESSES; s++) {
        band l;
        double curve[SONIC_PATH_MAX], left = 0, free = n - table->freedom[s][n];
        memcpy(curve, path, sizeof curve);
        factor(&l, n, stiffnesses[s]);
        solve(curve, &l, n);
        for (int32_t i = 0; i < n; i++)
            left += (path[i] - curve[i]) * (path[i] - curve[i]);
        const double spare = n - caution * table->freedom[s][n];
        if (spare > 0 && left / (spare * spare) < least) {
            least = left / (spare * spare);
            best.correction = curve[at] - path[at];
            best.sigma = sqrt(left / free);
        }
    }
    best.whiteness = whiteness(steps, count);
    return best;
}
