#include "draft/speech/bilabials.h"

#include <math.h>
#include <string.h>

#include "core/progress.h"
#include "core/scalar.h"
enum {
    EDGE_HOPS = 16,      /* 80 ms: the share of a long gap that belongs to the consonant at its end */
    SHORTEST_HOPS = 12,  /* 60 ms */
    LONG_HOPS = 60,      /* 300 ms: longer gaps are pauses */
    PEAK_REACH_HOPS = 20 /* 100 ms: where a vowel's level is searched */
};
static const float swing_db = 8.0f;                            /* rise and fall that separate two sounds */
static const float faintest_peak_db = 45.0f, floor_db = 65.0f; /* below the recording's loud vowels */
static const float edge_db = 15.0f;   /* a closure begins this far below the vowel's middle band, or half-way down */
static const float shut_gain = 1.45f; /* makes a closure of 60 ms reach 1 after smoothing */

typedef struct valley {
    int64_t begin, end;           /* hops [begin, end): where the cues are measured */
    int64_t shut_begin, shut_end; /* the part of them in which the lips would be shut */
    int from_sound, to_sound;     /* whether a vowel precedes, follows */
} valley;

static float decibels(float energy) { return 10.0f * log10f(energy + 1e-13f); }

/* Energy of bands first .. last around a hop, window 1/4 1/2 1/4. */
static float smooth_sum(const float *energies, int64_t hops, int64_t hop, int first, int last)
{
    const float *before = energies + (hop > 0 ? hop - 1 : hop) * SONIC_BANDS, *here = energies + hop * SONIC_BANDS;
    const float *after = energies + (hop + 1 < hops ? hop + 1 : hop) * SONIC_BANDS;
    float sum = 0.0f;
    for (int b = first; b <= last; b++)
        sum += 0.25f * before[b] + 0.5f * here[b] + 0.25f * after[b];
    return sum;
}

sonic_status sonic_bilabials_measure(sonic_bilabial_cues *cues, const float *energies, int64_t hops)
{
    sonic_status status = SONIC_OK;
    for (int64_t i = 0; i < hops && (status = sonic_progress_poll_item(i)) == SONIC_OK; i++) {
        float dark = smooth_sum(energies, hops, i, 8, 10), bright = smooth_sum(energies, hops, i, 11, 13);
        cues[i].low = decibels(smooth_sum(energies, hops, i, 0, 2));
        cues[i].first = decibels(smooth_sum(energies, hops, i, 3, 7));
        cues[i].dark = decibels(dark);
        cues[i].bright = decibels(bright);
        cues[i].middle = decibels(dark + bright);
        cues[i].hiss = decibels(smooth_sum(energies, hops, i, 14, 15));
    }
    return status;
}

/* A member of sonic_bilabial_cues. */
typedef enum band { LOW, FIRST, DARK, BRIGHT, MIDDLE, HISS } band;

static float value_of(const sonic_bilabial_cues *s, band which)
{
    const float values[] = {s->low, s->first, s->dark, s->bright, s->middle, s->hiss};
    return values[which];
}

typedef struct track {
    const sonic_bilabial_cues *cues;
    int64_t hops;
} track;

static float mean_of(track t, band which, int64_t begin, int64_t end)
{
    float sum = 0.0f;
    begin = begin < 0 ? 0 : begin >= t.hops ? t.hops - 1 : begin;
    end = end > t.hops ? t.hops : end <= begin ? begin + 1 : end;
    for (int64_t i = begin; i < end; i++)
        sum += value_of(&t.cues[i], which);
    return sum / (float)(end - begin);
}

static float max_of(track t, band which, int64_t begin, int64_t end)
{
    float most = -INFINITY;
    for (int64_t i = begin < 0 ? 0 : begin; i < end && i < t.hops; i++)
        most = fmaxf(most, value_of(&t.cues[i], which));
    return most;
}

/* The louder of the two neighbours that exist. */
static float beside(track t, const valley *v, band which)
{
    float before = v->from_sound ? mean_of(t, which, v->begin - 12, v->begin - 4) : -INFINITY;
    float after = v->to_sound ? mean_of(t, which, v->end + 4, v->end + 12) : -INFINITY;
    return fmaxf(before, after);
}

static float loudest_middle(track t, const valley *v)
{
    float before = v->from_sound ? max_of(t, MIDDLE, v->begin - PEAK_REACH_HOPS, v->begin) : -INFINITY;
    float after = v->to_sound ? max_of(t, MIDDLE, v->end, v->end + PEAK_REACH_HOPS) : -INFINITY;
    return fmaxf(before, after);
}

