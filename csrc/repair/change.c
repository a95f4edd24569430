#include "repair/change.h"

double sonic_repair_change(const uint8_t *before, const uint8_t *after, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *a = before + 3 * i, *b = after + 3 * i;
        float d = 0.299f * (float)(a[0] - b[0]) + 0.587f * (float)(a[1] - b[1]) + 0.114f * (float)(a[2] - b[2]);
        sum += (double)(d * d);
    }
    return count > 0 ? sum / (double)count : 0;
}
