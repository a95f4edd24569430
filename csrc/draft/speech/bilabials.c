#include "draft/speech/bilabials.h"

#include <math.h>
#include <string.h>

#include "core/scalar.h"
enum {
    EDGE_CELLS = 16, /* 80 ms: how much of a long gap belongs to the consonant at its end */
    SHORTEST_CELLS = 12,
    LONG_CELLS = 60,      /* 300 ms: longer gaps are pauses */
    PEAK_REACH_CELLS = 20 /* 100 ms: where a vowel's level is looked for */
};
static const float swing_db = 8.0f;                            /* rise and fall that separate two sounds */
static const float faintest_peak_db = 45.0f, floor_db = 65.0f; /* under the recording's loud vowels */
/* A closure begins this far under the vowel's middle band, or half-way down */
static const float edge_db = 15.0f;

static const float shut_gain = 1.45f; /* so that 60 ms of closure shut the lips in spite of the smoothing */

typedef struct valley {
    int64_t begin, end;           /* cells [begin, end): where the cues are read */
    int64_t shut_begin, shut_end; /* the part of them in which lips would be shut */
    int from_sound, to_sound;     /* whether a vowel precedes, follows */
} valley;

static float decibels(float energy) { return 10.0f * log10f(energy + 1e-13f); }

/* Energy of bands first .. last around a cell, window 1/4 1/2 1/4. */
static float smooth_sum(const float *energies, int64_t cells, int64_t cell, int first, int last)
{
    const float *before = energies + (cell > 0 ? cell - 1 : cell) * SONIC_BANDS, *here = energies + cell * SONIC_BANDS;
    const float *after = energies + (cell + 1 < cells ? cell + 1 : cell) * SONIC_BANDS;
    float sum = 0.0f;
    for (int b = first; b <= last; b++)
        sum += 0.25f * before[b] + 0.5f * here[b] + 0.25f * after[b];
    return sum;
}

void sonic_spectra_measure(sonic_spectrum *spectra, const float *energies, int64_t cells)
{
    for (int64_t i = 0; i < cells; i++) {
        float dark = smooth_sum(energies, cells, i, 8, 10), bright = smooth_sum(energies, cells, i, 11, 13);
        spectra[i].low = decibels(smooth_sum(energies, cells, i, 0, 2));
        spectra[i].first = decibels(smooth_sum(energies, cells, i, 3, 7));
        spectra[i].dark = decibels(dark);
        spectra[i].bright = decibels(bright);
        spectra[i].middle = decibels(dark + bright);
        spectra[i].hiss = decibels(smooth_sum(energies, cells, i, 14, 15));
    }
}

/* Which number of a spectrum a helper reads. */
typedef enum band { LOW, FIRST, DARK, BRIGHT, MIDDLE, HISS } band;

static float value_of(const sonic_spectrum *s, band which)
{
    const float values[] = {s->low, s->first, s->dark, s->bright, s->middle, s->hiss};
    return values[which];
}

/* A stretch of the recording, for the helpers below. */
typedef struct track {
    const sonic_spectrum *spectra;
    int64_t cells;
} track;

static float mean_of(track t, band which, int64_t begin, int64_t end)
{
    float sum = 0.0f;
    begin = begin < 0 ? 0 : begin >= t.cells ? t.cells - 1 : begin;
    end = end > t.cells ? t.cells : end <= begin ? begin + 1 : end;
    for (int64_t i = begin; i < end; i++)
        sum += value_of(&t.spectra[i], which);
    return sum / (float)(end - begin);
}

static float max_of(track t, band which, int64_t begin, int64_t end)
{
    float most = -INFINITY;
    for (int64_t i = begin < 0 ? 0 : begin; i < end && i < t.cells; i++)
        most = fmaxf(most, value_of(&t.spectra[i], which));
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
    float before = v->from_sound ? max_of(t, MIDDLE, v->begin - PEAK_REACH_CELLS, v->begin) : -INFINITY;
    float after = v->to_sound ? max_of(t, MIDDLE, v->end, v->end + PEAK_REACH_CELLS) : -INFINITY;
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

/* How far the noise of the release stays under the vowel that follows. */
static float release_quiet(track t, const valley *v)
{
    return v->to_sound ? max_of(t, MIDDLE, v->end, v->end + 16) - max_of(t, HISS, v->end - 3, v->end + 3) : 0.0f;
}

/* 0 .. 1: how surely this valley is lips. */
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
    /* Beside a pause only a murmur tells lips from mere silence, in which the mouth rests anyway. */
    return v->from_sound && v->to_sound ? likelihood : likelihood * murmur;
}

/* Marks at least 60 ms, so that no closure falls unseen between two frames' middles. */
static void mark(float *shut, track t, valley v)
{
    float likelihood = lips_likelihood(t, &v);
    int64_t missing = SHORTEST_CELLS - (v.shut_end - v.shut_begin), wider = missing > 0 ? (missing + 1) / 2 : 0;
    for (int64_t i = v.shut_begin - wider; i < v.shut_end + wider; i++)
        if (i >= 0 && i < t.cells)
            shut[i] = fmaxf(shut[i], likelihood);
}

static int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t at_least(int64_t a, int64_t b) { return a > b ? a : b; }

