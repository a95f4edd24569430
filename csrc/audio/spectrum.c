#include "audio/spectrum.h"

#include <math.h>

#define N SONIC_SPECTRUM_SAMPLES
#define HALF (N / 2)
#define LANES SONIC_SPECTRUM_LANES

typedef float lanes[LANES];

/* One complex number per lane. */
typedef struct point {
    lanes re, im;
} point;

void sonic_spectrum_init(sonic_spectrum_tables *tables)
{
    const double turn = 6.283185307179586476925;
    for (int i = 0; i < N; i++)
        tables->window[i] = (float)(0.5 - 0.5 * cos(turn * i / N));
    for (int k = 0; k < HALF; k++)
        tables->twiddle[k] = (sonic_complex){(float)cos(turn * k / HALF), (float)-sin(turn * k / HALF)};
    for (int k = 0; k <= N / 4; k++)
        tables->split[k] = (sonic_complex){(float)cos(turn * k / N), (float)-sin(turn * k / N)};
}

/* Stockham passes, decimation in time: `in` holds HALF / radix groups of inputs; once the radices multiply to `done`,
 * out[j + done * block] is in natural order within blocks. m: transforms to be joined after this pass. */
static void pass2(point *out, const point *in, const sonic_complex *twiddle, int done)
{
    const int m = HALF / (2 * done);
    for (int p = 0; p < done; p++) {
        const sonic_complex w = twiddle[p * m];
        for (int q = 0; q < m; q++) {
            const point *a = in + p * 2 * m + q, *b = a + m;
            point *x = out + p * m + q, *y = x + HALF / 2;
            for (int l = 0; l < LANES; l++) {
                float re = b->re[l] * w.re - b->im[l] * w.im, im = b->re[l] * w.im + b->im[l] * w.re;
                x->re[l] = a->re[l] + re, x->im[l] = a->im[l] + im;
                y->re[l] = a->re[l] - re, y->im[l] = a->im[l] - im;
            }
        }
    }
}

static void pass4(point *out, const point *in, const sonic_complex *twiddle, int done)
{
    const int m = HALF / (4 * done);
    for (int p = 0; p < done; p++) {
        const sonic_complex w1 = twiddle[p * m], w2 = twiddle[2 * p * m], w3 = twiddle[3 * p * m];
        for (int q = 0; q < m; q++) {
            const point *a = in + p * 4 * m + q, *b = a + m, *c = b + m, *d = c + m;
            point *x = out + p * m + q;
            for (int l = 0; l < LANES; l++) {
                float br = b->re[l] * w1.re - b->im[l] * w1.im, bi = b->re[l] * w1.im + b->im[l] * w1.re;
                float cr = c->re[l] * w2.re - c->im[l] * w2.im, ci = c->re[l] * w2.im + c->im[l] * w2.re;
                float dr = d->re[l] * w3.re - d->im[l] * w3.im, di = d->re[l] * w3.im + d->im[l] * w3.re;
                float sr = a->re[l] + cr, si = a->im[l] + ci, tr = a->re[l] - cr, ti = a->im[l] - ci;
                float ur = br + dr, ui = bi + di, vr = bi - di, vi = dr - br; /* v = -i (b - d) */
                x[0].re[l] = sr + ur, x[0].im[l] = si + ui;
                x[HALF / 4].re[l] = tr + vr, x[HALF / 4].im[l] = ti + vi;
                x[HALF / 2].re[l] = sr - ur, x[HALF / 2].im[l] = si - ui;
                x[3 * HALF / 4].re[l] = tr - vr, x[3 * HALF / 4].im[l] = ti - vi;
            }
        }
    }
}

#define C1 0.309016994374947424f  /* cos(2 pi / 5) */
#define C2 -0.809016994374947424f /* cos(4 pi / 5) */
#define S1 0.951056516295153572f  /* sin(2 pi / 5) */
#define S2 0.587785252292473129f  /* sin(4 pi / 5) */

