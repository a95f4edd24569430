#include "dub/track.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "dub/dub.h"

enum { MESH_VALUES = 3 * SONIC_MESH_POINTS, WINDOW_MAX = 256 };

static float *mesh_at(const sonic_track *t, int64_t i) { return t->meshes + i * MESH_VALUES; }

static int is_missing(const sonic_track *t, int64_t i) { return !isfinite(mesh_at(t, i)[0]); }

/* The frames [first, last) that lack a face, and the nearest with one in the same scene; -1: none. */
typedef struct gap {
    int64_t first, last, before, after;
} gap;

static gap gap_at(const sonic_track *t, int64_t first)
{
    gap g = {first, first, -1, -1};
    while (g.last < t->count && t->scenes[g.last] == t->scenes[first] && is_missing(t, g.last))
        g.last++;
    if (first > 0 && t->scenes[first - 1] == t->scenes[first])
        g.before = first - 1;
    if (g.last < t->count && t->scenes[g.last] == t->scenes[first])
        g.after = g.last;
    return g;
}

static void fill_gap(const sonic_track *t, const gap *g)
{
    const float *before = mesh_at(t, g->before < 0 ? g->after : g->before);
    const float *after = mesh_at(t, g->after < 0 ? g->before : g->after);
    double start = t->times_s[g->before < 0 ? g->after : g->before];
    double span = t->times_s[g->after < 0 ? g->before : g->after] - start;
    for (int64_t i = g->first; i < g->last; i++) {
        float share = span > 0 ? (float)((t->times_s[i] - start) / span) : 0.0f;
        for (int32_t k = 0; k < MESH_VALUES; k++)
            mesh_at(t, i)[k] = before[k] + share * (after[k] - before[k]);
    }
}

static sonic_status fill_gaps(const sonic_track *t, double end_s)
{
    for (int64_t i = 0; i < t->count; i++) {
        if (!is_missing(t, i))
            continue;
        gap g = gap_at(t, i);
        double from = t->times_s[g.first], to = g.last < t->count ? t->times_s[g.last] : end_s;
        if ((g.before < 0 && g.after < 0) || to - from > SONIC_TRACK_GAP_S + 1e-6)
            return sonic_fail(SONIC_ERROR_ARGUMENT,
                              "Cut the clip there, or choose one that shows the face from the front throughout: from "
                              "%.2f s on there is no face to follow for %.2f s or more",
                              from, to - from);
        fill_gap(t, &g);
        i = g.last - 1;
    }
    return SONIC_OK;
}

/* The weights [last - first] with which the values of the frames [first, last) give that of a frame. */
typedef struct window {
    int64_t first, last;
    double weights[WINDOW_MAX];
} window;

static void find_window(window *w, const sonic_track *t, int64_t i, double half_s)
{
    w->first = i, w->last = i + 1;
    while (w->first > 0 && t->scenes[w->first - 1] == t->scenes[i] && t->times_s[i] - t->times_s[w->first - 1] < half_s)
        w->first--;
    while (w->last < t->count && t->scenes[w->last] == t->scenes[i] && t->times_s[w->last] - t->times_s[i] < half_s)
        w->last++;
    while (w->last - w->first > WINDOW_MAX) /* thousands of frames a second: the middle is enough */
        w->first += i - w->first > w->last - 1 - i, w->last -= w->last - 1 - i >= i - w->first;
}

/* First row of the inverse of the symmetric matrix of moments m[0..4], for order 0, 1 or 2; order is lowered where
 * there are too few frames. */
static void invert_moments(double row[3], const double m[5], int64_t frames)
{
    row[0] = 1 / m[0], row[1] = row[2] = 0;
    double minor = m[0] * m[2] - m[1] * m[1];
    if (frames < 3 || !(minor > 1e-12 * m[0] * m[0]))
        return;
    row[0] = m[2] / minor, row[1] = -m[1] / minor;
    double a = m[2] * m[4] - m[3] * m[3], b = m[2] * m[3] - m[1] * m[4], c = m[1] * m[3] - m[2] * m[2];
    double determinant = m[0] * a + m[1] * b + m[2] * c;
    if (frames < 5 || !(determinant > 1e-12 * m[0] * m[0] * m[0]))
        return;
    row[0] = a / determinant, row[1] = b / determinant, row[2] = c / determinant;
}

/* Time is in units of half a window, so that the moments are well scaled. */
static void weigh(window *w, const sonic_track *t, int64_t i, double half_s)
{
    double moments[5] = {0}, row[3];
    find_window(w, t, i, half_s);
    for (int64_t k = w->first; k < w->last; k++) {
        double x = (t->times_s[k] - t->times_s[i]) / half_s, away = fabs(x), cube = 1 - away * away * away;
        double weight = cube * cube * cube, power = weight;
        w->weights[k - w->first] = weight;
        for (int32_t n = 0; n < 5; n++, power *= x)
            moments[n] += power;
    }
    invert_moments(row, moments, w->last - w->first);
    for (int64_t k = w->first; k < w->last; k++) {
        double x = (t->times_s[k] - t->times_s[i]) / half_s;
        w->weights[k - w->first] *= row[0] + (row[1] + row[2] * x) * x;
    }
}

