/* face/ for Python: crop geometry, pasting, landmarks. The networks are operators (face/face_operators.c). */
#include <string.h>

#include "face/geometry.h"
#include "face/landmarks.h"
#include "face/mouth.h"
#include "face/paste.h"
#include "face/portrait.h"
#include "bindings/binding.h"

/* Box of 4 numbers, ratio, width, height -> 4 ints. */
static PyObject *crop_square(PyObject *self, PyObject *args)
{
    (void)self;
    double face[4], ratio;
    int width, height;
    int32_t crop[4];
    if (!PyArg_ParseTuple(args, "(dddd)dii", &face[0], &face[1], &face[2], &face[3], &ratio, &width, &height))
        return NULL;
    sonic_status status = sonic_crop_square(crop, face, ratio, width, height);
    return status ? sonic_py_raise(status)
                  : Py_BuildValue("(iiii)", (int)crop[0], (int)crop[1], (int)crop[2], (int)crop[3]);
}

/* Box of 4 numbers, ratio, width, height, min_resolution -> 4 ints. */
static PyObject *crop_wide(PyObject *self, PyObject *args)
{
    (void)self;
    double face[4], ratio;
    int width, height, min_resolution;
    int32_t crop[4];
    if (!PyArg_ParseTuple(args, "(dddd)diii", &face[0], &face[1], &face[2], &face[3], &ratio, &width, &height,
                          &min_resolution))
        return NULL;
    sonic_status status = sonic_crop_wide(crop, face, ratio, width, height, min_resolution);
    return status ? sonic_py_raise(status)
                  : Py_BuildValue("(iiii)", (int)crop[0], (int)crop[1], (int)crop[2], (int)crop[3]);
}

/* 3 ints -> (width, height). */
static PyObject *prepared_size(PyObject *self, PyObject *args)
{
    (void)self;
    int width, height, min_resolution;
    int32_t out_width, out_height;
    if (!PyArg_ParseTuple(args, "iii", &width, &height, &min_resolution))
        return NULL;
    sonic_status status = sonic_prepared_size(&out_width, &out_height, width, height, min_resolution);
    return status ? sonic_py_raise(status) : Py_BuildValue("(ii)", (int)out_width, (int)out_height);
}

/* Fills mask u8 [H, W] without the GIL. */
static PyObject *face_mask(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *object;
    double box[4], area;
    if (!PyArg_ParseTuple(args, "O(dddd)d", &object, &box[0], &box[1], &box[2], &box[3], &area))
        return NULL;
    PyArrayObject *mask = sonic_py_output(object, NPY_UINT8, 2, "mask");
    if (!mask)
        return NULL;
    const npy_intp *shape = PyArray_DIMS(mask);
    sonic_image view = {PyArray_DATA(mask), (int32_t)shape[1], (int32_t)shape[0], 1, (ptrdiff_t)shape[1]};
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_face_mask(view, box, area);
    Py_END_ALLOW_THREADS
    Py_DECREF(mask);
    if (status)
        return sonic_py_raise(status);
    Py_RETURN_NONE;
}

/* Frame `i` of [n, height, width, 3]. */
static sonic_image frame_view(PyArrayObject *frames, npy_intp i)
{
    const npy_intp *shape = PyArray_DIMS(frames);
    sonic_image view = {(uint8_t *)PyArray_DATA(frames) + i * shape[1] * shape[2] * shape[3], (int32_t)shape[2],
                        (int32_t)shape[1], (int32_t)shape[3], (ptrdiff_t)(shape[2] * shape[3])};
    return view;
}

/* Every frame [n, h, w, 3] pasted into its copy of source [H, W, 3]. */
static sonic_status paste_all(PyArrayObject *out, PyArrayObject *source, PyArrayObject *frames, const int32_t crop[4],
                              double feather)
{
    sonic_paste *paste;
    sonic_status status = sonic_paste_create(&paste, sonic_py_image(source), crop, feather);
    for (npy_intp i = 0; status == SONIC_OK && i < PyArray_DIM(frames, 0); i++)
        status = sonic_paste_frame(frame_view(out, i), paste, frame_view(frames, i));
    sonic_paste_free(paste);
    return status;
}

