/* Motion smoothing for Python: the smoother is a capsule; frames go in and out one at a time. See csrc/smooth. */
#include <stdlib.h>

#include "face/landmarks.h"
#include "smooth/smooth.h"
#include "smooth/motion.h"
#include "bindings/binding.h"

static const char *const smooth_name = "sonic_smooth";

static void free_capsule(PyObject *capsule) { sonic_smooth_free(PyCapsule_GetPointer(capsule, smooth_name)); }

/* A new smoother. */
static PyObject *smooth_create(PyObject *self, PyObject *args)
{
    (void)self;
    int width, height;
    double strength;
    if (!PyArg_ParseTuple(args, "iid:smooth_create", &width, &height, &strength))
        return NULL;
    sonic_smooth *smooth;
    sonic_status status = sonic_smooth_create(&smooth, width, height, strength);
    if (status)
        return sonic_py_raise(status);
    PyObject *capsule = PyCapsule_New(smooth, smooth_name, free_capsule);
    if (!capsule)
        sonic_smooth_free(smooth);
    return capsule;
}

/* The smoother in a capsule, or NULL with an exception. */
static sonic_smooth *from_capsule(PyObject *capsule)
{
    sonic_smooth *smooth = PyCapsule_IsValid(capsule, smooth_name) ? PyCapsule_GetPointer(capsule, smooth_name) : NULL;
    if (!smooth)
        PyErr_Format(PyExc_TypeError, "Give a smoother made by smooth_create");
    return smooth;
}

/* [n, 468, 3], or NULL with an exception. */
static PyArrayObject *mesh_array(PyObject *object)
{
    PyArrayObject *meshes = sonic_py_array(object, NPY_FLOAT32, 3, "meshes");
    if (meshes &&
        (PyArray_DIM(meshes, 1) != SONIC_MESH_POINTS || PyArray_DIM(meshes, 2) != 3 || PyArray_DIM(meshes, 0) > 64)) {
        PyErr_Format(PyExc_ValueError, "Give meshes as [faces, 468, 3], of at most 64 faces");
        Py_CLEAR(meshes);
    }
    return meshes;
}

/* Takes the next frame and its faces. */
static PyObject *smooth_push(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *capsule, *frame_object, *meshes_object = Py_None;
    if (!PyArg_ParseTuple(args, "OO|O:smooth_push", &capsule, &frame_object, &meshes_object))
        return NULL;
    sonic_smooth *smooth = from_capsule(capsule);
    PyArrayObject *frame = smooth ? sonic_py_array(frame_object, NPY_UINT8, 3, "frame") : NULL;
    PyArrayObject *meshes = frame && meshes_object != Py_None ? mesh_array(meshes_object) : NULL;
    if (!frame || PyErr_Occurred()) {
        Py_XDECREF(frame);
        return NULL;
    }
    const int32_t count = meshes ? (int32_t)PyArray_DIM(meshes, 0) : -1;
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_smooth_push(smooth, sonic_py_image(frame), meshes ? PyArray_DATA(meshes) : NULL, count);
    Py_END_ALLOW_THREADS
    Py_DECREF(frame);
    Py_XDECREF(meshes);
    if (status)
        return sonic_py_raise(status);
    Py_RETURN_NONE;
}

/* Marks the end of the clip. */
static PyObject *smooth_end(PyObject *self, PyObject *capsule)
{
    (void)self;
    sonic_smooth *smooth = from_capsule(capsule);
    if (!smooth)
        return NULL;
    sonic_smooth_end(smooth);
    Py_RETURN_NONE;
}

/* Writes the next finished frame, if there is one. */
static PyObject *smooth_pull(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *capsule, *out_object;
    if (!PyArg_ParseTuple(args, "OO:smooth_pull", &capsule, &out_object))
        return NULL;
    sonic_smooth *smooth = from_capsule(capsule);
    PyArrayObject *out = smooth ? sonic_py_output(out_object, NPY_UINT8, 3, "out") : NULL;
    if (!out)
        return NULL;
    int32_t ready;
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_smooth_pull(smooth, sonic_py_image(out), &ready);
    Py_END_ALLOW_THREADS
    Py_DECREF(out);
    return status ? sonic_py_raise(status) : PyBool_FromLong(ready);
}

/* What was corrected so far. */
static PyObject *smooth_report(PyObject *self, PyObject *capsule)
{
    (void)self;
    sonic_smooth *smooth = from_capsule(capsule);
    if (!smooth)
        return NULL;
    const sonic_smooth_report r = sonic_smooth_get_report(smooth);
    return Py_BuildValue("{sLsLsLsLsLsdsdsd}", "frames", (long long)r.frames, "cuts", (long long)r.cuts, "shaken",
                         (long long)r.shaken, "flickering", (long long)r.flickering, "noisy", (long long)r.noisy,
                         "shake_px", r.shake_px, "flicker", r.flicker, "noise", r.noise);
}

