#include "audio/channels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/band_power.h"

#define BANDS SONIC_BAND_POWERS
#define LANES SONIC_SPECTRUM_LANES

static const float background = 2.0f;    /* of the median power: above it, what changes over time */
static const float least_change = 0.01f; /* of all power: with less, the powers are compared as they are */
static const float silence = 3e-5f;      /* power of a window at -90 dB of full scale */
static const float cancelled = 0.1f;     /* of the power that the mean of unrelated channels has */
static const float clear_gain = 0.02f;   /* of the score, for another mixture than the mean */
static const float channel_gain = 0.01f; /* of the score, for one more channel */
static const float centre_score = 0.9f;  /* from here on the centre alone has all the speech */
static const float centre_share = 0.25f; /* of the reference's power: the centre has the dialogue, others music */

int64_t sonic_channels_windows(int64_t count, int32_t rate_hz, int64_t hop)
{
    int64_t window = sonic_band_power_window(rate_hz);
    return count > window ? (count - window) / hop + 1 : 1;
}

int64_t sonic_channels_pairs(int64_t channels) { return channels * (channels + 1) / 2; }

static int64_t pair_index(int64_t a, int64_t b, int64_t channels) { return a * channels - a * (a - 1) / 2 + b - a; }

/* Adds the mean of each `step` samples of a channel, from `start` on, to a lane. */
static void add_window(float frames[SONIC_SPECTRUM_SAMPLES][LANES], int lane, const float *channel, int64_t start,
                       int64_t count, int32_t step)
{
    for (int64_t i = 0; i < SONIC_SPECTRUM_SAMPLES; i++) {
        float sum = 0.0f;
        int64_t begin = start + i * step, end = begin + step < count ? begin + step : count;
        for (int64_t k = begin; k < end; k++)
            sum += channel[k];
        frames[i][lane] += sum / (float)step;
    }
}

typedef struct recording {
    const float *samples;
    int64_t channels, count;
    sonic_band_power bands;
} recording;

/* powers [BANDS, pairs] of the window that starts at `start`. */
static void measure_window(float *powers, const recording *r, int64_t start)
{
    int64_t pairs = sonic_channels_pairs(r->channels), a = 0, b = 0;
    for (int64_t first = 0; first < pairs; first += LANES) {
        float frames[SONIC_SPECTRUM_SAMPLES][LANES] = {{0}}, power[BANDS][LANES];
        int used = pairs - first < LANES ? (int)(pairs - first) : LANES;
        for (int lane = 0; lane < used; lane++) {
            add_window(frames, lane, r->samples + a * r->count, start, r->count, r->bands.step);
            if (a != b)
                add_window(frames, lane, r->samples + b * r->count, start, r->count, r->bands.step);
            if (++b == r->channels)
                b = ++a;
        }
        sonic_band_power_measure(power, &r->bands, frames);
        for (int band = 0; band < BANDS; band++)
            memcpy(powers + band * pairs + first, power[band], sizeof(float) * (size_t)used);
    }
}

sonic_status sonic_channels_measure(float *powers, const float *samples, int64_t channels, int64_t count,
                                    int32_t rate_hz, int64_t hop)
{
    if (channels < 1 || channels > SONIC_CHANNELS_MAX || rate_hz < 1 || hop < 1)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Mix the recording down to stereo: it has %lld channels at %d Hz.",
                          (long long)channels, (int)rate_hz);
    recording r;
    r.samples = samples, r.channels = channels, r.count = count;
    sonic_band_power_init(&r.bands, rate_hz);
    int64_t windows = sonic_channels_windows(count, rate_hz, hop), size = BANDS * sonic_channels_pairs(channels);
    for (int64_t i = 0; i < windows; i++)
        measure_window(powers + i * size, &r, i * hop);
    return SONIC_OK;
}