/* A pause: what ends the sound before it, and what begins the sound after it. */
static void mark_edges(float *shut, track t, valley pause)
{
    valley before = pause, after = pause;
    before.to_sound = after.from_sound = 0;
    before.end = at_most(pause.begin + EDGE_CELLS, t.cells);
    before.shut_end = at_most(pause.shut_begin + EDGE_CELLS, t.cells);
    after.begin = at_least(pause.end - EDGE_CELLS, 0);
    after.shut_begin = at_least(pause.shut_end - EDGE_CELLS, 0);
    if (pause.from_sound)
        mark(shut, t, before);
    if (pause.to_sound)
        mark(shut, t, after);
}

/* Level under which a sound of level `peak` has begun to close into a valley of level `bottom`. */
static float edge_of(float peak, float bottom)
{
    return fmaxf(bottom + 0.5f * fminf(peak - bottom, 30.0f), peak - edge_db);
}

/* Level under which it is shut: a quarter of the way up. */
static float shut_of(float peak, float bottom) { return bottom + 0.25f * fminf(peak - bottom, 40.0f); }

/* The first cell from `from` towards `to` (either way) that is quieter than `level_db`. */
static int64_t quieter(track t, int64_t from, int64_t to, float level_db)
{
    while (from != to && t.spectra[from].middle >= level_db)
        from += from < to ? 1 : -1;
    return from;
}

/* Walks along the middle band from vowel to gap to vowel; rises and falls of less than swing_db do not count. */
typedef struct walk {
    float *shut;
    track t;
    float faintest, quietest; /* decibels: the faintest sound, the level that counts as nothing */
    int64_t peak;             /* the last sound, -1 before the first */
    int64_t high, low;        /* the loudest cell since, while rising; the quietest since */
    int rising;
} walk;

static float level(const walk *w, int64_t cell) { return fmaxf(w->t.spectra[cell].middle, w->quietest); }

/* The gap between the sounds that peak at cells `left` and `right` (-1: none) and is quietest at `bottom`. */
static void mark_gap(walk *w, int64_t left, int64_t right, int64_t bottom)
{
    track t = w->t;
    float floor = level(w, bottom);
    valley v = {0, t.cells, 0, t.cells, left >= 0, right >= 0};
    if (v.from_sound) {
        v.begin = quieter(t, left, bottom, edge_of(level(w, left), floor));
        v.shut_begin = quieter(t, v.begin, bottom, shut_of(level(w, left), floor));
    }
    if (v.to_sound) {
        v.end = quieter(t, right, bottom, edge_of(level(w, right), floor)) + 1;
        v.shut_end = quieter(t, v.end - 1, bottom, shut_of(level(w, right), floor)) + 1;
    }
    if (v.from_sound && v.to_sound && v.end - v.begin < LONG_CELLS)
        mark(w->shut, t, v);
    else
        mark_edges(w->shut, t, v);
}

static void end_sound(walk *w)
{
    mark_gap(w, w->peak, w->high, w->low);
    w->peak = w->high;
}

static void step_rising(walk *w, int64_t cell)
{
    float here = level(w, cell), peak = level(w, w->high);
    if (here > peak) {
        w->high = cell;
    } else if (peak > w->faintest && here < peak - swing_db) {
        end_sound(w);
        w->low = cell;
        w->rising = 0;
    } else if (here < level(w, w->low)) { /* what rose was too faint for a sound */
        w->low = cell;
        w->rising = 0;
    }
}

static void step_falling(walk *w, int64_t cell)
{
    float here = level(w, cell);
    if (here < level(w, w->low)) {
        w->low = cell;
    } else if (here > level(w, w->low) + swing_db) {
        w->high = cell;
        w->rising = 1;
    }
}

/* Level of the loud vowels: the 95th percentile of the middle band, from a histogram of whole decibels. */
static float loud_middle(track t)
{
    int64_t counts[180] = {0}, above = 0;
    for (int64_t i = 0; i < t.cells; i++)
        counts[(int)sonic_clampf(t.spectra[i].middle + 140.0f, 0.0f, 179.0f)]++;
    int bin = 179;
    while (bin > 0 && (above += counts[bin]) < (t.cells + 19) / 20)
        bin--;
    return (float)bin - 140.0f + 0.5f;
}

void sonic_closures_find(float *shut, const sonic_spectrum *spectra, int64_t cells)
{
    memset(shut, 0, (size_t)cells * sizeof *shut);
    if (!cells)
        return;
    track t = {spectra, cells};
    float loud = loud_middle(t);
    walk w = {shut, t, loud - faintest_peak_db, loud - floor_db, -1, 0, 0, 0};
    for (int64_t cell = 1; cell < cells; cell++) {
        if (w.rising)
            step_rising(&w, cell);
        else
            step_falling(&w, cell);
    }
    if (w.rising && level(&w, w.high) > w.faintest)
        end_sound(&w);
    if (w.peak >= 0)
        mark_gap(&w, w.peak, -1, cells - 1);
}

enum { REACH_CELLS = 15 };

float sonic_closure_at_frame(const float *shut, int64_t cells, int64_t frame)
{
    float sum = 0.0f, weights = 0.0f;
    int64_t middle = frame * SONIC_CELLS_PER_FRAME + SONIC_CELLS_PER_FRAME / 2;
    for (int64_t offset = -REACH_CELLS; offset < REACH_CELLS; offset++) {
        float distance = fabsf((float)offset + 0.5f) / REACH_CELLS, left = 1.0f - distance;
        float weight = left * left * (1.0f + 2.0f * distance);
        int64_t cell = middle + offset;
        weights += weight;
        sum += cell >= 0 && cell < cells ? weight * shut[cell] : 0.0f;
    }
    return fminf(1.0f, shut_gain * sum / weights);
}
