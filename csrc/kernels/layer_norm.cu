// A bias added to the stream in place, and the layer normalisation of the sum. See arguments.h.
//
// A row belongs to 32 threads, each of which keeps to its own channels, so the stream is read from memory once and
// from the cache twice: for its mean, for its variance, and for the result.
#include "kernels/portable.h"

/* Where a row of x begins. */
DEVICE long long row_start(const layer_norm_arguments *a, long long row)
{
    long long line = row / a->columns;
    return line / a->lines * a->image_step + line % a->lines * a->line_step + row % a->columns * a->channels;
}

KERNEL(layer_norm, layer_norm_arguments)
{
    enum { SIDE = KERNEL_NORM_ROW_THREADS };
    SHARED float sum[KERNEL_NORM_ROWS][SIDE], squares[KERNEL_NORM_ROWS][SIDE];
    (void)BLOCK_Y;
    THREADS
    {
        long long row = BLOCK_X * KERNEL_NORM_ROWS + thread / SIDE, x = row_start(&a, row);
        float s = 0;
        for (int c = thread % SIDE * 2; c < a.channels && row < a.rows; c += SIDE * 2) {
            number_pair v = load_pair(a.x, x + c);
            if (a.before) {
                number_pair before = load_pair(a.before, c);
                v.x += before.x, v.y += before.y;
                store_pair(a.x, x + c, v);
                v = load_pair(a.x, x + c); // as it was rounded
            }
            s += v.x + v.y;
        }
        sum[thread / SIDE][thread % SIDE] = s;
    }
    BARRIER();
    THREADS
    {
        long long row = BLOCK_X * KERNEL_NORM_ROWS + thread / SIDE, x = row_start(&a, row);
        float mean = 0, q = 0;
        for (int i = 0; i < SIDE; i++)
            mean += sum[thread / SIDE][i];
        mean /= (float)a.channels;
        for (int c = thread % SIDE * 2; c < a.channels && row < a.rows; c += SIDE * 2) {
            number_pair v = load_pair(a.x, x + c);
            q += (v.x - mean) * (v.x - mean) + (v.y - mean) * (v.y - mean);
        }
        squares[thread / SIDE][thread % SIDE] = q;
    }
    BARRIER();
    THREADS
    {
        long long row = BLOCK_X * KERNEL_NORM_ROWS + thread / SIDE, x = row_start(&a, row);
        float mean = 0, variance = 0;
        for (int i = 0; i < SIDE; i++)
            mean += sum[thread / SIDE][i], variance += squares[thread / SIDE][i];
        mean /= (float)a.channels;
        float scale = 1.0f / sqrtf(variance / (float)a.channels + a.epsilon);
        for (int c = thread % SIDE * 2; c < a.channels && row < a.rows; c += SIDE * 2) {
            number_pair v = load_pair(a.x, x + c), factor = load_pair(a.weight, c),
                        offset = load_pair(a.bias, c);
            v.x = (v.x - mean) * scale * factor.x + offset.x, v.y = (v.y - mean) * scale * factor.y + offset.y;
            store_pair(a.out, row * a.channels + c, v);
        }
    }
}