/* 1 when out [n, H, W, 3] fits source and frames; else 0 with ValueError. */
static int same_shape(PyArrayObject *out, PyArrayObject *source, PyArrayObject *frames)
{
    if (PyArray_DIM(out, 0) == PyArray_DIM(frames, 0) && PyArray_DIM(out, 1) == PyArray_DIM(source, 0) &&
        PyArray_DIM(out, 2) == PyArray_DIM(source, 1) && PyArray_DIM(out, 3) == 3 && PyArray_SIZE(frames) > 0)
        return 1;
    PyErr_SetString(PyExc_ValueError,
                    "out must be [frames, height, width, 3] of the source, and frames must not be empty");
    return 0;
}

/* out, source, frames, crop of 4 ints, feather -> None; without the GIL. */
static PyObject *paste_back(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *out_object, *source_object, *frames_object;
    int crop[4];
    double feather;
    sonic_status status = SONIC_OK;
    if (!PyArg_ParseTuple(args, "OOO(iiii)d", &out_object, &source_object, &frames_object, &crop[0], &crop[1], &crop[2],
                          &crop[3], &feather))
        return NULL;
    PyArrayObject *out = sonic_py_output(out_object, NPY_UINT8, 4, "out");
    PyArrayObject *source = out ? sonic_py_array(source_object, NPY_UINT8, 3, "source") : NULL;
    PyArrayObject *frames = source ? sonic_py_array(frames_object, NPY_UINT8, 4, "frames") : NULL;
    if (frames && same_shape(out, source, frames)) {
        int32_t crop_xyxy[4] = {crop[0], crop[1], crop[2], crop[3]};
        Py_BEGIN_ALLOW_THREADS
        status = paste_all(out, source, frames, crop_xyxy, feather);
        Py_END_ALLOW_THREADS
        if (status)
            sonic_py_raise(status);
    }
    Py_XDECREF(out);
    Py_XDECREF(source);
    Py_XDECREF(frames);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

/* Each frame [n, h, w, 3] pasted onto its picture of below [n, H, W, 3]. */
static sonic_status paste_onto_all(PyArrayObject *below, PyArrayObject *frames, const int32_t crop[4], double feather)
{
    sonic_paste *paste;
    sonic_status status = sonic_paste_create(&paste, frame_view(below, 0), crop, feather);
    for (npy_intp i = 0; status == SONIC_OK && i < PyArray_DIM(frames, 0); i++)
        status = sonic_paste_onto(frame_view(below, i), paste, frame_view(frames, i));
    sonic_paste_free(paste);
    return status;
}

/* below, frames, crop of 4 ints, feather -> None; without the GIL. */
static PyObject *paste_onto(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *below_object, *frames_object;
    int crop[4];
    double feather;
    if (!PyArg_ParseTuple(args, "OO(iiii)d", &below_object, &frames_object, &crop[0], &crop[1], &crop[2], &crop[3],
                          &feather))
        return NULL;
    PyArrayObject *below = sonic_py_output(below_object, NPY_UINT8, 4, "below");
    PyArrayObject *frames = below ? sonic_py_array(frames_object, NPY_UINT8, 4, "frames") : NULL;
    if (frames && (PyArray_DIM(below, 0) != PyArray_DIM(frames, 0) || !PyArray_SIZE(frames) || !PyArray_SIZE(below))) {
        PyErr_SetString(PyExc_ValueError, "Give as many pictures as frames, and one at least.");
    } else if (frames) {
        int32_t crop_xyxy[4] = {crop[0], crop[1], crop[2], crop[3]};
        sonic_status status;
        Py_BEGIN_ALLOW_THREADS
        status = paste_onto_all(below, frames, crop_xyxy, feather);
        Py_END_ALLOW_THREADS
        if (status)
            sonic_py_raise(status);
    }
    Py_XDECREF(below);
    Py_XDECREF(frames);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

/* landmarks[name] = tuple of points; returns 1 with an exception. */
static int add_points(PyObject *landmarks, const char *name, const int16_t *points, int count)
{
    PyObject *tuple = PyTuple_New(count);
    for (int i = 0; tuple && i < count; i++)
        PyTuple_SetItem(tuple, i, PyLong_FromLong(points[i]));
    int failed = !tuple || PyErr_Occurred() || PyDict_SetItemString(landmarks, name, tuple) < 0;
    Py_XDECREF(tuple);
    return failed;
}

/* Adds the contours of face/landmarks.h as tuples. */
static int add_contours(PyObject *landmarks)
{
    static const int16_t lips_outer[] = {SONIC_LANDMARKS_LIPS_OUTER}, lips_inner[] = {SONIC_LANDMARKS_LIPS_INNER};
    static const int16_t eye_left[] = {SONIC_LANDMARKS_EYE_LEFT}, eye_right[] = {SONIC_LANDMARKS_EYE_RIGHT};
    static const int16_t brow_left[] = {SONIC_LANDMARKS_BROW_LEFT}, brow_right[] = {SONIC_LANDMARKS_BROW_RIGHT};
    static const int16_t face_oval[] = {SONIC_LANDMARKS_FACE_OVAL}, chin_area[] = {SONIC_LANDMARKS_CHIN_AREA};
    static const int16_t cheeks[] = {SONIC_LANDMARKS_CHEEKS}, rigid[] = {SONIC_LANDMARKS_RIGID};
#define ADD(name) add_points(landmarks, #name, name, (int)(sizeof name / sizeof *name))
    return ADD(lips_outer) || ADD(lips_inner) || ADD(eye_left) || ADD(eye_right) || ADD(brow_left) || ADD(brow_right) ||
           ADD(face_oval) || ADD(chin_area) || ADD(cheeks) || ADD(rigid);
#undef ADD
}

/* Adds the single points of face/landmarks.h as ints. */
static int add_named(PyObject *landmarks)
{
    static const struct {
        const char *name;
        int point;
    } named[] = {{"forehead", SONIC_LANDMARK_FOREHEAD},
                 {"chin", SONIC_LANDMARK_CHIN},
                 {"nose_base", SONIC_LANDMARK_NOSE_BASE},
                 {"lip_top", SONIC_LANDMARK_LIP_TOP},
                 {"lip_upper", SONIC_LANDMARK_LIP_UPPER},
                 {"lip_lower", SONIC_LANDMARK_LIP_LOWER},
                 {"lip_bottom", SONIC_LANDMARK_LIP_BOTTOM},
                 {"mouth_left", SONIC_LANDMARK_MOUTH_LEFT},
                 {"mouth_right", SONIC_LANDMARK_MOUTH_RIGHT},
                 {"mouth_left_inner", SONIC_LANDMARK_MOUTH_LEFT_INNER},
                 {"mouth_right_inner", SONIC_LANDMARK_MOUTH_RIGHT_INNER},
                 {"eye_left_outer", SONIC_LANDMARK_EYE_LEFT_OUTER},
                 {"eye_left_inner", SONIC_LANDMARK_EYE_LEFT_INNER},
                 {"eye_right_inner", SONIC_LANDMARK_EYE_RIGHT_INNER},
                 {"eye_right_outer", SONIC_LANDMARK_EYE_RIGHT_OUTER}};
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        PyObject *point = PyLong_FromLong(named[i].point);
        int failed = !point || PyDict_SetItemString(landmarks, named[i].name, point) < 0;
        Py_XDECREF(point);
        if (failed)
            return 1;
    }
    return 0;
}

/* -> a new dict. */
static PyObject *face_landmarks(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    PyObject *landmarks = PyDict_New();
    if (landmarks && (add_contours(landmarks) || add_named(landmarks)))
        Py_CLEAR(landmarks);
    return landmarks;
}

/* An RGB image with its alpha or None, and points [count, 2 or 3] float32; new references. */
typedef struct portrait_arrays {
    PyArrayObject *image, *alpha, *points;
    sonic_portrait_view view;
} portrait_arrays;

static void portrait_arrays_free(portrait_arrays *arrays)
{
    Py_XDECREF(arrays->image);
    Py_XDECREF(arrays->alpha);
    Py_XDECREF(arrays->points);
}

/* 1, or 0 with an exception and nothing to free. */
static int portrait_arrays_read(portrait_arrays *arrays, PyObject *image, PyObject *alpha, PyObject *points,
                                int coordinates)
{
    memset(arrays, 0, sizeof *arrays);
    arrays->image = sonic_py_array(image, NPY_UINT8, 3, "image");
    arrays->points = arrays->image ? sonic_py_array(points, NPY_FLOAT32, 2, "points") : NULL;
    if (arrays->points && (PyArray_DIM(arrays->image, 2) != 3 || PyArray_DIM(arrays->points, 1) != coordinates))
        PyErr_Format(PyExc_ValueError, "Give an RGB image, and points of %d coordinates", coordinates);
    if (arrays->points && !PyErr_Occurred())
        arrays->alpha = sonic_py_alpha(&arrays->view.alpha, alpha, arrays->image);
    if (PyErr_Occurred()) {
        portrait_arrays_free(arrays);
        return 0;
    }
    arrays->view.image = sonic_py_image(arrays->image);
    return 1;
}

#define LIGHT_FORMAT "s:L,s:i,s:i,s:i,s:d"
#define LIGHT_VALUES(light)                                                                                            \
    "luma_pixels", (long long)(light).pixels, "luma_low", (int)(light).low, "luma_mid", (int)(light).mid, "luma_high", \
        (int)(light).high, "bright_share", (light).bright_share

/* Image, polygon, alpha or None -> dict. */
static PyObject *face_light(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *image, *polygon, *alpha = Py_None;
    portrait_arrays arrays;
    if (!PyArg_ParseTuple(args, "OO|O:face_light", &image, &polygon, &alpha) ||
        !portrait_arrays_read(&arrays, image, alpha, polygon, 2))
        return NULL;
    sonic_face_light light;
    Py_BEGIN_ALLOW_THREADS
    sonic_face_light_measure(&light, arrays.view, PyArray_DATA(arrays.points), (int32_t)PyArray_DIM(arrays.points, 0));
    Py_END_ALLOW_THREADS
    portrait_arrays_free(&arrays);
    return Py_BuildValue("{" LIGHT_FORMAT "}", LIGHT_VALUES(light));
}

/* Image, mesh [468, 3], alpha or None -> dict. */
static PyObject *face_portrait(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *image, *mesh, *alpha = Py_None;
    portrait_arrays arrays;
    if (!PyArg_ParseTuple(args, "OO|O:face_portrait", &image, &mesh, &alpha) ||
        !portrait_arrays_read(&arrays, image, alpha, mesh, 3))
        return NULL;
    if (PyArray_DIM(arrays.points, 0) != SONIC_MESH_POINTS) {
        portrait_arrays_free(&arrays);
        return PyErr_Format(PyExc_ValueError, "Give a mesh of %d points", SONIC_MESH_POINTS);
    }
    const float (*points)[3] = PyArray_DATA(arrays.points);
    sonic_face_light light;
    double missing;
    Py_BEGIN_ALLOW_THREADS
    sonic_face_light_of_mesh(&light, arrays.view, points);
    missing = sonic_face_missing(arrays.view, points);
    Py_END_ALLOW_THREADS
    PyObject *result = Py_BuildValue("{" LIGHT_FORMAT ",s:d,s:d}", LIGHT_VALUES(light), "roll_deg",
                                     sonic_face_roll(points), "missing_share", missing);
    portrait_arrays_free(&arrays);
    return result;
}

/* Image, mesh [468, 3] -> list of floats, or None. */
static PyObject *face_mouth(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *image, *mesh;
    portrait_arrays arrays;
    float values[SONIC_MOUTH_VALUES];
    int32_t status;
    if (!PyArg_ParseTuple(args, "OO:face_mouth", &image, &mesh) ||
        !portrait_arrays_read(&arrays, image, Py_None, mesh, 3))
        return NULL;
    if (PyArray_DIM(arrays.points, 0) != SONIC_MESH_POINTS) {
        portrait_arrays_free(&arrays);
        return PyErr_Format(PyExc_ValueError, "Give a mesh of %d points", SONIC_MESH_POINTS);
    }
    Py_BEGIN_ALLOW_THREADS
    status = sonic_mouth_measure(values, arrays.view.image, PyArray_DATA(arrays.points));
    Py_END_ALLOW_THREADS
    portrait_arrays_free(&arrays);
    if (status < 0)
        return PyErr_NoMemory();
    if (status == 0)
        Py_RETURN_NONE;
    PyObject *list = PyList_New(SONIC_MOUTH_VALUES);
    for (Py_ssize_t i = 0; list && i < SONIC_MOUTH_VALUES; i++)
        PyList_SetItem(list, i, PyFloat_FromDouble((double)values[i]));
    if (list && PyErr_Occurred())
        Py_CLEAR(list);
    return list;
}

PyMethodDef sonic_py_face_methods[] = {
    {"face_landmarks", face_landmarks, METH_NOARGS,
     "face_landmarks() -> dict: points of the mesh by name, int or tuple[int, ...] (csrc/face/landmarks.h)"},
    {"face_light", face_light, METH_VARARGS,
     "face_light(image u8[H,W,3], polygon f32[n,2], alpha u8[H,W] = None) -> dict: the light inside the polygon "
     "(csrc/face/portrait.h)"},
    {"face_portrait", face_portrait, METH_VARARGS,
     "face_portrait(image u8[H,W,3], mesh f32[468,3], alpha u8[H,W] = None) -> dict of numbers about the face "
     "(csrc/face/portrait.h)"},
    {"face_mouth", face_mouth, METH_VARARGS,
     "face_mouth(image u8[H,W,3], mesh f32[468,3]) -> list of floats (csrc/face/mouth.h), or None when the mouth "
     "cannot "
     "be judged"},
    {"crop_wide", crop_wide, METH_VARARGS,
     "crop_wide((x0, y0, x1, y1), expand_ratio, width, height, min_resolution) -> (x0, y0, x1, y1): the widest crop "
     "whose face is large enough once resized"},
    {"crop_square", crop_square, METH_VARARGS,
     "crop_square((x0, y0, x1, y1), expand_ratio, width, height) -> (x0, y0, x1, y1): the square around a face box in "
     "an image of that size, pixels"},
    {"prepared_size", prepared_size, METH_VARARGS,
     "prepared_size(width, height, min_resolution) -> (width, height): multiples of 64"},
    {"face_mask", face_mask, METH_VARARGS,
     "face_mask(out u8[H,W], (x, y, width, height), area): 255 in the box scaled by area, 0 elsewhere"},
    {"paste_back", paste_back, METH_VARARGS,
     "paste_back(out u8[n,H,W,3], source u8[H,W,3], frames u8[n,h,w,3], (x0, y0, x1, y1), feather): each frame scaled "
     "to the square in a copy of source"},
    {"paste_onto", paste_onto, METH_VARARGS,
     "paste_onto(below u8[n,H,W,3], frames u8[n,h,w,3], (x0, y0, x1, y1), feather): each frame scaled to the square in "
     "its picture of below"},
    {NULL, NULL, 0, NULL},
};
