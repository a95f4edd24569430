#include "draft/render/lip_line.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/scalar.h"
#include "draft/render/bicubic.h"
#include "face/landmarks.h"

static const int16_t lips_outer[] = {SONIC_LANDMARKS_LIPS_OUTER}, lips_inner[] = {SONIC_LANDMARKS_LIPS_INNER};

/* The mouth resampled to a fixed size: columns from corner to corner, rows 1/300 of a face height apart, row ROWS_ABOVE
 * on the mesh's upper inner contour. */
enum { COLUMNS = 96, ROWS = 88, ROWS_ABOVE = 9, NODES = COLUMNS * ROWS, EDGE_ROWS = 4, REACH = 4 };
static const float rows_per_height = 300.0f;

typedef struct patch {
    float u[COLUMNS], high[COLUMNS], low[COLUMNS], outer[COLUMNS]; /* the mesh's contours, v in px */
    float row_px;
    float rgb[NODES][3], luma[NODES], red[NODES];
    float dark[NODES], teeth[NODES], other[NODES]; /* 0..1: darker than the lips, tooth, either */
    float cost[NODES], total[NODES];
    int8_t back[NODES];
    float path[COLUMNS];    /* rows */
    float parting[COLUMNS]; /* rows */
    float openness;         /* 1 where the lips of a frame are parted for certain, 0 for a portrait */
} patch;

/* The v over the columns of the upper or lower edge of a lip contour; its ends lie on the mouth's corners. */
static void outline_rows(float *out, const float *u, const sonic_face_frame *f, const float *mesh,
                         const int16_t *contour, int is_upper)
{
    float at_u[SONIC_LIP_POINTS], at_v[SONIC_LIP_POINTS];
    for (int32_t i = 0; i < SONIC_LIP_POINTS; i++) {
        const float *p = mesh + 3 * contour[is_upper ? sonic_landmarks_upper_lip(i) : i];
        at_u[i] = sonic_face_frame_u(f, p[0], p[1]), at_v[i] = sonic_face_frame_v(f, p[0], p[1]);
        if (i && at_u[i] < at_u[i - 1] + 0.01f)
            at_u[i] = at_u[i - 1] + 0.01f;
    }
    for (int32_t k = 0, i = 1; k < COLUMNS; k++) {
        while (i < SONIC_LIP_POINTS - 1 && at_u[i] < u[k])
            i++;
        out[k] = at_v[i - 1] + sonic_clamp01((u[k] - at_u[i - 1]) / (at_u[i] - at_u[i - 1])) * (at_v[i] - at_v[i - 1]);
    }
}

/* Mean of the pixels that one sample of the patch covers. */
static void patch_color(float *rgb, const sonic_texture *texture, const sonic_face_frame *f, float u, float v,
                        float row_px)
{
    int32_t side = (int32_t)row_px + 1;
    side = side > 8 ? 8 : side;
    rgb[0] = rgb[1] = rgb[2] = 0.0f;
    for (int32_t i = 0; i < side * side; i++) {
        float du = row_px * (((float)(i % side) + 0.5f) / (float)side - 0.5f);
        float dv = row_px * (((float)(i / side) + 0.5f) / (float)side - 0.5f);
        float one[4], x = f->origin_x + (u + du) * f->ux + (v + dv) * f->vx,
                      y = f->origin_y + (u + du) * f->uy + (v + dv) * f->vy;
        sonic_bicubic_sample(one, texture, x, y);
        for (int32_t c = 0; c < 3; c++)
            rgb[c] += one[c] / (float)(side * side);
    }
}

