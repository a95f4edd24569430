#include "torch/group_norm.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/parallel.h"

/* Chunks of tokens are summed in parallel and their sums added in order, so results do not depend on threads. */
enum { CHUNK = 256 };

typedef struct job {
    float *out;
    const float *x, *weight, *bias;
    int64_t batch, tokens, channels, groups, chunks; /* chunks of one batch */
    double epsilon;
    double *sums;  /* [batch, chunks, 2, channels]: of values, of squares */
    float *affine; /* [batch, 2, channels]: y = x affine[0] + affine[1] */
} job;

static int64_t tokens_in(const job *j, int64_t chunk)
{
    int64_t left = j->tokens - chunk % j->chunks * CHUNK;
    return left < CHUNK ? left : CHUNK;
}

static const float *chunk_start(const job *j, int64_t chunk)
{
    return j->x + (chunk / j->chunks * j->tokens + chunk % j->chunks * CHUNK) * j->channels;
}

static void sum_chunks(int64_t first, int64_t last, void *context)
{
    const job *j = context;
    for (int64_t chunk = first; chunk < last; chunk++) {
        const float *x = chunk_start(j, chunk);
        double *sum = j->sums + chunk * 2 * j->channels, *squares = sum + j->channels;
        for (int64_t t = 0, count = tokens_in(j, chunk); t < count; t++, x += j->channels)
            for (int64_t c = 0; c < j->channels; c++) {
                double value = x[c];
                sum[c] += value;
                squares[c] += value * value;
            }
    }
}

/* Mean and reciprocal standard deviation of one group of one batch. */
static void statistics(double *mean, double *scale, const job *j, int64_t batch, int64_t group)
{
    int64_t width = j->channels / j->groups;
    double sum = 0, squares = 0, count = (double)(width * j->tokens);
    for (int64_t chunk = 0; chunk < j->chunks; chunk++) {
        const double *at = j->sums + (batch * j->chunks + chunk) * 2 * j->channels + group * width;
        for (int64_t c = 0; c < width; c++)
            sum += at[c], squares += at[j->channels + c];
    }
    *mean = sum / count;
    double variance = squares / count - *mean * *mean;
    *scale = 1.0 / sqrt((variance > 0 || isnan(variance) ? variance : 0) + j->epsilon);
}

static void make_affine(const job *j, int64_t batch, int64_t group)
{
    int64_t width = j->channels / j->groups;
    float *affine = j->affine + batch * 2 * j->channels;
    double mean, scale;
    statistics(&mean, &scale, j, batch, group);
    for (int64_t c = group * width; c < (group + 1) * width; c++) {
        affine[c] = (float)(scale * (double)j->weight[c]);
        affine[j->channels + c] = (float)((double)j->bias[c] - mean * scale * (double)j->weight[c]);
    }
}

static void apply_chunks(int64_t first, int64_t last, void *context)
{
    const job *j = context;
    for (int64_t chunk = first; chunk < last; chunk++) {
        const float *x = chunk_start(j, chunk), *scale = j->affine + chunk / j->chunks * 2 * j->channels,
                    *shift = scale + j->channels;
        float *out = j->out + (x - j->x);
        for (int64_t t = 0, count = tokens_in(j, chunk); t < count; t++, x += j->channels, out += j->channels)
            for (int64_t c = 0; c < j->channels; c++)
                out[c] = x[c] * scale[c] + shift[c];
    }
}

sonic_status sonic_group_norm(float *out, const float *x, int64_t batch, int64_t tokens, int64_t channels,
                              int64_t groups, const float *weight, const float *bias, double epsilon)
{
    job j = {out, x, weight, bias, batch, tokens, channels, groups, (tokens + CHUNK - 1) / CHUNK, epsilon, NULL, NULL};
    if (groups < 1 || channels % groups)
        return sonic_fail(
            SONIC_ERROR_SHAPE,
            "Use the weight file that belongs to this network: %lld channels do not divide into %lld groups.",
            (long long)channels, (long long)groups);
    if (batch * tokens * channels == 0)
        return SONIC_OK;
    j.sums = calloc((size_t)(batch * j.chunks * 2 * channels), sizeof *j.sums);
    j.affine = calloc((size_t)(batch * 2 * channels), sizeof *j.affine);
    if (j.sums && j.affine) {
        sonic_parallel_for(batch * j.chunks, 1, sum_chunks, &j);
        for (int64_t i = 0; i < batch * groups; i++)
            make_affine(&j, i / groups, i % groups);
        sonic_parallel_for(batch * j.chunks, 1, apply_chunks, &j);
    }
    bool enough = j.sums && j.affine;
    free(j.sums);
    free(j.affine);
    return enough ? SONIC_OK
                  : sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory for the sums of a normalisation.");
}
