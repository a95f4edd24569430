#include "models/unet/embeddings.h"

#include <math.h>
#include <stdlib.h>

/* out [dim] = cos(v f_k), then sin(v f_k), f_k = 10000^(-k / (dim / 2)) */
static void sinusoid(float *out, int64_t dim, double v)
{
    int64_t half = dim / 2;
    for (int64_t k = 0; k < half; k++) {
        double frequency = exp(-log(10000.0) * (double)k / (double)half);
        out[k] = (float)cos(v * frequency);
        out[half + k] = (float)sin(v * frequency);
    }
}

/* values [rows, per_row] -> [rows, per_row dim] float32 on the device of `like` */
static sonic_tensor *sinusoids(sonic_scope *scope, const double *values, int64_t rows, int64_t per_row, int64_t dim,
                               sonic_tensor *like)
{
    if (scope->status || rows * per_row * dim <= 0)
        return NULL;
    float *host = calloc((size_t)(rows * per_row * dim), sizeof *host);
    if (!host) {
        sonic_scope_fail(scope, sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory for %lld embeddings.",
                                           (long long)rows));
        return NULL;
    }
    for (int64_t i = 0; i < rows * per_row; i++)
        sinusoid(host + i * dim, dim, values[i]);
    sonic_tensor *x = st_from_host(scope, host, st_shape2(rows, per_row * dim));
    free(host);
    return st_to_device_of(scope, st_take(x), like);
}

static sonic_tensor *linear_float32(sonic_scope *scope, const sonic_network *network, const char *name, sonic_tensor *x)
{
    sonic_tensor *weight =
        st_to_dtype(scope, sonic_layer_weight(scope, network, "%s.weight", name), SONIC_DTYPE_FLOAT32);
    sonic_tensor *bias = st_to_dtype(scope, sonic_layer_weight(scope, network, "%s.bias", name), SONIC_DTYPE_FLOAT32);
    return st_linear(scope, x, st_take(weight), st_take(bias));
}

/* linear_2(SiLU(linear_1(sinusoids of the values))): [rows, out] */
static sonic_tensor *embed(sonic_scope *outer, const sonic_network *network, const double *values, int64_t rows,
                           int64_t per_row)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *weight = sonic_layer_weight(&s, network, "linear_1.weight");
    sonic_tensor *y = sinusoids(&s, values, rows, per_row, st_size(weight, 1) / per_row, weight);
    y = linear_float32(&s, network, "linear_1", st_take(y));
    y = linear_float32(&s, network, "linear_2", st_take(st_silu_in_place(&s, y)));
    sonic_layer_probe(network, y);
    y = st_return(&s, y);
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}

sonic_tensor *sonic_unet_embed_step(sonic_scope *outer, const sonic_network *unet, double timestep,
                                    const double ids[SONIC_UNET_IDS])
{
    sonic_network time = sonic_network_part(unet, "time_embedding"), add = sonic_network_part(unet, "add_embedding");
    sonic_tensor *emb = embed(outer, &time, &timestep, 1, 1);
    return st_add(outer, st_take(emb), st_take(embed(outer, &add, ids, 1, SONIC_UNET_IDS)));
}

sonic_tensor *sonic_unet_embed_positions(sonic_scope *outer, const sonic_network *attention, int64_t frames)
{
    double index[SONIC_UNET_FRAMES_MAX];
    sonic_network network = sonic_network_part(attention, "time_pos_embed");
    for (int64_t i = 0; i < frames; i++)
        index[i] = (double)i;
    return embed(outer, &network, index, frames, 1);
}