/* What the choice works on; all arrays [windows, BANDS]. */
typedef struct mixtures {
    const float *powers;
    int64_t windows, channels, pairs, size; /* size: windows * BANDS */
    float *mixed, *amplitudes;              /* of one mixture: power; above the background */
    float *reference;                       /* amplitudes */
    float scale[BANDS];                     /* of a band's power, so that the reference has 1 in each */
    float subtracted;                       /* times the median */
} mixtures;

/* mixed = powers of the mixture with these weights. */
static void mix(mixtures *m, const float *weights)
{
    for (int64_t i = 0; i < m->size; i++) {
        const float *power = m->powers + i * m->pairs;
        float sum = 0.0f;
        for (int64_t a = 0, k = 0; a < m->channels; a++) {
            float alone = power[k++], others = 0.0f;
            for (int64_t b = a + 1; b < m->channels; b++, k++)
                if (weights[b] != 0.0f)
                    others += weights[b] * (power[k] - alone - power[pair_index(b, b, m->channels)]);
            sum += weights[a] * (weights[a] * alone + others);
        }
        m->mixed[i] = sum > 0.0f ? sum : 0.0f;
    }
}

/* amplitudes = sqrt(mixed - background), 0 below it. */
static void subtract_background(mixtures *m)
{
    for (int band = 0; band < BANDS; band++) {
        float median = sonic_band_power_quantile(m->mixed + band, m->windows, BANDS, 0.5f) * m->subtracted;
        for (int64_t i = band; i < m->size; i += BANDS)
            m->amplitudes[i] = m->mixed[i] > median ? sqrtf(m->mixed[i] - median) : 0.0f;
    }
}

static double total(const float *x, int64_t count)
{
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i];
    return sum;
}

/* Sets `reference` and `scale`. Returns the sum of the reference's powers; `all` becomes that of all channels. */
static double set_reference(mixtures *m, sonic_channels_roles roles, double *all)
{
    double found = 0.0;
    memset(m->reference, 0, sizeof(float) * (size_t)m->size);
    *all = 0.0;
    for (int64_t c = 0; c < m->channels; c++) {
        float weights[SONIC_CHANNELS_MAX] = {0};
        if (c == roles.bass)
            continue;
        weights[c] = 1.0f;
        mix(m, weights);
        *all += total(m->mixed, m->size);
        subtract_background(m);
        for (int64_t i = 0; i < m->size; i++)
            m->reference[i] = fmaxf(m->reference[i], m->amplitudes[i]);
    }
    for (int band = 0; band < BANDS; band++) {
        double sum = 0.0;
        for (int64_t i = band; i < m->size; i += BANDS)
            sum += (double)m->reference[i] * m->reference[i];
        m->scale[band] = (float)sum;
        found += sum;
    }
    for (int band = 0; band < BANDS; band++) /* a band with hardly anything in it does not count */
        m->scale[band] = m->scale[band] > 1e-6 * found ? 1.0f / m->scale[band] : 0.0f;
    return found;
}

/* Cosine between the amplitudes of the mixture and the reference. `share`, if not NULL: its power, of the
 * reference's. */
static float score(mixtures *m, const float *weights, float *share)
{
    double product = 0.0, own = 0.0, reference = 0.0;
    mix(m, weights);
    subtract_background(m);
    for (int64_t i = 0; i < m->size; i++) {
        double a = m->amplitudes[i], r = m->reference[i], scale = m->scale[i % BANDS];
        product += scale * a * r, own += scale * a * a, reference += scale * r * r;
    }
    if (share)
        *share = reference > 0.0 ? (float)(own / reference) : 0.0f;
    return own > 0.0 && reference > 0.0 ? (float)(product / sqrt(own * reference)) : 0.0f;
}

/* Whether the mean has far less power than that of unrelated channels would have. */
static int mean_is_cancelled(mixtures *m, const float *mean, double all)
{
    mix(m, mean);
    return total(m->mixed, m->size) < cancelled * all / (double)(m->channels * m->channels);
}