static void pass5(point *out, const point *in, const sonic_complex *twiddle, int done)
{
    const int m = HALF / (5 * done);
    for (int p = 0; p < done; p++) {
        const sonic_complex w1 = twiddle[p * m], w2 = twiddle[2 * p * m], w3 = twiddle[3 * p * m],
                            w4 = twiddle[4 * p * m];
        for (int q = 0; q < m; q++) {
            const point *a = in + p * 5 * m + q, *b = a + m, *c = b + m, *d = c + m, *e = d + m;
            point *x = out + p * m + q;
            for (int l = 0; l < LANES; l++) {
                float br = b->re[l] * w1.re - b->im[l] * w1.im, bi = b->re[l] * w1.im + b->im[l] * w1.re;
                float cr = c->re[l] * w2.re - c->im[l] * w2.im, ci = c->re[l] * w2.im + c->im[l] * w2.re;
                float dr = d->re[l] * w3.re - d->im[l] * w3.im, di = d->re[l] * w3.im + d->im[l] * w3.re;
                float er = e->re[l] * w4.re - e->im[l] * w4.im, ei = e->re[l] * w4.im + e->im[l] * w4.re;
                float s1r = br + er, s1i = bi + ei, s2r = cr + dr, s2i = ci + di;
                float d1r = br - er, d1i = bi - ei, d2r = cr - dr, d2i = ci - di;
                float ar = a->re[l], ai = a->im[l];
                float ur = ar + C1 * s1r + C2 * s2r, ui = ai + C1 * s1i + C2 * s2i;
                float vr = ar + C2 * s1r + C1 * s2r, vi = ai + C2 * s1i + C1 * s2i;
                float gr = S1 * d1i + S2 * d2i, gi = -S1 * d1r - S2 * d2r; /* -i (S1 d1 + S2 d2) */
                float hr = S2 * d1i - S1 * d2i, hi = -S2 * d1r + S1 * d2r;
                x[0].re[l] = ar + s1r + s2r, x[0].im[l] = ai + s1i + s2i;
                x[HALF / 5].re[l] = ur + gr, x[HALF / 5].im[l] = ui + gi;
                x[2 * HALF / 5].re[l] = vr + hr, x[2 * HALF / 5].im[l] = vi + hi;
                x[3 * HALF / 5].re[l] = vr - hr, x[3 * HALF / 5].im[l] = vi - hi;
                x[4 * HALF / 5].re[l] = ur - gr, x[4 * HALF / 5].im[l] = ui - gi;
            }
        }
    }
}

/* Bins k and 200 - k of the real transform from bins k and 200 - k of the half-size one: X = E + W^k O. */
static void split_power(lanes low, lanes high, const point *z, const point *y, sonic_complex w)
{
    for (int l = 0; l < LANES; l++) {
        float er = 0.5f * (z->re[l] + y->re[l]), ei = 0.5f * (z->im[l] - y->im[l]);
        float or_ = 0.5f * (z->im[l] + y->im[l]), oi = 0.5f * (y->re[l] - z->re[l]);
        float tr = or_ * w.re - oi * w.im, ti = or_ * w.im + oi * w.re;
        low[l] = (er + tr) * (er + tr) + (ei + ti) * (ei + ti);
        high[l] = (er - tr) * (er - tr) + (ei - ti) * (ei - ti);
    }
}

void sonic_spectrum_power(float power[HALF + 1][LANES], const sonic_spectrum_tables *tables, float frames[N][LANES])
{
    point a[HALF], b[HALF];
    for (int i = 0; i < HALF; i++)
        for (int l = 0; l < LANES; l++) {
            a[i].re[l] = frames[2 * i][l] * tables->window[2 * i];
            a[i].im[l] = frames[2 * i + 1][l] * tables->window[2 * i + 1];
        }
    pass4(b, a, tables->twiddle, 1);
    pass2(a, b, tables->twiddle, 4);
    pass5(b, a, tables->twiddle, 8);
    pass5(a, b, tables->twiddle, 40);
    for (int k = 0; k <= HALF / 2; k++)
        split_power(power[k], power[HALF - k], &a[k], &a[(HALF - k) % HALF], tables->split[k]);
}
