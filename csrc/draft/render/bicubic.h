/* bicubic.h - the portrait sampled between its pixels: Catmull-Rom cubic convolution (Keys 1981, "Cubic convolution
 * interpolation for digital image processing", a = -1/2). */
#ifndef SONIC_DRAFT_RENDER_BICUBIC_H
#define SONIC_DRAFT_RENDER_BICUBIC_H

#include <stddef.h>

#include "core/scalar.h"
#include "core/vec4.h"

/* An image as float RGBX, 0 .. 255, with a border of repeated pixels, so that a 4x4 neighbourhood needs no checks. */
enum { SONIC_TEXTURE_BORDER = 4 };
typedef struct sonic_texture {
    int32_t width, height; /* without the border */
    ptrdiff_t stride;      /* floats from row to row */
    float *pixels;         /* the border's top left corner */
} sonic_texture;

static inline void sonic_bicubic_weights(float w[4], float t)
{
    static const float cubic[4] = {-0.5f, 1.5f, -1.5f, 0.5f}, square[4] = {1.0f, -2.5f, 2.0f, -0.5f};
    static const float linear[4] = {-0.5f, 0.0f, 0.5f, 0.0f}, constant[4] = {0.0f, 1.0f, 0.0f, 0.0f};
    float t2 = t * t;
    sonic_vec4 sum = sonic_vec4_add_scaled(sonic_vec4_load(constant), sonic_vec4_load(linear), t);
    sum = sonic_vec4_add_scaled(sum, sonic_vec4_load(square), t2);
    sonic_vec4_store(w, sonic_vec4_add_scaled(sum, sonic_vec4_load(cubic), t2 * t));
}

/* RGBX at (x, y); exact on pixels, the border repeated outside. */
static inline sonic_vec4 sonic_bicubic_sample_vec4(const sonic_texture *t, float x, float y)
{
    float right = (float)t->width, bottom = (float)t->height;
    x = sonic_clampf(x, -1.0f, right);
    y = sonic_clampf(y, -1.0f, bottom);
    int32_t left = (int32_t)(x + 8.0f) - 8, top = (int32_t)(y + 8.0f) - 8; /* floor */
    float wx[4], wy[4];
    sonic_bicubic_weights(wx, x - (float)left);
    sonic_bicubic_weights(wy, y - (float)top);
    const float *p =
        t->pixels + (ptrdiff_t)(top - 1 + SONIC_TEXTURE_BORDER) * t->stride + 4 * (left - 1 + SONIC_TEXTURE_BORDER);
    sonic_vec4 rows[4];
    for (int32_t j = 0; j < 4; j++, p += t->stride) {
        rows[j] = sonic_vec4_scale(sonic_vec4_load(p), wx[0]);
        rows[j] = sonic_vec4_add_scaled(rows[j], sonic_vec4_load(p + 4), wx[1]);
        rows[j] = sonic_vec4_add_scaled(rows[j], sonic_vec4_load(p + 8), wx[2]);
        rows[j] = sonic_vec4_add_scaled(rows[j], sonic_vec4_load(p + 12), wx[3]);
    }
    sonic_vec4 sum = sonic_vec4_scale(rows[0], wy[0]);
    sum = sonic_vec4_add_scaled(sum, rows[1], wy[1]);
    sum = sonic_vec4_add_scaled(sum, rows[2], wy[2]);
    return sonic_vec4_add_scaled(sum, rows[3], wy[3]);
}

/* The same, stored to rgbx [4]. */
static inline void sonic_bicubic_sample(float *rgbx, const sonic_texture *t, float x, float y)
{
    sonic_vec4_store(rgbx, sonic_bicubic_sample_vec4(t, x, y));
}

#endif
