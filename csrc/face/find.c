#include "face/find.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "face/mesh_crop.h"
#include "face/views.h"

#define BATCH 16      /* views per run of the detector */
#define CANDIDATES 64 /* detections that a stage of the search passes to the mesh network */
#define REFINEMENTS_MAX 5
#define VIEW_VALUES (3 * SONIC_BLAZEFACE_SIDE_PX * SONIC_BLAZEFACE_SIDE_PX)
#define CROP_VALUES (3 * SONIC_MESH_SIDE_PX * SONIC_MESH_SIDE_PX)

#define FAR_PX (4.0f * SONIC_IMAGE_SIDE_MAX_PX)

static const float MIN_SCORE = 0.5f;    /* MediaPipe's min_score_thresh */
static const float MIN_PRESENCE = 0.5f; /* MediaPipe's threshold for the face flag */
/* Thresholds of the later stages of the search. Human faces reach a presence of 0.999 even at 15 pixels; a dog reached
 * a score of 0.65 with a presence of 0.91, and 0.52 with 0.986. */
static const float CAREFUL_SCORE = 0.6f, CAREFUL_PRESENCE = 0.97f;
/* A detection in the whole image that is accepted at once: a face rotated by 120 degrees was detected upside down at
 * 0.60; upright faces score 0.83 and more. */
static const float SURE_SCORE = 0.75f;
/* A mesh has converged when no point moved by more than this share of the face: about the network's noise between
 * crops. */
static const float CONVERGED = 0.04f;
/* Of a face that is found upside down where the detector saw it upright. */
static const float CERTAIN_LOGIT = 8.0f;
static const float SAME_FACE = 0.3f; /* meshes whose hulls overlap by more are one face */

/* Everything the search needs, allocated once. */
typedef struct search {
    sonic_scope *scope;
    sonic_operator_call *weights;
    sonic_image image;
    sonic_face *faces; /* [SONIC_FACES_MAX] */
    int32_t face_count;
    int32_t view_count, candidate_count;
    float min_score, min_presence; /* of the stage */
    float logit;                   /* of the presence in the last run of the mesh network */
    sonic_face turned;
    sonic_view views[BATCH];
    sonic_detection candidates[CANDIDATES], scratch[SONIC_BLAZEFACE_BOXES];
    uint8_t pixels[SONIC_MESH_SIDE_PX * SONIC_MESH_SIDE_PX * 3];
    float crop[CROP_VALUES], points[SONIC_MESH_POINTS * 3], before[SONIC_MESH_POINTS][3];
    float input[BATCH * VIEW_VALUES], scores[BATCH * SONIC_BLAZEFACE_BOXES],
        boxes[BATCH * SONIC_BLAZEFACE_BOXES * SONIC_BLAZEFACE_VALUES];
} search;

static void keep_candidate(search *s, const sonic_detection *d)
{
    if (s->candidate_count < CANDIDATES) {
        s->candidates[s->candidate_count++] = *d;
        return;
    }
    int32_t worst = 0;
    for (int32_t i = 1; i < CANDIDATES; i++)
        if (s->candidates[i].score < s->candidates[worst].score)
            worst = i;
    if (d->score > s->candidates[worst].score)
        s->candidates[worst] = *d;
}

static void collect(search *s, int32_t view)
{
    sonic_detection found[SONIC_FACES_MAX];
    const float *scores = s->scores + (size_t)view * SONIC_BLAZEFACE_BOXES;
    const float *boxes = s->boxes + (size_t)view * SONIC_BLAZEFACE_BOXES * SONIC_BLAZEFACE_VALUES;
    int32_t count = sonic_blazeface_decode(found, SONIC_FACES_MAX, scores, boxes, MIN_SCORE, s->scratch);
    for (int32_t i = 0; i < count; i++) {
        sonic_view_to_image(&found[i], &s->views[view]);
        keep_candidate(s, &found[i]);
    }
}

