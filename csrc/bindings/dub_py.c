/* dub for Python: a track of meshes made steady in place, and frames drawn in place. */
#include "dub/dub.h"
#include "dub/track.h"
#include "face/landmarks.h"
#include "bindings/binding.h"

/* Whether an array is [count, SONIC_MESH_POINTS, 3]; else ValueError. */
static int is_track(PyArrayObject *meshes, npy_intp count)
{
    const npy_intp *shape = PyArray_DIMS(meshes);
    if (shape[0] == count && shape[1] == SONIC_MESH_POINTS && shape[2] == 3)
        return 1;
    PyErr_Format(PyExc_ValueError, "Give meshes as [%zd, %d, 3]. They have the shape [%zd, %zd, %zd]",
                 (Py_ssize_t)count, SONIC_MESH_POINTS, (Py_ssize_t)shape[0], (Py_ssize_t)shape[1],
                 (Py_ssize_t)shape[2]);
    return 0;
}

/* sonic_track_finish on checked arrays, without the GIL. */
static PyObject *finish(PyArrayObject *meshes, PyArrayObject *times, PyArrayObject *scenes, int width, int height,
                        double end_s)
{
    npy_intp count = PyArray_DIM(times, 0);
    if (!is_track(meshes, count))
        return NULL;
    if (PyArray_DIM(scenes, 0) != count)
        return PyErr_Format(PyExc_ValueError, "Give as many scenes as times: %zd and %zd",
                            (Py_ssize_t)PyArray_DIM(scenes, 0), (Py_ssize_t)count);
    sonic_track track = {PyArray_DATA(meshes), PyArray_DATA(times), PyArray_DATA(scenes), count};
    double mouth_width;
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_track_finish(&mouth_width, &track, width, height, end_s);
    Py_END_ALLOW_THREADS
    return status ? sonic_py_raise(status) : PyFloat_FromDouble(mouth_width);
}

/* dub_track(meshes, times, scenes, width, height, end_s) -> mouth_width */
static PyObject *dub_track(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *meshes_object, *times_object, *scenes_object, *result = NULL;
    int width, height;
    double end_s;
    if (!PyArg_ParseTuple(args, "OOOiid", &meshes_object, &times_object, &scenes_object, &width, &height, &end_s))
        return NULL;
    PyArrayObject *meshes = sonic_py_output(meshes_object, NPY_FLOAT32, 3, "meshes");
    PyArrayObject *times = meshes ? sonic_py_array(times_object, NPY_FLOAT64, 1, "times") : NULL;
    PyArrayObject *scenes = times ? sonic_py_array(scenes_object, NPY_INT32, 1, "scenes") : NULL;
    if (scenes)
        result = finish(meshes, times, scenes, width, height, end_s);
    Py_XDECREF(meshes);
    Py_XDECREF(times);
    Py_XDECREF(scenes);
    return result;
}

/* sonic_dub_frames on checked arrays, without the GIL. */
static PyObject *draw(PyArrayObject *frames, PyArrayObject *meshes, PyArrayObject *poses, double mouth_width)
{
    const npy_intp *shape = PyArray_DIMS(frames);
    if (!is_track(meshes, shape[0]))
        return NULL;
    if (PyArray_DIM(poses, 0) != shape[0] || PyArray_DIM(poses, 1) != SONIC_POSE_COUNT)
        return PyErr_Format(PyExc_ValueError, "Give poses as [%zd, %d]. They have the shape [%zd, %zd]",
                            (Py_ssize_t)shape[0], SONIC_POSE_COUNT, (Py_ssize_t)PyArray_DIM(poses, 0),
                            (Py_ssize_t)PyArray_DIM(poses, 1));
    if (shape[1] > 65536 || shape[2] > 65536 || shape[3] != 3)
        return PyErr_Format(PyExc_ValueError,
                            "Give frames as [n, height, width, 3]. They have the shape [%zd, %zd, "
                            "%zd, %zd]",
                            (Py_ssize_t)shape[0], (Py_ssize_t)shape[1], (Py_ssize_t)shape[2], (Py_ssize_t)shape[3]);
    sonic_dub dub = {.frames = PyArray_DATA(frames),
                     .height_px = (int32_t)shape[1],
                     .width_px = (int32_t)shape[2],
                     .meshes = PyArray_DATA(meshes),
                     .poses = PyArray_DATA(poses),
                     .mouth_width = mouth_width,
                     .count = shape[0]};
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_dub_frames(&dub);
    Py_END_ALLOW_THREADS
    if (status)
        return sonic_py_raise(status);
    Py_RETURN_NONE;
}

/* dub_frames(frames, meshes, poses, mouth_width) */
static PyObject *dub_frames(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *frames_object, *meshes_object, *poses_object, *result = NULL;
    double mouth_width;
    if (!PyArg_ParseTuple(args, "OOOd", &frames_object, &meshes_object, &poses_object, &mouth_width))
        return NULL;
    PyArrayObject *frames = sonic_py_output(frames_object, NPY_UINT8, 4, "frames");
    PyArrayObject *meshes = frames ? sonic_py_array(meshes_object, NPY_FLOAT32, 3, "meshes") : NULL;
    PyArrayObject *poses = meshes ? sonic_py_array(poses_object, NPY_FLOAT32, 2, "poses") : NULL;
    if (poses)
        result = draw(frames, meshes, poses, mouth_width);
    Py_XDECREF(frames);
    Py_XDECREF(meshes);
    Py_XDECREF(poses);
    return result;
}

PyMethodDef sonic_py_dub_methods[] = {
    {"dub_track", dub_track, METH_VARARGS,
     "dub_track(meshes, times, scenes, width, height, end_s) -> mouth_width\n\n"
     "Makes the face track of a clip steady, in place: meshes f32[n, 468, 3] in px of frames of this size, NaN first\n"
     "where there is no face; times f64[n], ascending, and scenes i32[n] of the frames; end_s when the last one ends.\n"
     "Returns the width of the mouth at rest in face heights. ValueError, which names the second, for a gap of more\n"
     "than half a second (csrc/dub/track.h)."},
    {"dub_frames", dub_frames, METH_VARARGS,
     "dub_frames(frames, meshes, poses, mouth_width)\n\n"
     "Gives frames u8[n, H, W, 3], in place, the mouth of the poses f32[n, 8] (csrc/draft/pose.h). meshes f32[n, 468,\n"
     "3] and mouth_width come from dub_track. Pixels outside the lower face keep their values (csrc/dub/dub.h)."},
    {NULL, NULL, 0, NULL},
};
