// A layer's result and the biases of the layers before, added to the stream in one pass. See arguments.h.
#include "kernels/portable.h"

KERNEL(add_scaled, add_scaled_arguments)
{
    long long first = BLOCK_X * KERNEL_ADD_ROWS, last = first + KERNEL_ADD_ROWS;
    int pairs = a.channels / 2;
    last = last < a.rows ? last : a.rows;
    (void)BLOCK_Y;
    THREADS
    {
        for (int i = thread; i < (int)(last - first) * pairs; i += KERNEL_THREADS) {
            long long at = first * a.channels + i * 2;
            number_pair x = load_pair(a.x, at), y = load_pair(a.y, at), bias = load_pair(a.bias, i % pairs * 2);
            x.x += a.factor * y.x + bias.x, x.y += a.factor * y.y + bias.y;
            store_pair(a.x, at, x);
        }
    }
}