static void patch_fill(patch *p, const sonic_texture *texture, const sonic_face_frame *f, const float *mesh)
{
    const float *left = mesh + 3 * SONIC_LANDMARK_MOUTH_LEFT, *right = mesh + 3 * SONIC_LANDMARK_MOUTH_RIGHT;
    float first = fminf(sonic_face_frame_u(f, left[0], left[1]), f->left),
          last = fmaxf(sonic_face_frame_u(f, right[0], right[1]), f->right);
    p->row_px = f->height / rows_per_height;
    for (int32_t k = 0; k < COLUMNS; k++)
        p->u[k] = first + (last - first) * (float)k / (float)(COLUMNS - 1);
    outline_rows(p->high, p->u, f, mesh, lips_inner, 1);
    outline_rows(p->low, p->u, f, mesh, lips_inner, 0);
    outline_rows(p->outer, p->u, f, mesh, lips_outer, 0);
    for (int32_t i = 0; i < NODES; i++) {
        int32_t row = i / COLUMNS, k = i % COLUMNS;
        float *rgb = p->rgb[i];
        patch_color(rgb, texture, f, p->u[k], p->high[k] + (float)(row - ROWS_ABOVE) * p->row_px, p->row_px);
        p->luma[i] = 0.3f * rgb[0] + 0.59f * rgb[1] + 0.11f * rgb[2];
        p->red[i] = (rgb[0] - rgb[1]) / (rgb[0] + rgb[1] + rgb[2] + 20.0f);
    }
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Median over the middle of the lower lip, located by the mesh; `scratch` [NODES]. */
static float lip_median(const patch *p, const float *values, float *scratch)
{
    int32_t count = 0;
    for (int32_t i = 0; i < NODES; i++) {
        int32_t k = i % COLUMNS;
        float v = p->high[k] + (float)(i / COLUMNS - ROWS_ABOVE) * p->row_px;
        float depth = (v - p->low[k]) / fmaxf(p->outer[k] - p->low[k], 2.0f * p->row_px);
        if (abs(2 * k - COLUMNS) < COLUMNS * 7 / 10 && depth > 0.25f && depth < 0.8f)
            scratch[count++] = values[i];
    }
    if (!count)
        return values[NODES / 2];
    qsort(scratch, (size_t)count, sizeof(float), by_value);
    return scratch[count / 2];
}

static void classify(patch *p, sonic_lips *lips)
{
    float luma = fmaxf(lip_median(p, p->luma, p->cost), 8.0f), red = lip_median(p, p->red, p->cost);
    for (int32_t i = 0; i < NODES; i++) {
        p->dark[i] = sonic_clamp01((0.7f * luma - p->luma[i]) / (0.7f * luma));
        p->teeth[i] = sonic_clamp01((red - p->red[i]) / (0.5f * fmaxf(red, 0.0f) + 0.02f)) *
                      sonic_clamp01((p->luma[i] / luma - 0.75f) / 0.3f);
        p->other[i] = fmaxf(p->dark[i], p->teeth[i]);
    }
    lips->luma = luma, lips->red = red;
}

static float mean_other(const patch *p, int32_t column, int32_t from)
{
    float sum = 0.0f;
    for (int32_t row = from; row < from + EDGE_ROWS; row++) {
        int32_t at = sonic_clamp_index(row, ROWS);
        sum += p->other[at * COLUMNS + column];
    }
    return sum / (float)EDGE_ROWS;
}

/* Cost of the distance from where the mesh has the lips meet. */
static float prior_cost(const patch *p, int32_t column, int32_t row)
{
    float v = (float)(row - ROWS_ABOVE), gap = (p->low[column] - p->high[column]) / p->row_px; /* rows */
    float over = fmaxf(-v, 0.0f) / 4.5f, within = 0.3f * fmaxf(gap - v, 0.0f) / 12.0f,
          under = fmaxf(v - gap, 0.0f) / 14.0f;
    float cost = 0.5f * (over + within + under) * (over + within + under);
    float across = fabsf(2.0f * (float)column / (float)(COLUMNS - 1) - 1.0f), corner = (v - 0.5f * gap) / 24.0f;
    return cost + (across > 0.96f ? corner * corner : 0.0f);
}

static float luma_at(const patch *p, int32_t column, int32_t row)
{
    return p->luma[sonic_clamp_index(row, ROWS) * COLUMNS + column];
}

/* Depth of the dark line through a sample against the rows 3 to 5 above and below it; 1 is a third of the lip's luma.
 */
static float valley(const patch *p, int32_t column, int32_t row, float lip)
{
    float above = 0.0f, below = 0.0f, here = 0.0f;
    for (int32_t k = 0; k < 3; k++) {
        above += luma_at(p, column, row - 3 - k) / 3.0f, below += luma_at(p, column, row + 3 + k) / 3.0f;
        here += luma_at(p, column, row - 1 + k) / 3.0f;
    }
    return sonic_clamp01((fminf(above, below) - here) / (0.35f * lip));
}

/* The same for the lower lip's edge in a frame whose lips are parted. */
static float lower_prior(const patch *p, int32_t column, int32_t row)
{
    float gap = (p->low[column] - p->high[column]) / p->row_px, away = (float)(row - ROWS_ABOVE) - gap;
    away /= away < 0.0f ? 7.0f : 9.0f;
    return 0.5f * away * away;
}

static void column_costs(patch *p, int32_t column, float lip)
{
    float teeth_below = 0.0f, other_below = 0.0f;
    for (int32_t row = ROWS - 1; row >= 0; row--) {
        int32_t i = row * COLUMNS + column;
        float v = p->high[column] + (float)(row - ROWS_ABOVE) * p->row_px;
        if (v < 0.5f * (p->low[column] + p->outer[column]))
            teeth_below += p->teeth[i], other_below += p->other[i];
        float edge = mean_other(p, column, row - EDGE_ROWS) - mean_other(p, column, row);
        float evidence = 1.2f * p->dark[i] + 1.2f * valley(p, column, row, lip) + 0.8f * edge;
        float closed = 0.045f * teeth_below - evidence + prior_cost(p, column, row);
        float open = 0.06f * other_below - 1.6f * edge + lower_prior(p, column, row);
        p->cost[i] = closed + p->openness * (open - closed);
    }
}

/* The cost of the upper lip's lower edge there, a step from lip down to teeth or dark near the mesh's contour; the path
 * along the lower lip is known. */
static void upper_costs(patch *p, int32_t column)
{
    for (int32_t row = 0; row < ROWS; row++) {
        float away = (float)(row - ROWS_ABOVE) / (row < ROWS_ABOVE ? 3.5f : 7.0f),
              beyond = fmaxf((float)row - p->path[column], 0.0f);
        float edge = mean_other(p, column, row) - mean_other(p, column, row - EDGE_ROWS);
        p->cost[row * COLUMNS + column] = 0.5f * away * away - 1.6f * edge + beyond;
    }
}

static void extend_paths(patch *p, int32_t column)
{
    for (int32_t row = 0; row < ROWS; row++) {
        int32_t best = 0;
        float least = 1e30f;
        for (int32_t step = -REACH; step <= REACH; step++) {
            int32_t from = row - step;
            if (from < 0 || from >= ROWS)
                continue;
            float total = p->total[from * COLUMNS + column - 1] + 0.06f * (float)(step * step);
            if (total < least)
                least = total, best = step;
        }
        p->total[row * COLUMNS + column] = least + p->cost[row * COLUMNS + column];
        p->back[row * COLUMNS + column] = (int8_t)best;
    }
}

/* The cheapest path from corner to corner, in rows. */
static void find_path(float path[COLUMNS], patch *p)
{
    for (int32_t row = 0; row < ROWS; row++)
        p->total[row * COLUMNS] = p->cost[row * COLUMNS];
    for (int32_t column = 1; column < COLUMNS; column++)
        extend_paths(p, column);
    int32_t at = 0;
    for (int32_t row = 1; row < ROWS; row++)
        if (p->total[row * COLUMNS + COLUMNS - 1] < p->total[at * COLUMNS + COLUMNS - 1])
            at = row;
    for (int32_t column = COLUMNS - 1; column >= 0; column--) {
        path[column] = (float)at;
        at -= column ? p->back[at * COLUMNS + column] : 0;
    }
}

/* How much darker the path is than the skin 6 rows above and below it, as a fraction. */
static float crease(const patch *p, int32_t column)
{
    int32_t row = (int32_t)p->path[column], up = row < 6 ? 0 : row - 6, down = row + 6 >= ROWS ? ROWS - 1 : row + 6;
    float around = 0.5f * (p->luma[up * COLUMNS + column] + p->luma[down * COLUMNS + column]);
    return 1.0f - p->luma[row * COLUMNS + column] / fmaxf(around, 8.0f);
}

/* The mouth ends where its crease does; the mesh's corners stay where no crease is found near them. */
static void find_corners(sonic_face_frame *f, const patch *p)
{
    for (int32_t k = 0; k < COLUMNS / 7; k++)
        if (crease(p, k) > 0.16f) {
            f->left = fminf(p->u[k], -1.0f);
            break;
        }
    for (int32_t k = COLUMNS - 1; k > COLUMNS - 1 - COLUMNS / 7; k--)
        if (crease(p, k) > 0.16f) {
            f->right = fmaxf(p->u[k], 1.0f);
            break;
        }
}

static void blur(float *v, float *scratch, int32_t count, int32_t radius)
{
    for (int32_t i = 0; i < count; i++) {
        float sum = 0.0f;
        for (int32_t k = -radius; k <= radius; k++) {
            int32_t at = sonic_clamp_index(i + k, count);
            sum += v[at];
        }
        scratch[i] = sum / (float)(2 * radius + 1);
    }
    memcpy(v, scratch, (size_t)count * sizeof(float));
}

/* The portrait's own teeth above and below the path: their extent and colour. */
static void measure_teeth(sonic_lips *lips, const patch *p)
{
    float above = 0.0f, below = 0.0f, dark = 0.0f, weight = 1e-6f, sum[3] = {0.0f, 0.0f, 0.0f};
    for (int32_t i = 0; i < NODES; i++) {
        int32_t k = i % COLUMNS, row = i / COLUMNS;
        float v = p->high[k] + (float)(row - ROWS_ABOVE) * p->row_px;
        if (abs(2 * k - COLUMNS) > COLUMNS / 2 || v < p->high[k] - p->row_px || v > 0.5f * (p->low[k] + p->outer[k]))
            continue;
        float tooth = p->teeth[i] > 0.4f ? p->teeth[i] : 0.0f;
        *((float)row < p->path[k] ? &above : &below) += tooth;
        dark += (float)row < p->path[k] && p->dark[i] > 0.5f ? 1.0f : 0.0f;
        weight += tooth;
        for (int32_t c = 0; c < 3; c++)
            sum[c] += tooth * p->rgb[i][c];
    }
    lips->teeth_above = above * p->row_px / (0.5f * COLUMNS), lips->teeth_below = below * p->row_px / (0.5f * COLUMNS);
    lips->dark_above = dark * p->row_px / (0.5f * COLUMNS);
    for (int32_t c = 0; c < 3; c++)
        lips->teeth[c] = sum[c] / weight;
}

/* Whether the mesh has the lips parted, by their distance in the middle: its closed lips read up to a hundredth. */
static float openness(const patch *p, const sonic_face_frame *f)
{
    int32_t k = COLUMNS / 2;
    return sonic_smoothstep(((p->low[k] - p->high[k]) / f->height - 0.008f) / 0.012f);
}

/* The gap above the path, smooth along the lips and closed at their corners; lips that are closed overlap a little, so
 * that no tooth shows between them. */
static void measure_parting(patch *p, float *scratch)
{
    const float overlap = 2.5f;
    for (int32_t k = 0; k < COLUMNS; k++)
        upper_costs(p, k);
    find_path(p->parting, p);
    for (int32_t k = 0; k < COLUMNS; k++)
        p->parting[k] = fmaxf(p->path[k] - p->parting[k], 0.0f) + overlap;
    for (int32_t i = 0; i < 3; i++)
        blur(p->parting, scratch, COLUMNS, 7);
    for (int32_t k = 0; k < COLUMNS; k++) {
        float across = fabsf(2.0f * (float)k / (float)(COLUMNS - 1) - 1.0f);
        p->parting[k] *= p->openness * sonic_smoothstep((1.0f - across) / 0.08f);
    }
}

/* Parabola through the path between the corners (least squares in 3 Legendre polynomials). */
static void fit_line(sonic_lips *lips, const patch *p)
{
    float a = 0.0f, b = 0.0f, c = 0.0f, n = (float)COLUMNS;
    float middle = 0.5f * (p->u[0] + p->u[COLUMNS - 1]), half = 0.5f * (p->u[COLUMNS - 1] - p->u[0]);
    for (int32_t k = 0; k < COLUMNS; k++) {
        float t = (p->u[k] - middle) / half, v = p->high[k] + (p->path[k] - ROWS_ABOVE) * p->row_px;
        a += v / n, b += 3.0f * t * v / n, c += 5.0f * (1.5f * t * t - 0.5f) * v / n;
    }
    float x0 = a - 0.5f * c, x1 = b / half, x2 = 1.5f * c / (half * half);
    lips->line[0] = x0 - x1 * middle + x2 * middle * middle, lips->line[1] = x1 - 2.0f * x2 * middle,
    lips->line[2] = x2;
}

/* The path as v over u, constant beyond the corners. */
static void write_line(sonic_lip_line *line, const patch *p)
{
    float spacing = p->u[1] - p->u[0];
    for (int32_t i = 0; i < line->count; i++) {
        float at = (line->first_u + (float)i - p->u[0]) / spacing;
        at = sonic_clampf(at, 0.0f, COLUMNS - 1);
        int32_t k = at >= COLUMNS - 1 ? COLUMNS - 2 : (int32_t)at;
        float part = at - (float)k;
        float left = p->high[k] + (p->path[k] - ROWS_ABOVE) * p->row_px;
        float right = p->high[k + 1] + (p->path[k + 1] - ROWS_ABOVE) * p->row_px;
        line->v[i] = left + part * (right - left);
        if (line->parting)
            line->parting[i] = p->row_px * (p->parting[k] + part * (p->parting[k + 1] - p->parting[k]));
    }
}

static sonic_status allocate(sonic_lip_line *line, float **scratch, patch **p, const sonic_face_frame *f,
                             sonic_lip_source source)
{
    int32_t margin = (int32_t)(0.5f * f->height) + 2;
    line->first_u = floorf(f->left) - (float)margin;
    line->count = (int32_t)(ceilf(f->right) - floorf(f->left)) + 2 * margin + 1;
    line->v = malloc((size_t)line->count * sizeof(float));
    line->parting = source == SONIC_LIPS_OF_FRAME ? malloc((size_t)line->count * sizeof(float)) : NULL;
    *scratch = malloc((size_t)(line->count > COLUMNS ? line->count : COLUMNS) * sizeof(float));
    *p = malloc(sizeof **p);
    if (line->v && *scratch && *p && (line->parting || source != SONIC_LIPS_OF_FRAME))
        return SONIC_OK;
    return sonic_fail(SONIC_ERROR_MEMORY, "Use a smaller picture: there is no memory for the line of its lips");
}

sonic_status sonic_lip_line_build(sonic_lip_line *line, sonic_lips *lips, sonic_face_frame *frame,
                                  const sonic_texture *texture, const float *mesh, sonic_lip_source source)
{
    patch *p = NULL;
    float *scratch = NULL;
    sonic_status status = allocate(line, &scratch, &p, frame, source);
    if (!status) {
        patch_fill(p, texture, frame, mesh);
        p->openness = source == SONIC_LIPS_OF_FRAME ? openness(p, frame) : 0.0f;
        classify(p, lips);
        for (int32_t k = 0; k < COLUMNS; k++)
            column_costs(p, k, lips->luma);
        find_path(p->path, p);
        find_corners(frame, p);
        measure_teeth(lips, p);
        if (source == SONIC_LIPS_OF_FRAME)
            measure_parting(p, scratch);
        fit_line(lips, p);
        write_line(line, p);
        int32_t radius = (int32_t)((source == SONIC_LIPS_OF_FRAME ? 0.016f : 0.008f) * frame->height) + 1;
        for (int32_t i = 0; i < 3; i++)
            blur(line->v, scratch, line->count, radius);
    }
    free(scratch);
    free(p);
    return status;
}
