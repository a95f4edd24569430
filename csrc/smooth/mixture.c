#include "smooth/mixture.h"

#include <math.h>

void sonic_mixture_add(sonic_mixture *m, const double *curve, double sigma, double evidence, int32_t count)
{
    if (evidence > m->best) {
        const double shrink = exp(m->best - evidence);
        m->best = evidence, m->weight *= shrink, m->sigma *= shrink;
        for (int32_t i = 0; i < count; i++)
            m->curve[i] *= shrink;
    }
    const double weight = exp(evidence - m->best);
    m->weight += weight, m->sigma += weight * sigma;
    for (int32_t i = 0; i < count; i++)
        m->curve[i] += weight * curve[i];
}
