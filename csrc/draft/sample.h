/* sample.h - the portrait between its pixels: Catmull-Rom cubic convolution (Keys 1981, a = -1/2). */
#ifndef SONIC_DRAFT_SAMPLE_H
#define SONIC_DRAFT_SAMPLE_H

#include "draft/rig_parts.h"

static inline void sonic_cubic_weights(float w[4], float t)
{
    w[0] = ((-0.5f * t + 1.0f) * t - 0.5f) * t;
    w[1] = (1.5f * t - 2.5f) * t * t + 1.0f;
    w[2] = ((-1.5f * t + 2.0f) * t + 0.5f) * t;
    w[3] = (0.5f * t - 0.5f) * t * t;
}

/* rgbx[4] at (x, y); exact on pixels, repeated beyond the border. */
static inline void sonic_sample(float *rgbx, const sonic_texture *t, float x, float y)
{
    float right = (float)t->width, bottom = (float)t->height;
    x = x < -1.0f ? -1.0f : x > right ? right : x;
    y = y < -1.0f ? -1.0f : y > bottom ? bottom : y;
    int32_t left = (int32_t)(x + 8.0f) - 8, top = (int32_t)(y + 8.0f) - 8;
    float wx[4], wy[4];
    sonic_cubic_weights(wx, x - (float)left);
    sonic_cubic_weights(wy, y - (float)top);
    const float *p = t->pixels + (ptrdiff_t)(top - 1 + SONIC_BORDER) * t->stride + 4 * (left - 1 + SONIC_BORDER);
    float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (int32_t j = 0; j < 4; j++, p += t->stride) {
        float row[4];
        for (int32_t c = 0; c < 4; c++)
            row[c] = wx[0] * p[c] + wx[1] * p[4 + c] + wx[2] * p[8 + c] + wx[3] * p[12 + c];
        for (int32_t c = 0; c < 4; c++)
            sum[c] += wy[j] * row[c];
    }
    for (int32_t c = 0; c < 4; c++)
        rgbx[c] = sum[c];
}

static inline uint8_t sonic_to_byte(float x)
{
    return x <= 0.0f ? 0 : x >= 255.0f ? 255 : (uint8_t)(x + 0.5f);
}

#endif
