/* channels.h - which mixture of a recording's channels keeps the speech in all of them.
 *
 * The mean of the channels loses what stands opposed in them: an inverted channel cancels, and the same voice some
 * milliseconds apart (spaced microphones) makes a comb filter. A channel of noise covers the voice in another. Each
 * mixture is judged by its powers over time in bands (band_power.h), which follow from the powers of channels and of
 * sums of two: |w1 a + w2 b|^2 = w1^2 |a|^2 + w2^2 |b|^2 + w1 w2 (|a + b|^2 - |a|^2 - |b|^2). From these powers twice
 * the median is subtracted, as a stationary background (see draft/speech/level.h). The reference is the largest power
 * of any channel, in each window and band; the score of a mixture is the cosine between its amplitudes and those of the
 * reference, each band scaled to equal weight. A mere factor costs nothing, so the mean of two speakers, one in each
 * channel, scores about 1, and a single one of these channels much less. */
#ifndef SONIC_AUDIO_CHANNELS_H
#define SONIC_AUDIO_CHANNELS_H

#include "sonic.h"

#define SONIC_CHANNELS_MAX 16

/* Whole windows of 50 ms in `count` samples at rate_hz, one every `hop` samples; at least one, then filled with zeros.
 */
int64_t sonic_channels_windows(int64_t count, int32_t rate_hz, int64_t hop);

/* Pairs of channels a <= b. */
int64_t sonic_channels_pairs(int64_t channels);

/* powers [windows, SONIC_BAND_POWERS, pairs]: of channel a for the pair (a, a), of the sum a + b otherwise; of samples
 * [channels, count] at rate_hz. SONIC_ERROR_ARGUMENT: more than 16 channels, no channel, a rate or hop below 1. */
sonic_status sonic_channels_measure(float *powers, const float *samples, int64_t channels, int64_t count,
                                    int32_t rate_hz, int64_t hop);

typedef struct sonic_channels_roles {
    int32_t centre; /* the channel that has the dialogue in films (ITU-R BS.775); -1 where there is none */
    int32_t bass;   /* low-frequency effects, never mixed in; -1 where there is none */
} sonic_channels_roles;

typedef struct sonic_channels_choice {
    float weights[SONIC_CHANNELS_MAX]; /* of each channel; their absolute values sum to 1, or are all 1 / channels */
    float score, mean_score;           /* of these weights, and of the mean, 0 .. 1 */
    int32_t is_mean;                   /* the weights are those of the arithmetic mean of all channels */
} sonic_channels_choice;

/* From powers [windows, SONIC_BAND_POWERS, pairs]. SONIC_ERROR_ARGUMENT: no window, channels outside 1 .. 16;
 * SONIC_ERROR_MEMORY. */
sonic_status sonic_channels_choose(sonic_channels_choice *out, const float *powers, int64_t windows, int64_t channels,
                                   sonic_channels_roles roles);

#endif