/* Sets the single channel with the best score. */
static void choose_channel(sonic_channels_choice *out, mixtures *m, sonic_channels_roles roles)
{
    out->score = -1.0f;
    for (int64_t c = 0; c < m->channels; c++) {
        float weights[SONIC_CHANNELS_MAX] = {0}, found;
        weights[c] = 1.0f;
        if (c == roles.bass || (found = score(m, weights, NULL)) <= out->score)
            continue;
        out->score = found;
        memcpy(out->weights, weights, sizeof weights);
    }
}

/* Adds channels, as they are or inverted, while the score gains from it. */
static void add_channels(sonic_channels_choice *out, mixtures *m, sonic_channels_roles roles)
{
    for (int64_t c = 0; c < m->channels; c++)
        for (int sign = 1; sign >= -1 && c != roles.bass && out->weights[c] == 0.0f; sign -= 2) {
            float weights[SONIC_CHANNELS_MAX], found;
            memcpy(weights, out->weights, sizeof weights);
            weights[c] = (float)sign;
            if ((found = score(m, weights, NULL)) < out->score + channel_gain)
                continue;
            out->score = found;
            memcpy(out->weights, weights, sizeof weights);
        }
}

static int is_centre_enough(sonic_channels_choice *out, mixtures *m, sonic_channels_roles roles)
{
    float weights[SONIC_CHANNELS_MAX] = {0}, share, found;
    if (roles.centre < 0 || roles.centre >= m->channels)
        return 0;
    weights[roles.centre] = 1.0f;
    found = score(m, weights, &share);
    if (found < centre_score && share < centre_share)
        return 0;
    out->score = found;
    memcpy(out->weights, weights, sizeof weights);
    return 1;
}

static void choose(sonic_channels_choice *out, mixtures *m, sonic_channels_roles roles, double all)
{
    float mean[SONIC_CHANNELS_MAX] = {0}, used = 0.0f;
    for (int64_t c = 0; c < m->channels; c++)
        mean[c] = 1.0f / (float)m->channels;
    out->mean_score = mean_is_cancelled(m, mean, all) ? 0.0f : score(m, mean, NULL);
    if (all < silence * (double)m->windows) {
        out->is_mean = 1;
        memcpy(out->weights, mean, sizeof mean);
        return;
    }
    if (!is_centre_enough(out, m, roles)) {
        choose_channel(out, m, roles);
        add_channels(out, m, roles);
        if (out->score < out->mean_score + clear_gain) {
            out->is_mean = 1, out->score = out->mean_score;
            memcpy(out->weights, mean, sizeof mean);
            return;
        }
    }
    for (int64_t c = 0; c < m->channels; c++)
        used += fabsf(out->weights[c]);
    for (int64_t c = 0; c < m->channels; c++)
        out->weights[c] /= used;
}

sonic_status sonic_channels_choose(sonic_channels_choice *out, const float *powers, int64_t windows, int64_t channels,
                                   sonic_channels_roles roles)
{
    if (windows < 1 || channels < 1 || channels > SONIC_CHANNELS_MAX)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Mix the recording down to stereo: it has %lld channels.",
                          (long long)channels);
    mixtures m = {powers, windows, channels,  sonic_channels_pairs(channels), windows * BANDS, NULL, NULL,
                  NULL,   {0},     background};
    float *scratch = malloc(sizeof(float) * 3 * (size_t)m.size);
    double all;
    if (!scratch)
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory for %lld windows of sound.",
                          (long long)windows);
    memset(out, 0, sizeof *out);
    m.mixed = scratch, m.amplitudes = scratch + m.size, m.reference = m.amplitudes + m.size;
    double changing = set_reference(&m, roles, &all);
    if (changing < least_change * all) { /* tones, noise: nothing that comes and goes */
        m.subtracted = 0.0f;
        set_reference(&m, roles, &all);
    }
    choose(out, &m, roles, all);
    free(scratch);
    return SONIC_OK;
}
