/* arguments.h - what the kernels are given: read by the compiler of the card (NVRTC, without any header of the system)
 * and by C. Pointers are the card's. Each kernel takes one of these structs by value. */
#ifndef SONIC_KERNELS_ARGUMENTS_H
#define SONIC_KERNELS_ARGUMENTS_H

enum {
    KERNEL_THREADS = 256,         /* of a block, in every kernel */
    KERNEL_MAX_CHANNELS = 4096,   /* what group_norm's shared memory holds */
    KERNEL_NORM_ROWS = 8,         /* rows of a block in layer_norm, */
    KERNEL_NORM_ROW_THREADS = 32, /* and threads of each */
    KERNEL_ADD_ROWS = 16          /* rows of a block in add_scaled */
};

/* group_norm_sums, then group_norm_apply: out = act((x + before - mean) / sqrt(variance + epsilon) * weight + bias),
 * the statistics of each image over its tokens and the channels of a group (Wu and He, 2018). Grid: (chunks, images).
 *
 * out, x [images, tokens, channels], different tensors; before (or null), weight, bias [channels]; sums [images,
 * chunks, groups, 2] float32, written by the first kernel and read by the second. channels / groups is even, channels
 * is at most KERNEL_MAX_CHANNELS, groups at most KERNEL_THREADS. */
typedef struct group_norm_arguments {
    void *out;
    const void *x, *before, *weight, *bias;
    float *sums;
    long long tokens, chunk_tokens;
    int channels, groups, chunks;
    float epsilon;
    int silu; /* 1: act is SiLU, 0: it is the identity */
} group_norm_arguments;

/* geglu: a *= GELU(g), with the exact GELU (Shazeer, 2020). Grid: (rows, 1).
 *
 * both [rows, 2 width]: a, then g. width is even. */
typedef struct geglu_arguments {
    void *both;
    int width;
} geglu_arguments;

/* add_scaled: x += factor y + bias. Grid: (rows / KERNEL_ADD_ROWS, rounded up, 1).
 *
 * x, y [rows, channels], different tensors; bias [channels]. channels is even. */
typedef struct add_scaled_arguments {
    void *x;
    const void *y, *bias;
    long long rows;
    int channels;
    float factor;
} add_scaled_arguments;

/* layer_norm: x += before, then out = (x - mean) / sqrt(variance + epsilon) * weight + bias, over the channels of each
 * row. Grid: (rows / KERNEL_NORM_ROWS, rounded up, 1).
 *
 * out [rows, channels], contiguous; x the same, or a rectangle of pictures: rows in order of pictures, lines and
 * columns, whose lines and pictures are line_step and image_step numbers apart. before (or null: x is only read),
 * weight, bias [channels]. channels is even, and so are the steps. */
typedef struct layer_norm_arguments {
    void *out, *x;
    const void *before, *weight, *bias;
    long long rows, columns, lines, line_step, image_step; /* contiguous: columns is rows, lines is 1 */
    int channels;
    float epsilon;
} layer_norm_arguments;

#endif
