/* Lip-sync calibration for Python: curves of mouth and sound, scores over lag, the sound moved. See csrc/lipsync. */
#include "lipsync/curves.h"
#include "lipsync/mouth.h"
#include "lipsync/score.h"
#include "bindings/binding.h"

static int has_shape(PyArrayObject *array, npy_intp rows, npy_intp columns, const char *name)
{
    if (PyArray_DIM(array, 0) == rows && (columns < 0 || PyArray_DIM(array, 1) == columns))
        return 1;
    PyErr_Format(PyExc_ValueError, "Give %s as [%zd, %zd]", name, (Py_ssize_t)rows, (Py_ssize_t)columns);
    return 0;
}

static PyArrayObject *new_array(int type, int dimensions, npy_intp first, npy_intp second)
{
    npy_intp shape[2] = {first, second};
    return (PyArrayObject *)PyArray_SimpleNew(dimensions, shape, type);
}

static PyObject *sync_mouth(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *mesh_object, *rest_object, *out = NULL;
    if (!PyArg_ParseTuple(args, "OO:sync_mouth", &mesh_object, &rest_object))
        return NULL;
    PyArrayObject *mesh = sonic_py_array(mesh_object, NPY_FLOAT32, 2, "mesh");
    PyArrayObject *rest = mesh ? sonic_py_array(rest_object, NPY_FLOAT32, 2, "rest") : NULL;
    if (rest && has_shape(mesh, SONIC_MESH_POINTS, 3, "mesh") && has_shape(rest, SONIC_SYNC_RIGID_POINTS, 3, "rest") &&
        (out = (PyObject *)new_array(NPY_FLOAT32, 1, SONIC_SYNC_MOUTH_VALUES, 0)))
        sonic_sync_mouth(PyArray_DATA((PyArrayObject *)out), (const float (*)[3])PyArray_DATA(mesh),
                         (const float (*)[3])PyArray_DATA(rest));
    Py_XDECREF(mesh);
    Py_XDECREF(rest);
    return out;
}

static PyObject *sync_rigid_points(PyObject *self, PyObject *none)
{
    (void)self, (void)none;
    PyArrayObject *out = new_array(NPY_INT16, 1, SONIC_SYNC_RIGID_POINTS, 0);
    if (out)
        memcpy(PyArray_DATA(out), sonic_sync_rigid_point, sizeof sonic_sync_rigid_point);
    return (PyObject *)out;
}

typedef struct mouth_arrays {
    PyArrayObject *values, *times, *scene, *basis, *out, *seen;
} mouth_arrays;

static int take_mouth_arrays(mouth_arrays *a, PyObject *values, PyObject *times, PyObject *scene, PyObject *basis,
                             Py_ssize_t cells)
{
    if (!(a->values = sonic_py_array(values, NPY_FLOAT32, 2, "values")) ||
        !(a->times = sonic_py_array(times, NPY_FLOAT64, 1, "times_s")) ||
        !(a->scene = sonic_py_array(scene, NPY_INT32, 1, "scene")) ||
        !(a->basis = sonic_py_array(basis, NPY_FLOAT32, 2, "basis")))
        return 0;
    npy_intp frames = PyArray_DIM(a->values, 0), components = PyArray_DIM(a->basis, 1);
    if (!has_shape(a->times, frames, -1, "times_s") || !has_shape(a->scene, frames, -1, "scene") ||
        !has_shape(a->basis, PyArray_DIM(a->values, 1), components, "basis"))
        return 0;
    if (cells < 1 || cells > SONIC_SYNC_MAX_CELLS || components < 1 || components > SONIC_SYNC_MAX_CHANNELS) {
        PyErr_Format(PyExc_ValueError, "Cut the clip: %zd hundredths of a second are too many or too few", cells);
        return 0;
    }
    return (a->out = new_array(NPY_FLOAT32, 2, components, cells)) && (a->seen = new_array(NPY_UINT8, 1, cells, 0));
}

static PyObject *sync_mouth_curves(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *values, *times, *scene, *basis, *result = NULL;
    double start_s;
    Py_ssize_t cells;
    if (!PyArg_ParseTuple(args, "OOOOdn:sync_mouth_curves", &values, &times, &scene, &basis, &start_s, &cells))
        return NULL;
    mouth_arrays a = {0};
    if (take_mouth_arrays(&a, values, times, scene, basis, cells)) {
        sonic_sync_frames frames = {PyArray_DATA(a.values), PyArray_DATA(a.times), PyArray_DATA(a.scene),
                                    PyArray_DIM(a.values, 0), (int32_t)PyArray_DIM(a.values, 1)};
        sonic_status status;
        Py_BEGIN_ALLOW_THREADS status =
            sonic_sync_mouth_curves(PyArray_DATA(a.out), PyArray_DATA(a.seen), cells, &frames, PyArray_DATA(a.basis),
                                    (int32_t)PyArray_DIM(a.basis, 1), start_s);
        Py_END_ALLOW_THREADS result = status ? sonic_py_raise(status) : Py_BuildValue("OO", a.out, a.seen);
    }
    PyArrayObject *all[] = {a.values, a.times, a.scene, a.basis, a.out, a.seen};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        Py_XDECREF(all[i]);
    return result;
}