/* Runs the detector on the queued views. */
static void flush(search *s)
{
    sonic_scope inner;
    int32_t count = s->view_count;
    s->view_count = 0;
    if (count == 0 || s->scope->status)
        return;
    sonic_scope_open(&inner, s->scope);
    for (int32_t i = 0; i < count; i++)
        sonic_scope_fail(&inner,
                         sonic_view_fill(s->input + (size_t)i * VIEW_VALUES, s->pixels, s->image, &s->views[i]));
    sonic_tensor *x = st_from_host(&inner, s->input,
                                   st_shape4(count, 3, SONIC_BLAZEFACE_SIDE_PX, SONIC_BLAZEFACE_SIDE_PX)),
                 *scores, *boxes;
    sonic_blazeface_run(&scores, &boxes, &inner, s->weights, x);
    st_to_host(&inner, s->scores, (int64_t)count * SONIC_BLAZEFACE_BOXES, scores);
    st_to_host(&inner, s->boxes, (int64_t)count * SONIC_BLAZEFACE_BOXES * SONIC_BLAZEFACE_VALUES, boxes);
    if (sonic_scope_close(&inner) == SONIC_OK)
        for (int32_t i = 0; i < count; i++)
            collect(s, i);
}

static void queue_view(search *s, sonic_view view)
{
    s->views[s->view_count++] = view;
    if (s->view_count == BATCH)
        flush(s);
}

static float sigmoid(float logit) { return 1 / (1 + expf(-logit)); }

/* Runs the mesh network on a crop; fills the face's mesh, hull and presence. */
static void run_mesh(search *s, sonic_face *face, const sonic_mesh_crop *crop)
{
    sonic_scope inner;
    float logit = 0;
    sonic_scope_open(&inner, s->scope);
    sonic_scope_fail(&inner, sonic_mesh_crop_fill(s->crop, s->pixels, s->image, crop));
    sonic_tensor *x = st_from_host(&inner, s->crop, st_shape4(1, 3, SONIC_MESH_SIDE_PX, SONIC_MESH_SIDE_PX)), *points,
                 *presence;
    sonic_face_mesh_run(&points, &presence, &inner, s->weights, x);
    st_to_host(&inner, s->points, SONIC_MESH_POINTS * 3, points);
    st_to_host(&inner, &logit, 1, presence);
    face->presence = 0;
    if (sonic_scope_close(&inner) != SONIC_OK)
        return;
    s->logit = logit;
    face->presence = sigmoid(logit);
    sonic_mesh_to_image(face->mesh, s->points, crop);
    sonic_mesh_hull(face->hull_xyxy, (const float (*)[3])face->mesh);
}

static int is_sound(const sonic_detection *d)
{
    float width = d->box_xyxy[2] - d->box_xyxy[0], height = d->box_xyxy[3] - d->box_xyxy[1];
    return width >= 1 && height >= 1 && fabsf(d->box_xyxy[0]) < FAR_PX && fabsf(d->box_xyxy[1]) < FAR_PX &&
           width < FAR_PX && height < FAR_PX;
}

static int is_known(const search *s, const sonic_face *face)
{
    for (int32_t i = 0; i < s->face_count; i++)
        if (sonic_box_overlap(s->faces[i].hull_xyxy, face->hull_xyxy) > SAME_FACE)
            return 1;
    return 0;
}

/* Largest distance that a point moved between two meshes, in units of the hull's longer side. */
static float moved(const float before[SONIC_MESH_POINTS][3], const sonic_face *face)
{
    float largest = 0;
    for (int i = 0; i < SONIC_MESH_POINTS; i++)
        largest = fmaxf(largest, hypotf(face->mesh[i][0] - before[i][0], face->mesh[i][1] - before[i][1]));
    return largest / fmaxf(face->hull_xyxy[2] - face->hull_xyxy[0], face->hull_xyxy[3] - face->hull_xyxy[1]);
}

/* The mesh on its own crop until it converges: once for most faces, a few times for a strongly tilted one. */
static void refine(search *s, sonic_face *face)
{
    for (int pass = 0; pass < REFINEMENTS_MAX && face->presence >= s->min_presence; pass++) {
        memcpy(s->before, face->mesh, sizeof s->before);
        sonic_mesh_crop crop = sonic_mesh_crop_from_mesh((const float (*)[3])face->mesh);
        run_mesh(s, face, &crop);
        if (moved((const float (*)[3])s->before, face) <= CONVERGED)
            return;
    }
}

/* The detector takes one in eight faces that stand on their head for an upright one. The mesh network tells: on 330
 * faces its logit was higher by 4 to 40 on the upright crop than on the same crop upside down, and 9 or more on 99 % of
 * the upright ones. A face behind a mask can be the other way round, with at most 6 upside down. */
