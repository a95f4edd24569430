// a *= GELU(g), in place, with the two halves of each row. See arguments.h.
#include "kernels/portable.h"

KERNEL(geglu, geglu_arguments)
{
    long long row = BLOCK_X * 2 * a.width;
    (void)BLOCK_Y;
    THREADS
    {
        for (int i = thread * 2; i < a.width; i += KERNEL_THREADS * 2) {
            number_pair v = load_pair(a.both, row + i), gate = load_pair(a.both, row + a.width + i);
            v.x *= gelu(gate.x), v.y *= gelu(gate.y);
            store_pair(a.both, row + i, v);
        }
    }
}
