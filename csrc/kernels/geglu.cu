// a GELU(g) of the two halves of each row. See arguments.h.
#include "kernels/portable.h"

KERNEL(geglu, geglu_arguments)
{
    long long from = BLOCK_X * 2 * a.width, to = BLOCK_X * a.width;
    (void)BLOCK_Y;
    THREADS
    {
        for (int i = thread * 2; i < a.width; i += KERNEL_THREADS * 2) {
            number_pair v = load_pair(a.both, from + i), gate = load_pair(a.both, from + a.width + i);
            v.x *= gelu(gate.x), v.y *= gelu(gate.y);
            store_pair(a.out, to + i, v);
        }
    }
}
