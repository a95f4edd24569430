#include "sampler/preview.h"

/* A linear fit of red, green and blue in -1..1 to the latents of Stable Diffusion 1, whose space Stable Video
 * Diffusion shares: "Decoding latents to RGB without upscaling", discuss.huggingface.co/t/23204, 2022. */
static const float factors[SONIC_LATENT_CHANNELS][3] = {
    {0.298f, 0.207f, 0.208f},
    {0.187f, 0.286f, 0.173f},
    {-0.158f, 0.189f, 0.264f},
    {-0.184f, -0.271f, -0.473f},
};

static uint8_t level(float value)
{
    float scaled = (value + 1.0f) * 127.5f + 0.5f;
    return (uint8_t)(scaled >= 255.0f ? 255.0f : scaled >= 0.0f ? scaled : 0.0f); /* 0 for NaN */
}

void sonic_preview_draw(uint8_t *out, const float *latents, int64_t rows, int64_t columns)
{
    int64_t count = rows * columns;
    for (int64_t i = 0; i < count; i++)
        for (int32_t c = 0; c < 3; c++) {
            float value = 0.0f;
            for (int32_t k = 0; k < SONIC_LATENT_CHANNELS; k++)
                value += latents[k * count + i] * factors[k][c];
            out[i * 3 + c] = level(value);
        }
}
