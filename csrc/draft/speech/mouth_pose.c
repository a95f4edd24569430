#include "draft/speech/mouth_pose.h"

#include <math.h>
#include <stddef.h>

#include "core/progress.h"
#include "core/scalar.h"

/* Weight of each band's energy in the opening: F1 of open vowels in full, the voice bar and F1 of closed vowels (below
 * 400 Hz) little, F2 half, frication hardly. */
static const float vowel_weights[SONIC_BANDS] = {0.0f, 0.1f, 0.25f, 0.6f, 0.9f, 1.0f, 1.0f, 1.0f,
                                                 1.0f, 1.0f, 0.8f,  0.6f, 0.5f, 0.4f, 0.1f, 0.0f};

static float band_sum(const float energy[SONIC_BANDS], int first, int last)
{
    float sum = 0.0f;
    for (int b = first; b <= last; b++)
        sum += energy[b];
    return sum;
}

static float vowel_energy(const float energy[SONIC_BANDS])
{
    float sum = 0.0f;
    for (int b = 0; b < SONIC_BANDS; b++)
        sum += vowel_weights[b] * energy[b];
    return sum;
}

void sonic_mouth_pose_amplitude(float *amplitudes, const float *energies, int64_t hops)
{
    float before = 0.0f, here = hops ? vowel_energy(energies) : 0.0f;
    for (int64_t i = 0; i < hops; i++) {
        float after = i + 1 < hops ? vowel_energy(energies + (i + 1) * SONIC_BANDS) : 0.0f;
        amplitudes[i] = sqrtf(0.25f * before + 0.5f * here + 0.25f * after);
        before = here;
        here = after;
    }
}

/* Nearly linear at speaking level, so that the mouth follows the envelope; compressive above it, without a plateau. */
static float compress(float x) { return 2.0f * x / (1.0f + x); }

/* Decibels that 1480-3150 Hz (F2 of spread vowels) stand above 400-1080 Hz (F1, and F2 of rounded ones). */
static float spread_db(const float energy[SONIC_BANDS])
{
    return 10.0f * log10f((band_sum(energy, 10, 13) + 1e-12f) / (band_sum(energy, 3, 7) + 1e-12f));
}

/* Voiced speech has more energy under 1 kHz than above 4.4 kHz. */
static float voicing(const float energy[SONIC_BANDS])
{
    float low = band_sum(energy, 0, 7), high = band_sum(energy, 15, 15) + band_sum(energy, 14, 14);
    return low / (low + 4.0f * high + 1e-12f);
}

/* The speaker's spectral balance over opening: the weighted least-squares line through the voiced hops. Louder voices
 * are brighter whatever the lips do (Traunmueller and Eriksson 2000, JASA 107: 3438-3451), so the line is subtracted.
 */
typedef struct line {
    float at_rest, per_opening;
} line;

static line usual_spread(const sonic_mouth_pose *mouths, int64_t hops)
{
    double w = 0.0, x = 0.0, y = 0.0, xx = 0.0, xy = 0.0;
    for (int64_t i = 0; i < hops; i++) {
        double weight = mouths[i].voicing, opening = mouths[i].opening, spread = mouths[i].width;
        w += weight;
        x += weight * opening;
        y += weight * spread;
        xx += weight * opening * opening;
        xy += weight * opening * spread;
    }
    double spread_of_x = w * xx - x * x;
    double slope = spread_of_x > 1e-6 * w * w ? (w * xy - x * y) / spread_of_x : 0.0;
    line usual = {w > 0.0 ? (float)((y - slope * x) / w) : 0.0f, (float)slope};
    return usual;
}

static void measure_one(sonic_mouth_pose *mouth, const float energy[SONIC_BANDS], float amplitude, sonic_level level,
                        float local)
{
    float above = amplitude - level.floor;
    mouth->opening = above > 0.0f && local > 0.0f ? level.presence * compress(above / local) : 0.0f;
    mouth->voicing = sonic_clampf(4.0f * mouth->opening, 0.0f, 1.0f) * voicing(energy);
    mouth->width = spread_db(energy);
}

sonic_status sonic_mouth_pose_measure(sonic_mouth_pose *mouths, const float *energies, const float *amplitudes,
                                      int64_t hops, sonic_level level, const float *local)
{
    int64_t blocks = sonic_level_blocks(hops);
    sonic_status status = SONIC_OK;
    for (int64_t i = 0; i < hops && (status = sonic_progress_poll_item(i)) == SONIC_OK; i++)
        measure_one(&mouths[i], energies + i * SONIC_BANDS, amplitudes[i], level, sonic_level_at(local, blocks, i));
    if (status != SONIC_OK)
        return status;
    line usual = usual_spread(mouths, hops);
    for (int64_t i = 0; i < hops; i++) {
        float spread = (mouths[i].width - usual.at_rest - usual.per_opening * mouths[i].opening) / 12.0f;
        mouths[i].width = sonic_clampf(spread, -1.0f, 1.0f);
        mouths[i].rounding = sonic_clampf(-1.5f * spread - 0.5f, 0.0f, 1.0f);
    }
    return SONIC_OK;
}

enum { BRIDGE_HOPS = 24 }; /* 120 ms */

static float most_open(const sonic_mouth_pose *mouths, int64_t hops, int64_t first, int64_t last)
{
    float most = 0.0f;
    for (int64_t i = first < 0 ? 0 : first; i <= last && i < hops; i++)
        most = fmaxf(most, mouths[i].opening);
    return most;
}

void sonic_mouth_pose_bridge(float *openings, const sonic_mouth_pose *mouths, int64_t hops)
{
    for (int64_t i = 0; i < hops; i++) {
        float before = most_open(mouths, hops, i - BRIDGE_HOPS, i), after = most_open(mouths, hops, i, i + BRIDGE_HOPS);
        openings[i] = fmaxf(mouths[i].opening, 0.3f * fminf(before, after));
    }
}

enum { BACK = 24, AHEAD = 18 }; /* hops: 120 and 90 ms */

static float window(int offset)
{
    float x = 1.0f - (float)(offset < 0 ? -offset : offset) / (float)(offset < 0 ? BACK : AHEAD);
    return x * x * (3.0f - 2.0f * x);
}

sonic_mouth_pose sonic_mouth_pose_at_frame(const sonic_mouth_pose *mouths, const float *openings, int64_t hops,
                                           int64_t frame)
{
    sonic_mouth_pose sum = {0};
    float weights = 0.0f, voiced = 0.0f;
    int64_t middle = frame * SONIC_BANDS_HOPS_PER_FRAME + SONIC_BANDS_HOPS_PER_FRAME / 2;
    for (int offset = -BACK; offset <= AHEAD; offset++) {
        int64_t hop = middle + offset;
        float weight = window(offset);
        weights += weight;
        if (hop < 0 || hop >= hops)
            continue;
        const sonic_mouth_pose *m = &mouths[hop];
        sum.opening += weight * openings[hop];
        sum.width += weight * m->voicing * m->width;
        sum.rounding += weight * m->voicing * m->rounding;
        voiced += weight * m->voicing;
    }
    sum.opening /= weights;
    sum.voicing = voiced / weights;
    /* With half of the weight voiced the shape is full; with less it fades to rest. */
    float shape = voiced > 0.5f * weights ? voiced : 0.5f * weights;
    sum.width /= shape;
    sum.rounding /= shape;
    return sum;
}
