/* The face networks as operators: each network alone on its float input (for parity tests), and the whole search on a
 * picture. */
#include <stdlib.h>

#include "face/face_operators.h"
#include "face/find.h"

/* tensors: input [batch, 3, 128, 128] named "input", weights. Returns scores [batch, 896, 1] and boxes [batch, 896,
 * 16]. */
static void sonic_face_detector_operator(sonic_operator_call *call)
{
    sonic_tensor *scores, *boxes;
    sonic_blazeface_run(&scores, &boxes, call->scope, call, sonic_operator_tensor(call, "input"));
    sonic_operator_return(call, scores);
    sonic_operator_return(call, boxes);
}

/* tensors: input [batch, 3, 192, 192] named "input", weights. Returns points [batch, 1404] and presence [batch, 1]. */
static void sonic_face_mesh_operator(sonic_operator_call *call)
{
    sonic_tensor *points, *presence;
    sonic_face_mesh_run(&points, &presence, call->scope, call, sonic_operator_tensor(call, "input"));
    sonic_operator_return(call, points);
    sonic_operator_return(call, presence);
}

static sonic_status image_view(sonic_image *out, sonic_tensor *x)
{
    uint8_t *data = st_data(x);
    sonic_shape shape = st_shape(x);
    if (!data || st_dtype(x) != SONIC_DTYPE_UINT8 || shape.dims != 3)
        return sonic_fail(SONIC_ERROR_SHAPE,
                          "Give the picture as a contiguous uint8 tensor [height, width, 3] in host memory.");
    if (shape.size[0] > SONIC_IMAGE_SIDE_MAX_PX || shape.size[1] > SONIC_IMAGE_SIDE_MAX_PX)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose a picture of at most %d pixels a side: it is %lld x %lld.",
                          SONIC_IMAGE_SIDE_MAX_PX, (long long)shape.size[1], (long long)shape.size[0]);
    sonic_image view = {data, (int32_t)shape.size[1], (int32_t)shape.size[0], (int32_t)shape.size[2],
                        (ptrdiff_t)(shape.size[1] * shape.size[2])};
    *out = view;
    return SONIC_OK;
}

/* One row of floats per face: sonic_face consists of floats only. */
static void return_faces(sonic_operator_call *call, const sonic_face *faces, int32_t count)
{
    sonic_operator_return(call, st_from_host(call->scope, (const float *)faces,
                                             st_shape2(count, (int64_t)(sizeof *faces / sizeof(float)))));
}

/* tensors: uint8 [height, width, 3] named "image", weights; numbers: none, or 0 for the quick search.
 * Returns [faces, 1426]: score, presence, box [4], keypoints [6, 2], mesh [468, 3], hull [4]. */
static void sonic_face_find_operator(sonic_operator_call *call)
{
    sonic_image image = {0};
    sonic_tensor *x = sonic_operator_tensor(call, "image");
    if (sonic_scope_fail(call->scope, x ? image_view(&image, x) : SONIC_OK) != SONIC_OK)
        return;
    sonic_face *faces = malloc(SONIC_FACES_MAX * sizeof *faces);
    if (!faces) {
        sonic_scope_fail(call->scope,
                         sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory for the faces' points."));
        return;
    }
    int32_t count = sonic_face_find(faces, call->scope, call, image, call->number_count == 0 || call->numbers[0] != 0);
    return_faces(call, faces, count);
    free(faces);
}

/* tensors: as for face_find; numbers: box x0, y0, x1, y1. Returns [1, 1426]. */
static void sonic_face_fit_operator(sonic_operator_call *call)
{
    sonic_image image = {0};
    sonic_face face;
    sonic_tensor *x = sonic_operator_tensor(call, "image");
    if (call->number_count != 4)
        sonic_scope_fail(call->scope, sonic_fail(SONIC_ERROR_ARGUMENT, "Give a box of 4 numbers: there are %d.",
                                                 (int)call->number_count));
    else if (x && sonic_scope_fail(call->scope, image_view(&image, x)) == SONIC_OK) {
        float box[4] = {(float)call->numbers[0], (float)call->numbers[1], (float)call->numbers[2],
                        (float)call->numbers[3]};
        sonic_face_fit(&face, call->scope, call, image, box);
        if (!call->scope->status)
            return_faces(call, &face, 1);
    }
}

/* tensors: as for face_find, and "before" float32 [468, 3], the points in the previous frame. Returns [1, 1426]. */
static void sonic_face_track_operator(sonic_operator_call *call)
{
    sonic_image image = {0};
    sonic_face face;
    sonic_tensor *x = sonic_operator_tensor(call, "image"), *before = sonic_operator_tensor(call, "before");
    if (!x || !before || sonic_scope_fail(call->scope, image_view(&image, x)) != SONIC_OK)
        return;
    float (*points)[3] = malloc(sizeof face.mesh);
    if (!points) {
        sonic_scope_fail(call->scope,
                         sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory for the face's points."));
        return;
    }
    st_to_host(call->scope, points[0], SONIC_MESH_POINTS * 3, before);
    if (!call->scope->status)
        sonic_face_track(&face, call->scope, call, image, (const float (*)[3])points);
    if (!call->scope->status)
        return_faces(call, &face, 1);
    free(points);
}

const sonic_operator sonic_face_operators[] = {
    {"face_detector", sonic_face_detector_operator}, {"face_mesh", sonic_face_mesh_operator},
    {"face_find", sonic_face_find_operator},         {"face_fit", sonic_face_fit_operator},
    {"face_track", sonic_face_track_operator},       {NULL, NULL},
};
