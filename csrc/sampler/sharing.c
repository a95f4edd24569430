#include "sampler/sharing.h"

void sonic_sharing_begin_group(sonic_sharing *sharing)
{
    for (int32_t i = 0; i < sharing->devices; i++)
        sharing->chosen[i] = false;
}

int32_t sonic_sharing_choose(sonic_sharing *sharing, int64_t work)
{
    int32_t best = -1;
    for (int32_t i = 0; i < sharing->devices; i++)
        if (!sharing->chosen[i] && (best < 0 || sharing->work[i] < sharing->work[best]))
            best = i;
    best = best < 0 ? 0 : best;
    sharing->chosen[best] = true;
    sharing->work[best] += work;
    return best;
}
