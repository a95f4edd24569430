#include "gate/quality.h"

#include <math.h>

/* T.81 tables K.1 (luma) and K.2 (chroma). */
static const uint8_t base[2][64] = {
    {16, 11,  10,  16, 24, 40, 51, 61, 12,  12,  14,  19,  26, 58, 60, 55,  14,  13,  16,  24, 40, 57,
     69, 56,  14,  17, 22, 29, 51, 87, 80,  62,  18,  22,  37, 56, 68, 109, 103, 77,  24,  35, 55, 64,
     81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98,  112, 100, 103, 99},
    {17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99,
     99, 99, 47, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
     99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99},
};

#define LOW 4 /* largest sum of frequencies that counts: errors there are visible */

int32_t sonic_quality_step(int32_t quality, int32_t component, int32_t mode)
{
    int32_t scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
    int32_t step = (base[component != 0][mode] * scale + 50) / 100;
    return step < 1 ? 1 : step > 255 ? 255 : step;
}

sonic_quality_estimate sonic_quality_of_table(const uint16_t *table, int32_t component)
{
    sonic_quality_estimate best = {1, 0};
    double least = INFINITY;
    for (int32_t quality = 1; quality <= SONIC_QUALITY_MAX; quality++) {
        double distance = 0;
        int32_t differ = 0;
        for (int32_t mode = 0; mode < 64; mode++) {
            int32_t step = sonic_quality_step(quality, component, mode);
            differ += table[mode] != step;
            if (mode / 8 + mode % 8 <= LOW)
                distance += fabs(log((double)(table[mode] ? table[mode] : 1) / step));
        }
        if (!differ)
            return (sonic_quality_estimate){quality, 1};
        if (distance < least) {
            least = distance;
            best.quality = quality;
        }
    }
    return best;
}