static PyObject *sync_sound_curves(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *object;
    Py_ssize_t cells;
    if (!PyArg_ParseTuple(args, "On:sync_sound_curves", &object, &cells))
        return NULL;
    PyArrayObject *mel = sonic_py_array(object, NPY_FLOAT32, 2, "mel"), *out = NULL;
    sonic_status status = SONIC_OK;
    if (mel && has_shape(mel, SONIC_SYNC_MEL_BANDS, PyArray_DIM(mel, 1), "mel")) {
        if (cells < 1 || cells > SONIC_SYNC_MAX_CELLS)
            PyErr_Format(PyExc_ValueError, "Cut the clip: %zd hundredths of a second are too many or too few", cells);
        else if ((out = new_array(NPY_FLOAT32, 2, SONIC_SYNC_BANDS, cells))) {
            Py_BEGIN_ALLOW_THREADS status =
                sonic_sync_sound_curves(PyArray_DATA(out), cells, PyArray_DATA(mel), PyArray_DIM(mel, 1));
            Py_END_ALLOW_THREADS
        }
    }
    Py_XDECREF(mel);
    if (status == SONIC_OK)
        return (PyObject *)out;
    Py_DECREF(out);
    return sonic_py_raise(status);
}

static PyObject *sync_project(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *curves_object, *weights_object;
    int step;
    if (!PyArg_ParseTuple(args, "OOi:sync_project", &curves_object, &weights_object, &step))
        return NULL;
    PyArrayObject *curves = sonic_py_array(curves_object, NPY_FLOAT32, 2, "curves"), *out = NULL;
    PyArrayObject *weights = curves ? sonic_py_array(weights_object, NPY_FLOAT32, 3, "weights") : NULL;
    sonic_status status = SONIC_OK;
    if (weights && has_shape(weights, PyArray_DIM(curves, 0), -1, "weights") &&
        (out = new_array(NPY_FLOAT32, 2, PyArray_DIM(weights, 2), PyArray_DIM(curves, 1)))) {
        sonic_sync_weights w = {PyArray_DATA(weights), (int32_t)PyArray_DIM(weights, 0),
                                (int32_t)PyArray_DIM(weights, 1), (int32_t)PyArray_DIM(weights, 2), step};
        Py_BEGIN_ALLOW_THREADS status =
            sonic_sync_project(PyArray_DATA(out), PyArray_DATA(curves), PyArray_DIM(curves, 1), &w);
        Py_END_ALLOW_THREADS
    }
    Py_XDECREF(curves);
    Py_XDECREF(weights);
    if (status == SONIC_OK)
        return (PyObject *)out;
    Py_DECREF(out);
    return sonic_py_raise(status);
}

static PyObject *scores_of(PyArrayObject *mouth, PyArrayObject *sound, PyArrayObject *seen, PyArrayObject *r,
                           Py_ssize_t sound_cells, Py_ssize_t begin, Py_ssize_t end)
{
    npy_intp pairs = PyArray_DIM(r, 0), cells = PyArray_DIM(seen, 0);
    if (!has_shape(mouth, pairs, cells, "mouth") || !has_shape(sound, pairs, cells, "sound"))
        return NULL;
    if (sound_cells < 0 || sound_cells > cells)
        return PyErr_Format(PyExc_ValueError, "Give at most %zd cells of sound: there are %zd", (Py_ssize_t)cells,
                            sound_cells);
    PyArrayObject *scores = new_array(NPY_FLOAT64, 1, SONIC_SYNC_LAGS, 0);
    if (!scores)
        return NULL;
    sonic_sync_pair in = {PyArray_DATA(mouth), PyArray_DATA(sound), PyArray_DATA(r), PyArray_DATA(seen), cells,
                          sound_cells,         (int32_t)pairs};
    int64_t compared;
    Py_BEGIN_ALLOW_THREADS compared = sonic_sync_score(PyArray_DATA(scores), &in, begin, end);
    Py_END_ALLOW_THREADS return Py_BuildValue("NL", scores, (long long)compared);
}

static PyObject *sync_score(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *mouth_object, *sound_object, *seen_object, *r_object, *result = NULL;
    Py_ssize_t sound_cells, begin, end;
    if (!PyArg_ParseTuple(args, "OOOOnnn:sync_score", &mouth_object, &sound_object, &seen_object, &r_object,
                          &sound_cells, &begin, &end))
        return NULL;
    PyArrayObject *mouth = sonic_py_array(mouth_object, NPY_FLOAT32, 2, "mouth");
    PyArrayObject *sound = mouth ? sonic_py_array(sound_object, NPY_FLOAT32, 2, "sound") : NULL;
    PyArrayObject *seen = sound ? sonic_py_array(seen_object, NPY_UINT8, 1, "seen") : NULL;
    PyArrayObject *r = seen ? sonic_py_array(r_object, NPY_FLOAT32, 1, "correlations") : NULL;
    if (r)
        result = scores_of(mouth, sound, seen, r, sound_cells, begin, end);
    Py_XDECREF(mouth);
    Py_XDECREF(sound);
    Py_XDECREF(seen);
    Py_XDECREF(r);
    return result;
}

