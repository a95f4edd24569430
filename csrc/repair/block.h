/* block.h - the orthonormal DCT of single 8x8 blocks (ITU-T T.81, A.3.3), as products with its matrix. Rows of eight
 * floats fit a vector register or two. */
#ifndef SONIC_REPAIR_BLOCK_H
#define SONIC_REPAIR_BLOCK_H

typedef struct sonic_block {
    float v[8][8]; /* [row][column], or [vertical frequency][horizontal] */
} sonic_block;

/* [frequency][sample] */
static const sonic_block sonic_block_cosine = {{
    {0.35355339f, 0.35355339f, 0.35355339f, 0.35355339f, 0.35355339f, 0.35355339f, 0.35355339f, 0.35355339f},
    {0.49039264f, 0.41573481f, 0.27778512f, 0.09754516f, -0.09754516f, -0.27778512f, -0.41573481f, -0.49039264f},
    {0.46193977f, 0.19134172f, -0.19134172f, -0.46193977f, -0.46193977f, -0.19134172f, 0.19134172f, 0.46193977f},
    {0.41573481f, -0.09754516f, -0.49039264f, -0.27778512f, 0.27778512f, 0.49039264f, 0.09754516f, -0.41573481f},
    {0.35355339f, -0.35355339f, -0.35355339f, 0.35355339f, 0.35355339f, -0.35355339f, -0.35355339f, 0.35355339f},
    {0.27778512f, -0.49039264f, 0.09754516f, 0.41573481f, -0.41573481f, -0.09754516f, 0.49039264f, -0.27778512f},
    {0.19134172f, -0.46193977f, 0.46193977f, -0.19134172f, -0.19134172f, 0.46193977f, -0.46193977f, 0.19134172f},
    {0.09754516f, -0.27778512f, 0.41573481f, -0.49039264f, 0.49039264f, -0.41573481f, 0.27778512f, -0.09754516f},
}};

/* out = left * right */
static inline void sonic_block_multiply(sonic_block *out, const sonic_block *left, const sonic_block *right)
{
    for (int i = 0; i < 8; i++)
        for (int x = 0; x < 8; x++) {
            float sum = 0;
            for (int k = 0; k < 8; k++)
                sum += left->v[i][k] * right->v[k][x];
            out->v[i][x] = sum;
        }
}

static inline void sonic_block_transpose(sonic_block *out, const sonic_block *in)
{
    for (int i = 0; i < 8; i++)
        for (int x = 0; x < 8; x++)
            out->v[x][i] = in->v[i][x];
}

/* transposed: sonic_block_cosine after sonic_block_transpose, made once for many blocks. `out` may be `in`. */
static inline void sonic_block_forward(sonic_block *out, const sonic_block *in, const sonic_block *transposed)
{
    sonic_block half;
    sonic_block_multiply(&half, &sonic_block_cosine, in);
    sonic_block_multiply(out, &half, transposed);
}

static inline void sonic_block_inverse(sonic_block *out, const sonic_block *in, const sonic_block *transposed)
{
    sonic_block half;
    sonic_block_multiply(&half, transposed, in);
    sonic_block_multiply(out, &half, &sonic_block_cosine);
}

#endif
