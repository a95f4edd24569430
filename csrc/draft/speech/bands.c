#include "draft/speech/bands.h"

#include <math.h>
#include <string.h>

#include "core/progress.h"

const float sonic_bands_edges_hz[SONIC_BANDS + 1] = {80,   200,  300,  400,  510,  630,  770,  920, 1080,
                                                     1270, 1480, 1720, 2000, 2320, 3150, 4400, 7500};

enum { SECTIONS = 4 }; /* two high-pass and two low-pass second-order sections */

/* Inaudible offset that keeps the filters' tails out of the slow denormal numbers; alternating, it passes the
 * high-pass. */
#define DENORMAL_GUARD 1e-15f

/* One second-order section of all bands: bands are the lanes that the compiler vectorises over. */
typedef struct section {
    float b0[SONIC_BANDS], b1[SONIC_BANDS], b2[SONIC_BANDS], a1[SONIC_BANDS], a2[SONIC_BANDS];
    float z1[SONIC_BANDS], z2[SONIC_BANDS];
} section;

/* Second-order Butterworth by the bilinear transform; the high-pass is the low-pass with z -> -z in the numerator. */
static void design(section *s, int band, double edge_hz, double sign)
{
    double k = tan(3.14159265358979323846 * edge_hz / SONIC_BANDS_RATE_HZ);
    double norm = 1.0 / (1.0 + 1.41421356237309505 * k + k * k);
    double b0 = (sign > 0 ? k * k : 1.0) * norm;
    s->b0[band] = s->b2[band] = (float)b0;
    s->b1[band] = (float)(2.0 * sign * b0);
    s->a1[band] = (float)(2.0 * (k * k - 1.0) * norm);
    s->a2[band] = (float)((1.0 - 1.41421356237309505 * k + k * k) * norm);
}

/* Energy gain of the two Linkwitz-Riley slopes at the band's centre; its inverse makes bands comparable. */
static float centre_gain(int band)
{
    double low = sonic_bands_edges_hz[band], high = sonic_bands_edges_hz[band + 1], ratio = low / high;
    double slope = 1.0 / (1.0 + ratio * ratio); /* (f / edge)^4 at f = sqrt(low high) */
    return (float)(slope * slope * slope * slope);
}

static void create_sections(section sections[SECTIONS])
{
    memset(sections, 0, SECTIONS * sizeof *sections);
    for (int i = 0; i < SECTIONS; i++)
        for (int band = 0; band < SONIC_BANDS; band++)
            design(&sections[i], band, sonic_bands_edges_hz[band + (i >= 2)], i < 2 ? -1.0 : 1.0);
}

static void filter_section(section *s, float x[SONIC_BANDS])
{
    for (int b = 0; b < SONIC_BANDS; b++) {
        float y = s->b0[b] * x[b] + s->z1[b];
        s->z1[b] = s->b1[b] * x[b] - s->a1[b] * y + s->z2[b];
        s->z2[b] = s->b2[b] * x[b] - s->a2[b] * y;
        x[b] = y;
    }
}

static void measure_hop(float energy[SONIC_BANDS], section sections[SECTIONS],
                        const float samples[SONIC_BANDS_HOP_SAMPLES])
{
    float sums[SONIC_BANDS] = {0};
    for (int i = 0; i < SONIC_BANDS_HOP_SAMPLES; i++) {
        float x[SONIC_BANDS];
        for (int b = 0; b < SONIC_BANDS; b++)
            x[b] = samples[i] + (i & 1 ? DENORMAL_GUARD : -DENORMAL_GUARD);
        filter_section(&sections[0], x);
        filter_section(&sections[1], x);
        for (int b = 0; b < SONIC_BANDS; b++)
            x[b] += DENORMAL_GUARD;
        filter_section(&sections[2], x);
        filter_section(&sections[3], x);
        for (int b = 0; b < SONIC_BANDS; b++)
            sums[b] += x[b] * x[b];
    }
    memcpy(energy, sums, sizeof sums);
}

/* A microphone's DC offset, subtracted because its onset would ring in the filters like a click. */
static float mean_of(const float *samples, int64_t count)
{
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++)
        sum += samples[i];
    return count ? (float)(sum / (double)count) : 0.0f;
}

enum { REPORT_HOPS = 2000 }; /* 10 s of sound, about 10 ms of work */

sonic_status sonic_bands_measure(float *energies, int64_t hops, const float *samples, int64_t count)
{
    sonic_status status;
    section sections[SECTIONS];
    float padded[SONIC_BANDS_HOP_SAMPLES], scale[SONIC_BANDS], offset = mean_of(samples, count);
    create_sections(sections);
    for (int b = 0; b < SONIC_BANDS; b++)
        scale[b] = 1.0f / (SONIC_BANDS_HOP_SAMPLES * centre_gain(b));
    for (int64_t hop = 0; hop < hops; hop++, energies += SONIC_BANDS) {
        if (hop % REPORT_HOPS == 0 && (status = sonic_progress_report(hop, hops, NULL)) != SONIC_OK)
            return status;
        int64_t start = hop * SONIC_BANDS_HOP_SAMPLES, left = count - start;
        int64_t valid = left < 0 ? 0 : left < SONIC_BANDS_HOP_SAMPLES ? left : SONIC_BANDS_HOP_SAMPLES;
        memset(padded, 0, sizeof padded);
        for (int64_t i = 0; i < valid; i++)
            padded[i] = samples[start + i] - offset;
        measure_hop(energies, sections, padded);
        for (int b = 0; b < SONIC_BANDS; b++)
            energies[b] *= scale[b];
    }
    return SONIC_OK;
}