static PyObject *sync_peak(PyObject *self, PyObject *object)
{
    (void)self;
    PyArrayObject *scores = sonic_py_array(object, NPY_FLOAT64, 1, "scores");
    sonic_sync_peak peak;
    int fits = scores && has_shape(scores, SONIC_SYNC_LAGS, -1, "scores");
    if (fits)
        sonic_sync_peak_find(&peak, PyArray_DATA(scores));
    Py_XDECREF(scores);
    return fits ? Py_BuildValue("dddd", peak.lag_cells, peak.height, peak.margin, peak.distance) : NULL;
}

static PyObject *sync_drift(PyObject *self, PyObject *object)
{
    (void)self;
    PyArrayObject *scores = sonic_py_array(object, NPY_FLOAT64, 2, "scores");
    sonic_sync_drift drift;
    int fits = scores && has_shape(scores, PyArray_DIM(scores, 0), SONIC_SYNC_LAGS, "scores");
    if (fits) {
        Py_BEGIN_ALLOW_THREADS sonic_sync_drift_find(&drift, PyArray_DATA(scores), PyArray_DIM(scores, 0));
        Py_END_ALLOW_THREADS
    }
    Py_XDECREF(scores);
    return fits ? Py_BuildValue("ddd", drift.lag_cells, drift.cells, drift.gain) : NULL;
}

static PyObject *sync_move(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *object;
    Py_ssize_t later, fade;
    if (!PyArg_ParseTuple(args, "Onn:sync_move", &object, &later, &fade))
        return NULL;
    PyArrayObject *in = sonic_py_array(object, NPY_FLOAT32, 2, "waveform");
    PyArrayObject *out = in ? new_array(NPY_FLOAT32, 2, PyArray_DIM(in, 0), PyArray_DIM(in, 1)) : NULL;
    if (out) {
        npy_intp count = PyArray_DIM(in, 1);
        Py_BEGIN_ALLOW_THREADS for (npy_intp channel = 0; channel < PyArray_DIM(in, 0); channel++)
            sonic_sync_move((float *)PyArray_DATA(out) + channel * count, (float *)PyArray_DATA(in) + channel * count,
                            count, later, fade);
        Py_END_ALLOW_THREADS
    }
    Py_XDECREF(in);
    return (PyObject *)out;
}

PyMethodDef sonic_py_lipsync_methods[] = {
    {"sync_mouth", sync_mouth, METH_VARARGS,
     "sync_mouth(mesh f32[468,3], rest f32[64,3]) -> f32[111] of csrc/lipsync/mouth.h"},
    {"sync_rigid_points", sync_rigid_points, METH_NOARGS,
     "sync_rigid_points() -> int16[64]: which points of a mesh `rest` holds"},
    {"sync_mouth_curves", sync_mouth_curves, METH_VARARGS,
     "sync_mouth_curves(values f32[frames,n], times_s f64[frames], scene i32[frames], basis f32[n,components], "
     "start_s, cells) -> (f32[components,cells], "
     "seen u8[cells]) of csrc/lipsync/curves.h"},
    {"sync_sound_curves", sync_sound_curves, METH_VARARGS,
     "sync_sound_curves(mel f32[80,n], cells) -> f32[26,cells] of csrc/lipsync/curves.h"},
    {"sync_project", sync_project, METH_VARARGS,
     "sync_project(curves f32[channels,cells], weights f32[channels,taps,pairs], step) -> f32[pairs,cells] of "
     "csrc/lipsync/curves.h"},
    {"sync_score", sync_score, METH_VARARGS,
     "sync_score(mouth f32[pairs,cells], sound f32[pairs,cells], seen u8[cells], correlations f32[pairs], sound_cells, "
     "begin, end) -> (f64[121], cells "
     "compared) of csrc/lipsync/score.h"},
    {"sync_peak", sync_peak, METH_O,
     "sync_peak(scores f64[121]) -> (lag in cells, height, margin, distance) of csrc/lipsync/score.h"},
    {"sync_drift", sync_drift, METH_O,
     "sync_drift(scores f64[windows,121]) -> (lag in the middle, drift in cells, gain) of csrc/lipsync/score.h"},
    {"sync_move", sync_move, METH_VARARGS,
     "sync_move(waveform f32[channels,samples], later, fade) -> the sound `later` samples later, of the same length, "
     "csrc/lipsync/score.h"},
    {NULL, NULL, 0, NULL},
};
