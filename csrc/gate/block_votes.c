#include "gate/block_votes.h"

#include <math.h>
#include <string.h>

#include "gate/block_sample.h"

/* Chosen by hand on bench/gate_drawn.py and the variants of bench/gate.py. */
#define NONZERO_MIN 3   /* coefficients away from zero: fewer are no texture */
#define STEP_MIN 8.0f   /* smallest step that is read, in sigmas */
#define REACH 2.5f      /* sigmas around a multiple that count as on it */
#define OFF_SHARE 0.12f /* of a block's coefficients that may lie off the multiples */
#define RANGE_MIN 6.0f  /* levels: flatter blocks are skipped before their DCT */
#define SLOTS (4 * SONIC_BLOCK_VOTES_MAX)

void sonic_block_poll_init(sonic_block_poll *poll, const float step[64], float sigma)
{
    memset(poll, 0, sizeof *poll);
    for (int k = 0; k < 8; k++)
        for (int i = 0; i < 8; i++)
            poll->cosine[i][k] =
                (float)((k ? 0.5 : 0.35355339059327376) * cos((2 * i + 1) * k * 3.14159265358979323846 / 16));
    for (int m = 0; m < 64; m++) {
        const int read = m > 0 && step[m] >= STEP_MIN * sigma;
        poll->step[m] = read ? step[m] : 0;
        poll->inverse[m] = read ? 1 / step[m] : 0;
        poll->reach[m] = read ? REACH * sigma : INFINITY;
    }
}

/* out: [vertical][horizontal] frequency; block: [y][x]; cosine: [position][frequency]. */
SONIC_WIDE
static void transform(float *restrict out, const float *restrict block, float cosine[8][8])
{
    float down[64] = {0}; /* [vertical frequency][x] */
    memset(out, 0, 64 * sizeof *out);
    for (int u = 0; u < 8; u++)
        for (int y = 0; y < 8; y++)
            for (int x = 0; x < 8; x++)
                down[8 * u + x] += cosine[y][u] * block[8 * y + x];
    for (int u = 0; u < 8; u++)
        for (int x = 0; x < 8; x++)
            for (int v = 0; v < 8; v++)
                out[8 * u + v] += down[8 * u + x] * cosine[x][v];
}

/* The nearest multiples of the steps, and how far the coefficients are from them. */
SONIC_WIDE
static void round_to_steps(int32_t *restrict multiple, float *restrict distance, const float *restrict coefficient,
                           const sonic_block_poll *restrict poll)
{
    for (int m = 0; m < 64; m++) {
        float n = coefficient[m] * poll->inverse[m];
        multiple[m] = (int32_t)(n + (n < 0 ? -0.5f : 0.5f));
        float off = coefficient[m] - (float)multiple[m] * poll->step[m];
        distance[m] = off < 0 ? -off : off;
    }
}

int sonic_block_poll_is_full(const sonic_block_poll *poll)
{
    return poll->votes.supporting + poll->votes.against >= SONIC_BLOCK_VOTES_MAX;
}

/* 0 for blocks with clipped levels, which moved off their multiples, and for flat ones. */
static int copy_block(float block[64], const sonic_plane *luma, int32_t x, int32_t y)
{
    float low = 255, high = 0;
    for (int i = 0; i < 64; i++) {
        float value = sonic_plane_row(luma, y + i / 8)[x + i % 8];
        low = value < low ? value : low;
        high = value > high ? value : high;
        block[i] = value;
    }
    return low > 1.0f && high < 254.0f && high - low >= RANGE_MIN;
}

void sonic_block_poll_add(sonic_block_poll *poll, const sonic_plane *luma, int32_t x, int32_t y)
{
    float block[64], coefficient[64], distance[64];
    int32_t multiple[64];
    int on = 0, off = 0;
    uint32_t hash = SONIC_BLOCK_HASH; /* of the multiples */
    if (sonic_block_poll_is_full(poll) || !copy_block(block, luma, x, y))
        return;
    transform(coefficient, block, poll->cosine);
    round_to_steps(multiple, distance, coefficient, poll);
    for (int m = 1; m < 64; m++) {
        int far = distance[m] > poll->reach[m];
        off += far;
        on += !far && multiple[m] != 0;
        hash = sonic_block_hash(hash, multiple[m]);
    }
    if (on + off < NONZERO_MIN || !sonic_block_is_new(poll->seen, SLOTS, hash))
        return;
    if ((float)off <= OFF_SHARE * (float)(on + off))
        poll->votes.supporting++;
    else
        poll->votes.against++;
}

void sonic_block_poll_grid(sonic_block_poll *poll, const sonic_plane *luma, int32_t grid_offset)
{
    const sonic_block_grid grid = sonic_block_grid_of(luma, grid_offset);
    for (int64_t i = 0; i < grid.count && !sonic_block_poll_is_full(poll); i++) {
        int32_t x, y;
        sonic_block_grid_at(&x, &y, &grid, i);
        sonic_block_poll_add(poll, luma, x, y);
    }
}