static void stand_upright(search *s, sonic_face *face)
{
    if (face->presence < s->min_presence)
        return;
    const float logit = s->logit;
    sonic_mesh_crop crop = sonic_mesh_crop_from_mesh((const float (*)[3])face->mesh);
    crop = sonic_mesh_crop_half_turn(&crop);
    s->turned = *face;
    run_mesh(s, &s->turned, &crop);
    if (s->logit <= fmaxf(logit, CERTAIN_LOGIT))
        return;
    refine(s, &s->turned);
    if (s->logit > CERTAIN_LOGIT)
        *face = s->turned;
}

/* A candidate becomes a face when the mesh network confirms it on the detector's crop and on the mesh's own. */
static void confirm(search *s, const sonic_detection *d)
{
    if (s->scope->status || s->face_count == SONIC_FACES_MAX || d->score < s->min_score || !is_sound(d))
        return;
    sonic_face *face = &s->faces[s->face_count];
    face->score = d->score;
    memcpy(face->box_xyxy, d->box_xyxy, sizeof face->box_xyxy);
    memcpy(face->keypoints, d->keypoints, sizeof face->keypoints);
    sonic_mesh_crop crop = sonic_mesh_crop_make(d->box_xyxy, d->keypoints[0], d->keypoints[1]);
    run_mesh(s, face, &crop);
    refine(s, face);
    stand_upright(s, face);
    if (face->presence >= s->min_presence && !is_known(s, face))
        s->face_count++;
}

static int by_score(const void *a, const void *b)
{
    float x = ((const sonic_detection *)a)->score, y = ((const sonic_detection *)b)->score;
    return (x < y) - (x > y);
}

/* Ends a stage: runs the queued views and confirms the candidates, best first. True when the search is over. */
static int end_stage(search *s, float min_score, float min_presence)
{
    flush(s);
    s->min_score = min_score, s->min_presence = min_presence;
    qsort(s->candidates, (size_t)s->candidate_count, sizeof *s->candidates, by_score);
    for (int32_t i = 0; i < s->candidate_count; i++)
        confirm(s, &s->candidates[i]);
    s->candidate_count = 0;
    return s->face_count > 0 || s->scope->status;
}

static int has_sure_candidate(const search *s)
{
    for (int32_t i = 0; i < s->candidate_count; i++)
        if (s->candidates[i].score >= SURE_SCORE)
            return 1;
    return 0;
}

/* The whole image; then with a margin, for faces that its border cuts or that fill it, and rotated. */
static int search_whole(search *s)
{
    static const struct {
        double margin;
        int32_t turns;
    } variants[] = {{0.15, 0}, {0.3, 0}, {0, 1}, {0, 3}, {0, 2}, {0.25, 1}, {0.25, 3}, {0.25, 2}};
    int32_t width = s->image.width_px, height = s->image.height_px;
    queue_view(s, sonic_view_make(0, 0, width, height, 0, 0));
    flush(s);
    if (has_sure_candidate(s) && end_stage(s, MIN_SCORE, MIN_PRESENCE))
        return 1;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        queue_view(s, sonic_view_make(0, 0, width, height, variants[i].margin, variants[i].turns));
    return end_stage(s, CAREFUL_SCORE, CAREFUL_PRESENCE);
}

/* Number of tiles of `tile_px` that cover `side_px` with neighbours overlapping by at least half. */
static int32_t tiles_along(int32_t side_px, int32_t tile_px)
{
    return side_px <= tile_px ? 1 : 1 + (2 * (side_px - tile_px) + tile_px - 1) / tile_px;
}

static int search_tiles(search *s, int32_t tile_px)
{
    int32_t width = s->image.width_px, height = s->image.height_px;
    int32_t columns = tiles_along(width, tile_px), rows = tiles_along(height, tile_px);
    int32_t tile_width = tile_px < width ? tile_px : width, tile_height = tile_px < height ? tile_px : height;
    for (int32_t i = 0; i < rows * columns; i++) {
        int32_t x = columns > 1 ? (int32_t)((int64_t)(i % columns) * (width - tile_width) / (columns - 1)) : 0;
        int32_t y = rows > 1 ? (int32_t)((int64_t)(i / columns) * (height - tile_height) / (rows - 1)) : 0;
        queue_view(s, sonic_view_make(x, y, tile_width, tile_height, 0, 0));
    }
    return end_stage(s, CAREFUL_SCORE, CAREFUL_PRESENCE);
}

/* Tiles from the shorter side down to an eighth of the longer side: faces down to about a fortieth of the image. */
static void search_all_tiles(search *s)
{
    int32_t width = s->image.width_px, height = s->image.height_px;
    int32_t shortest = width < height ? width : height, longest = width < height ? height : width;
    int32_t tile = shortest < longest / 2 ? longest / 2 : shortest;
    int32_t least = longest / 8 > 64 ? longest / 8 : 64;
    if (tile < longest && search_tiles(s, tile))
        return;
    for (tile = longest / 2; tile >= least; tile /= 2)
        if (search_tiles(s, tile))
            return;
}