static float tilt(track t, int64_t begin, int64_t end)
{
    return mean_of(t, BRIGHT, begin, end) - mean_of(t, DARK, begin, end);
}

/* How much darker the vowels' edges are than their middles. */
static float edge_darkness(track t, const valley *v)
{
    float sum = 0.0f;
    if (v->from_sound)
        sum += tilt(t, v->begin - 16, v->begin - 10) - tilt(t, v->begin - 3, v->begin);
    if (v->to_sound)
        sum += tilt(t, v->end + 10, v->end + 16) - tilt(t, v->end, v->end + 3);
    return v->from_sound && v->to_sound ? 0.5f * sum : sum;
}

/* Decibels by which the noise of the release stays below the vowel that follows. */
static float release_quiet(track t, const valley *v)
{
    return v->to_sound ? max_of(t, MIDDLE, v->end, v->end + 16) - max_of(t, HISS, v->end - 3, v->end + 3) : 0.0f;
}

/* 0 .. 1 */
static float lips_likelihood(track t, const valley *v)
{
    int64_t quarter = (v->end - v->begin) / 4, begin = v->begin + quarter, end = v->end - quarter;
    float vowel = loudest_middle(t, v), depth = vowel - mean_of(t, MIDDLE, begin, end);
    float quiet = sonic_clampf(vowel - mean_of(t, HISS, begin, end) - 20.0f, 0.0f, 25.0f);
    float murmur = sonic_clampf(0.1f * (mean_of(t, LOW, begin, end) - beside(t, v, LOW) + 14.0f), 0.0f, 1.0f);
    float closed = sonic_clampf(beside(t, v, FIRST) - mean_of(t, FIRST, begin, end), 0.0f, 35.0f);
    float dark_murmur = murmur * sonic_clampf(-tilt(t, begin, end), -12.0f, 12.0f);
    float duration_ms = sonic_clampf(5.0f * (float)(v->end - v->begin), 30.0f, 110.0f);
    float score = 0.115f * quiet + 0.1f * sonic_clampf(edge_darkness(t, v), -12.0f, 12.0f) + 0.15f * dark_murmur +
                  0.02f * closed + 0.05f * sonic_clampf(release_quiet(t, v), -5.0f, 25.0f) + 0.02f * duration_ms - 5.4f;
    float likelihood = sonic_clampf(0.7f * score + 1.0f + 0.3f * murmur, 0.0f, 1.0f) *
                       sonic_clampf(0.2f * (depth - 12.0f), 0.0f, 1.0f);
    /* Beside a pause only a murmur distinguishes lips from silence, in which the mouth rests anyway. */
    return v->from_sound && v->to_sound ? likelihood : likelihood * murmur;
}

/* Marks at least 60 ms, so that no closure is lost between the middles of two frames. */
static void mark(float *shut, track t, valley v)
{
    float likelihood = lips_likelihood(t, &v);
    int64_t missing = SHORTEST_HOPS - (v.shut_end - v.shut_begin), wider = missing > 0 ? (missing + 1) / 2 : 0;
    for (int64_t i = v.shut_begin - wider; i < v.shut_end + wider; i++)
        if (i >= 0 && i < t.hops)
            shut[i] = fmaxf(shut[i], likelihood);
}

static int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t at_least(int64_t a, int64_t b) { return a > b ? a : b; }

/* At a pause: the end of the sound before it and the beginning of the sound after it. */
static void mark_edges(float *shut, track t, valley pause)
{
    valley before = pause, after = pause;
    before.to_sound = after.from_sound = 0;
    before.end = at_most(pause.begin + EDGE_HOPS, t.hops);
    before.shut_end = at_most(pause.shut_begin + EDGE_HOPS, t.hops);
    after.begin = at_least(pause.end - EDGE_HOPS, 0);
    after.shut_begin = at_least(pause.shut_end - EDGE_HOPS, 0);
    if (pause.from_sound)
        mark(shut, t, before);
    if (pause.to_sound)
        mark(shut, t, after);
}

/* Level below which a sound of level `peak` has begun to close into a valley of level `bottom`. */
static float closing_level(float peak, float bottom)
{
    return fmaxf(bottom + 0.5f * fminf(peak - bottom, 30.0f), peak - edge_db);
}

/* Level below which the lips are shut: a quarter of the way up. */
static float shut_level(float peak, float bottom) { return bottom + 0.25f * fminf(peak - bottom, 40.0f); }

/* The first hop from `from` towards `to` (in either direction) that is quieter than `level_db`. */
static int64_t quieter(track t, int64_t from, int64_t to, float level_db)
{
    while (from != to && t.cues[from].middle >= level_db)
        from += from < to ? 1 : -1;
    return from;
}

