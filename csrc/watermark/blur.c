#include "watermark/blur.h"

#include <math.h>
#include <string.h>

#include "core/parallel.h"
#include "core/scalar.h"

enum { RADIUS_MAX = 15, GRAIN = 32 };

typedef struct blur_job {
    const float *in;
    float *out;
    int32_t width, height, radius;
    float weights[RADIUS_MAX + 1];
} blur_job;

SONIC_WIDE static void add_rows(float *out, const float *a, const float *b, float weight, int32_t width)
{
    for (int32_t x = 0; x < width; x++)
        out[x] += weight * (a[x] + b[x]);
}

SONIC_WIDE static void blur_columns(int64_t begin, int64_t end, void *context)
{
    const blur_job *job = context;
    for (int32_t y = (int32_t)begin; y < end; y++) {
        float *out = job->out + (ptrdiff_t)y * job->width;
        const float *in = job->in + (ptrdiff_t)y * job->width;
        for (int32_t x = 0; x < job->width; x++)
            out[x] = job->weights[0] * in[x];
        for (int32_t k = 1; k <= job->radius; k++)
            add_rows(out, job->in + (ptrdiff_t)sonic_clamp_index(y - k, job->height) * job->width,
                     job->in + (ptrdiff_t)sonic_clamp_index(y + k, job->height) * job->width, job->weights[k],
                     job->width);
    }
}

static float blurred_at(const blur_job *job, const float *row, int32_t x)
{
    float sum = job->weights[0] * row[x];
    for (int32_t k = 1; k <= job->radius; k++)
        sum +=
            job->weights[k] * (row[sonic_clamp_index(x - k, job->width)] + row[sonic_clamp_index(x + k, job->width)]);
    return sum;
}

SONIC_WIDE static void blur_rows(int64_t begin, int64_t end, void *context)
{
    const blur_job *job = context;
    const int32_t radius = job->radius, inner = job->width - radius;
    for (int32_t y = (int32_t)begin; y < end; y++) {
        const float *in = job->in + (ptrdiff_t)y * job->width;
        float *out = job->out + (ptrdiff_t)y * job->width;
        for (int32_t x = 0; x < job->width && x < radius; x++)
            out[x] = blurred_at(job, in, x);
        for (int32_t x = radius; x < inner; x++)
            out[x] = job->weights[0] * in[x];
        for (int32_t k = 1; k <= radius; k++)
            if (inner > radius)
                add_rows(out + radius, in + radius - k, in + radius + k, job->weights[k], inner - radius);
        for (int32_t x = inner > radius ? inner : radius; x < job->width; x++)
            out[x] = blurred_at(job, in, x);
    }
}

void sonic_plane_blur(const sonic_plane *plane, float sigma_px, float *scratch)
{
    blur_job job = {plane->data, scratch, plane->width_px, plane->height_px, 0, {0}};
    job.radius = (int32_t)ceilf(3.0f * sigma_px);
    job.radius = job.radius > RADIUS_MAX ? RADIUS_MAX : job.radius;
    float sum = 0;
    for (int32_t k = 0; k <= job.radius; k++) {
        job.weights[k] = expf(-0.5f * (float)(k * k) / (sigma_px * sigma_px));
        sum += k ? 2.0f * job.weights[k] : job.weights[k];
    }
    for (int32_t k = 0; k <= job.radius; k++)
        job.weights[k] /= sum;
    sonic_parallel_for(job.height, GRAIN, blur_rows, &job);
    job.in = scratch, job.out = plane->data;
    sonic_parallel_for(job.height, GRAIN, blur_columns, &job);
}