static float hull_area(const sonic_face *face)
{
    return (face->hull_xyxy[2] - face->hull_xyxy[0]) * (face->hull_xyxy[3] - face->hull_xyxy[1]);
}

static int by_size(const void *a, const void *b)
{
    float x = hull_area(a), y = hull_area(b);
    return (x < y) - (x > y);
}

static sonic_status check_image(sonic_image image)
{
    if (image.channels != 3)
        return sonic_fail(SONIC_ERROR_SHAPE, "Give a picture of 3 channels: it has %d.", (int)image.channels);
    if (image.width_px < 1 || image.height_px < 1 || image.width_px > SONIC_IMAGE_SIDE_MAX_PX ||
        image.height_px > SONIC_IMAGE_SIDE_MAX_PX)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose a picture of at most %d pixels a side: it is %d x %d.",
                          SONIC_IMAGE_SIDE_MAX_PX, (int)image.width_px, (int)image.height_px);
    return SONIC_OK;
}

static search *search_create(sonic_scope *scope, sonic_operator_call *weights, sonic_image image)
{
    if (sonic_scope_fail(scope, check_image(image)) != SONIC_OK)
        return NULL;
    search *s = calloc(1, sizeof *s);
    if (!s) {
        sonic_scope_fail(scope, sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory to look for faces."));
        return NULL;
    }
    s->scope = scope, s->weights = weights, s->image = image;
    return s;
}

int32_t sonic_face_find(sonic_face out[SONIC_FACES_MAX], sonic_scope *scope, sonic_operator_call *weights,
                        sonic_image image, int32_t thorough)
{
    search *s = search_create(scope, weights, image);
    if (!s)
        return 0;
    s->faces = out;
    if (!search_whole(s) && thorough)
        search_all_tiles(s);
    int32_t count = scope->status ? 0 : s->face_count;
    qsort(out, (size_t)count, sizeof *out, by_size);
    free(s);
    return count;
}

/* Refined only where a face is confirmed: elsewhere the mesh would drift. */
void sonic_face_fit(sonic_face *out, sonic_scope *scope, sonic_operator_call *weights, sonic_image image,
                    const float box[4])
{
    sonic_detection whole = {0, {box[0], box[1], box[2], box[3]}, {{0}}};
    static const float level[2][2] = {{0, 0}, {1, 0}};
    memset(out, 0, sizeof *out);
    memcpy(out->box_xyxy, whole.box_xyxy, sizeof out->box_xyxy);
    if (!is_sound(&whole)) {
        sonic_scope_fail(scope, sonic_fail(SONIC_ERROR_ARGUMENT,
                                           "Give a face box with an area: x0, y0, x1, y1 are %g, %g, %g, %g.",
                                           (double)box[0], (double)box[1], (double)box[2], (double)box[3]));
        return;
    }
    search *s = search_create(scope, weights, image);
    if (!s)
        return;
    sonic_mesh_crop crop = sonic_mesh_crop_make(box, level[0], level[1]);
    s->min_presence = MIN_PRESENCE;
    run_mesh(s, out, &crop);
    refine(s, out);
    free(s);
}

void sonic_face_track(sonic_face *out, sonic_scope *scope, sonic_operator_call *weights, sonic_image image,
                      const float before[SONIC_MESH_POINTS][3])
{
    sonic_detection whole = {0};
    memset(out, 0, sizeof *out);
    sonic_mesh_hull(whole.box_xyxy, before);
    if (!is_sound(&whole)) {
        sonic_scope_fail(scope,
                         sonic_fail(SONIC_ERROR_ARGUMENT,
                                    "Give the face's last mesh in pixels of the picture: its hull is %g, %g, %g, %g.",
                                    (double)whole.box_xyxy[0], (double)whole.box_xyxy[1], (double)whole.box_xyxy[2],
                                    (double)whole.box_xyxy[3]));
        return;
    }
    search *s = search_create(scope, weights, image);
    if (!s)
        return;
    sonic_mesh_crop crop = sonic_mesh_crop_from_mesh(before);
    run_mesh(s, out, &crop);
    memcpy(out->box_xyxy, out->hull_xyxy, sizeof out->box_xyxy);
    free(s);
}