/* Walks along the middle band from vowel to gap to vowel, ignoring rises and falls of less than swing_db. */
typedef struct walk {
    float *shut;
    track t;
    float faintest, quietest; /* decibels: the faintest sound; levels are clamped from below to `quietest` */
    int64_t peak;             /* the last sound, -1 before the first */
    int64_t high, low;        /* the loudest hop since, while rising; the quietest since */
    int rising;
} walk;

static float level(const walk *w, int64_t hop) { return fmaxf(w->t.cues[hop].middle, w->quietest); }

/* The gap between the sounds that peak at hops `left` and `right` (-1: none) with its minimum at `bottom`. */
static void mark_gap(walk *w, int64_t left, int64_t right, int64_t bottom)
{
    track t = w->t;
    float floor = level(w, bottom);
    valley v = {0, t.hops, 0, t.hops, left >= 0, right >= 0};
    if (v.from_sound) {
        v.begin = quieter(t, left, bottom, closing_level(level(w, left), floor));
        v.shut_begin = quieter(t, v.begin, bottom, shut_level(level(w, left), floor));
    }
    if (v.to_sound) {
        v.end = quieter(t, right, bottom, closing_level(level(w, right), floor)) + 1;
        v.shut_end = quieter(t, v.end - 1, bottom, shut_level(level(w, right), floor)) + 1;
    }
    if (v.from_sound && v.to_sound && v.end - v.begin < LONG_HOPS)
        mark(w->shut, t, v);
    else
        mark_edges(w->shut, t, v);
}

static void end_sound(walk *w)
{
    mark_gap(w, w->peak, w->high, w->low);
    w->peak = w->high;
}

static void step_rising(walk *w, int64_t hop)
{
    float here = level(w, hop), peak = level(w, w->high);
    if (here > peak) {
        w->high = hop;
    } else if (peak > w->faintest && here < peak - swing_db) {
        end_sound(w);
        w->low = hop;
        w->rising = 0;
    } else if (here < level(w, w->low)) { /* the rise was too faint for a sound */
        w->low = hop;
        w->rising = 0;
    }
}

static void step_falling(walk *w, int64_t hop)
{
    float here = level(w, hop);
    if (here < level(w, w->low)) {
        w->low = hop;
    } else if (here > level(w, w->low) + swing_db) {
        w->high = hop;
        w->rising = 1;
    }
}

/* Level of the loud vowels: the 95th percentile of the middle band, from a histogram with 1 dB bins. */
static float loud_middle(track t)
{
    int64_t counts[180] = {0}, above = 0;
    for (int64_t i = 0; i < t.hops; i++)
        counts[(int)sonic_clampf(t.cues[i].middle + 140.0f, 0.0f, 179.0f)]++;
    int bin = 179;
    while (bin > 0 && (above += counts[bin]) < (t.hops + 19) / 20)
        bin--;
    return (float)bin - 140.0f + 0.5f;
}

sonic_status sonic_bilabials_find(float *shut, const sonic_bilabial_cues *cues, int64_t hops)
{
    memset(shut, 0, (size_t)hops * sizeof *shut);
    if (!hops)
        return SONIC_OK;
    track t = {cues, hops};
    float loud = loud_middle(t);
    walk w = {shut, t, loud - faintest_peak_db, loud - floor_db, -1, 0, 0, 0};
    for (int64_t hop = 1; hop < hops; hop++) {
        sonic_status status = sonic_progress_poll_item(hop - 1);
        if (status != SONIC_OK)
            return status;
        if (w.rising)
            step_rising(&w, hop);
        else
            step_falling(&w, hop);
    }
    if (w.rising && level(&w, w.high) > w.faintest)
        end_sound(&w);
    if (w.peak >= 0)
        mark_gap(&w, w.peak, -1, hops - 1);
    return SONIC_OK;
}

enum { REACH_HOPS = 15 }; /* 75 ms to either side */

float sonic_bilabials_at_frame(const float *shut, int64_t hops, int64_t frame)
{
    float sum = 0.0f, weights = 0.0f;
    int64_t middle = frame * SONIC_BANDS_HOPS_PER_FRAME + SONIC_BANDS_HOPS_PER_FRAME / 2;
    for (int64_t offset = -REACH_HOPS; offset < REACH_HOPS; offset++) {
        float distance = fabsf((float)offset + 0.5f) / REACH_HOPS, left = 1.0f - distance;
        float weight = left * left * (1.0f + 2.0f * distance);
        int64_t hop = middle + offset;
        weights += weight;
        sum += hop >= 0 && hop < hops ? weight * shut[hop] : 0.0f;
    }
    return fminf(1.0f, shut_gain * sum / weights);
}