/* Motion between two frames alone, without a prior from earlier ones. */
static sonic_status measure(sonic_camera_motion *out, sonic_image before, sonic_image now)
{
    sonic_pyramid pyramids[2];
    const size_t floats = sonic_pyramid_layout(&pyramids[0], now.width_px, now.height_px),
                 scratch = sonic_camera_motion_scratch_floats(&pyramids[0]);
    float *memory = malloc((2 * floats + scratch + sonic_camera_motion_prior_floats(&pyramids[0])) * sizeof *memory);
    if (!memory)
        return sonic_fail(SONIC_ERROR_MEMORY, "Use smaller frames: there is not enough memory to measure these.");
    pyramids[1] = pyramids[0];
    for (int i = 0; i < 2; i++) {
        sonic_pyramid_place(&pyramids[i], memory + scratch + (size_t)i * floats);
        sonic_pyramid_fill(&pyramids[i], memory, i ? now : before);
    }
    sonic_camera_motion_estimate(out, &pyramids[0], &pyramids[1], NULL, memory + scratch + 2 * floats, memory);
    free(memory);
    return SONIC_OK;
}

/* A list of one value per tile. */
static PyObject *tile_list(const double values[SONIC_GAIN_TILES * SONIC_GAIN_TILES])
{
    PyObject *list = PyList_New(SONIC_GAIN_TILES * SONIC_GAIN_TILES);
    for (Py_ssize_t i = 0; list && i < SONIC_GAIN_TILES * SONIC_GAIN_TILES; i++) {
        PyObject *value = PyFloat_FromDouble(values[i]);
        if (!value || PyList_SetItem(list, i, value))
            Py_CLEAR(list);
    }
    return list;
}

/* The motion and the gains from one frame to the next. */
static PyObject *smooth_motion(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *before_object, *now_object;
    if (!PyArg_ParseTuple(args, "OO:smooth_motion", &before_object, &now_object))
        return NULL;
    PyArrayObject *before = sonic_py_array(before_object, NPY_UINT8, 3, "before");
    PyArrayObject *now = before ? sonic_py_array(now_object, NPY_UINT8, 3, "now") : NULL;
    sonic_camera_motion m;
    sonic_status status = SONIC_OK;
    if (now && (!PyArray_SAMESHAPE(before, now) || PyArray_DIM(now, 2) != 3 || PyArray_SIZE(now) == 0 ||
                PyArray_DIM(now, 0) > 8192 || PyArray_DIM(now, 1) > 8192)) {
        PyErr_SetString(PyExc_ValueError,
                        "Give both frames as [height, width, 3] of one size, with sides of 1 to 8192 px");
    } else if (now) {
        Py_BEGIN_ALLOW_THREADS
        status = measure(&m, sonic_py_image(before), sonic_py_image(now));
        Py_END_ALLOW_THREADS
        if (status)
            sonic_py_raise(status);
    }
    Py_XDECREF(before);
    Py_XDECREF(now);
    if (PyErr_Occurred())
        return NULL;
    return Py_BuildValue("{s(dd)s(dd)s(ddd)sdsNsNsisi}", "shift_px", m.shift_px[0], m.shift_px[1], "error_px",
                         m.error_px[0], m.error_px[1], "gain", m.gains.gain[0], m.gains.gain[1], m.gains.gain[2],
                         "gain_error", m.gains.gain_error, "tile_gain", tile_list(m.gains.tile_gain), "tile_error",
                         tile_list(m.gains.tile_error), "cut", (int)m.cut, "repeat", (int)m.repeat);
}

PyMethodDef sonic_py_smooth_methods[] = {
    {"smooth_create", smooth_create, METH_VARARGS,
     "smooth_create(width, height, strength) -> smoother (csrc/smooth/smooth.h)"},
    {"smooth_push", smooth_push, METH_VARARGS,
     "smooth_push(smoother, frame u8[H,W,3], meshes f32[n,468,3] = those of the frame before)"},
    {"smooth_end", smooth_end, METH_O, "smooth_end(smoother): marks the end of the clip"},
    {"smooth_pull", smooth_pull, METH_VARARGS,
     "smooth_pull(smoother, out u8[H,W,3]) -> bool: whether a finished frame was written"},
    {"smooth_motion", smooth_motion, METH_VARARGS,
     "smooth_motion(before u8[H,W,3], now u8[H,W,3]) -> {name: value} of csrc/smooth/motion.h"},
    {"smooth_report", smooth_report, METH_O, "smooth_report(smoother) -> {name: number} of csrc/smooth/smooth.h"},
    {NULL, NULL, 0, NULL},
};