static int is_mouth(int32_t point)
{
    static const int16_t points[] = {SONIC_LANDMARKS_LIPS_OUTER, SONIC_LANDMARKS_LIPS_INNER, SONIC_LANDMARKS_CHIN_AREA};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        if (points[i] == point)
            return 1;
    return 0;
}

typedef struct smoothing {
    const sonic_track *track;
    const window *rigid, *mouth; /* [block] of the frames from `begin` on */
    const float *before;         /* [.., MESH_VALUES] meshes as they were, from frame `kept` on */
    int64_t begin, kept;
    int8_t moves[SONIC_MESH_POINTS];
} smoothing;

static void smooth_frames(int64_t begin, int64_t end, void *context)
{
    const smoothing *s = context;
    for (int64_t i = begin; i < end; i++) {
        float *out = mesh_at(s->track, s->begin + i);
        for (int32_t point = 0; point < SONIC_MESH_POINTS; point++) {
            const window *w = (s->moves[point] ? s->mouth : s->rigid) + i;
            const float *in = s->before + (w->first - s->kept) * MESH_VALUES + 3 * point;
            double sum[3] = {0};
            for (int64_t k = 0; k < w->last - w->first; k++, in += MESH_VALUES)
                for (int32_t axis = 0; axis < 3; axis++)
                    sum[axis] += w->weights[k] * in[axis];
            for (int32_t axis = 0; axis < 3; axis++)
                out[3 * point + axis] = (float)sum[axis];
        }
    }
}

/* Frames at a time, and those before and after a block that its windows reach. */
enum { BLOCK = 64, KEPT = BLOCK + 2 * WINDOW_MAX };

static void smooth_blocks(const sonic_track *t, window *windows, float *before)
{
    smoothing s = {t, windows, windows + BLOCK, before, 0, 0, {0}};
    for (int32_t point = 0; point < SONIC_MESH_POINTS; point++)
        s.moves[point] = (int8_t)is_mouth(point);
    int64_t kept_end = 0;
    for (; s.begin < t->count; s.begin += BLOCK) {
        int64_t count = t->count - s.begin < BLOCK ? t->count - s.begin : BLOCK;
        int64_t first = s.begin > WINDOW_MAX ? s.begin - WINDOW_MAX : 0;
        int64_t end = s.begin + count + WINDOW_MAX < t->count ? s.begin + count + WINDOW_MAX : t->count;
        memmove(before, before + (first - s.kept) * MESH_VALUES,
                (size_t)(kept_end - first) * MESH_VALUES * sizeof(float));
        memcpy(before + (kept_end - first) * MESH_VALUES, mesh_at(t, kept_end),
               (size_t)(end - kept_end) * MESH_VALUES * sizeof(float));
        s.kept = first, kept_end = end;
        for (int64_t i = 0; i < count; i++) {
            weigh(windows + i, t, s.begin + i, SONIC_TRACK_HALF_S);
            weigh(windows + BLOCK + i, t, s.begin + i, SONIC_TRACK_MOUTH_HALF_S);
        }
        sonic_parallel_for(count, 4, smooth_frames, &s);
    }
}

static sonic_status smooth(const sonic_track *track)
{
    window *windows = malloc(2 * BLOCK * sizeof *windows);
    float *before = malloc((size_t)KEPT * MESH_VALUES * sizeof(float));
    if (windows && before)
        smooth_blocks(track, windows, before);
    int failed = !windows || !before;
    free(windows);
    free(before);
    return failed ? sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: there is no memory to smooth a face's track")
                  : SONIC_OK;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static sonic_status rest_width(double *width, const sonic_track *t)
{
    double *widths = malloc((size_t)(t->count > 0 ? t->count : 1) * sizeof *widths);
    *width = 0;
    if (!widths)
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: there is no memory for a face's track");
    for (int64_t i = 0; i < t->count; i++)
        widths[i] = sonic_dub_mouth_width(mesh_at(t, i));
    qsort(widths, (size_t)t->count, sizeof *widths, by_value);
    *width = t->count ? widths[t->count / 2] : 0;
    free(widths);
    return SONIC_OK;
}

sonic_status sonic_track_finish(double *mouth_width, const sonic_track *t, int32_t width_px, int32_t height_px,
                                double end_s)
{
    for (int64_t i = 0; i < t->count; i++)
        if (!is_missing(t, i) && sonic_dub_check(mesh_at(t, i), width_px, height_px))
            mesh_at(t, i)[0] = NAN;
    sonic_status status = fill_gaps(t, end_s);
    if (!status)
        status = smooth(t);
    return status ? status : rest_width(mouth_width, t);
}
