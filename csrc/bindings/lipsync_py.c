/* Lip-sync estimation for Python: curves of mouth and sound, scores over lag, the shifted sound. See csrc/lipsync. */
#include "audio/log_mel.h"
#include "lipsync/curves.h"
#include "lipsync/mouth.h"
#include "lipsync/score.h"
#include "bindings/binding.h"

/* Sets a ValueError unless array is [rows, columns]; columns < 0: any. */
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

/* Mouth features of one mesh. */
static PyObject *lipsync_mouth(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *mesh_object, *rest_object, *out = NULL;
    if (!PyArg_ParseTuple(args, "OO:lipsync_mouth", &mesh_object, &rest_object))
        return NULL;
    PyArrayObject *mesh = sonic_py_array(mesh_object, NPY_FLOAT32, 2, "mesh");
    PyArrayObject *rest = mesh ? sonic_py_array(rest_object, NPY_FLOAT32, 2, "rest") : NULL;
    if (rest && has_shape(mesh, SONIC_MESH_POINTS, 3, "mesh") &&
        has_shape(rest, SONIC_LIPSYNC_RIGID_POINTS, 3, "rest") &&
        (out = (PyObject *)new_array(NPY_FLOAT32, 1, SONIC_LIPSYNC_MOUTH_VALUES, 0)))
        sonic_lipsync_mouth(PyArray_DATA((PyArrayObject *)out), (const float (*)[3])PyArray_DATA(mesh),
                            (const float (*)[3])PyArray_DATA(rest));
    Py_XDECREF(mesh);
    Py_XDECREF(rest);
    return out;
}

/* Mesh indices that the mean head holds. */
static PyObject *lipsync_rigid_points(PyObject *self, PyObject *none)
{
    (void)self, (void)none;
    PyArrayObject *out = new_array(NPY_INT16, 1, SONIC_LIPSYNC_RIGID_POINTS, 0);
    if (out)
        memcpy(PyArray_DATA(out), sonic_lipsync_rigid_point, sizeof sonic_lipsync_rigid_point);
    return (PyObject *)out;
}

/* Inputs and outputs of lipsync_mouth_curves, all released together. */
typedef struct mouth_arrays {
    PyArrayObject *values, *times, *scene, *basis, *out, *valid;
} mouth_arrays;

/* Checks and fills them; 0 with an exception. */
static int prepare_mouth_arrays(mouth_arrays *a, PyObject *values, PyObject *times, PyObject *scene, PyObject *basis,
                                Py_ssize_t ticks)
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
    if (ticks < 1 || ticks > SONIC_LIPSYNC_MAX_TICKS || components < 1 || components > SONIC_LIPSYNC_MAX_CHANNELS) {
        PyErr_Format(PyExc_ValueError, "Cut the clip: %zd ticks of 10 ms are too many or too few", ticks);
        return 0;
    }
    return (a->out = new_array(NPY_FLOAT32, 2, components, ticks)) && (a->valid = new_array(NPY_UINT8, 1, ticks, 0));
}

/* Filtered curves of the mouth and where they are valid. */
static PyObject *lipsync_mouth_curves(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *values, *times, *scene, *basis, *result = NULL;
    double start_s;
    Py_ssize_t ticks;
    if (!PyArg_ParseTuple(args, "OOOOdn:lipsync_mouth_curves", &values, &times, &scene, &basis, &start_s, &ticks))
        return NULL;
    mouth_arrays a = {0};
    if (prepare_mouth_arrays(&a, values, times, scene, basis, ticks)) {
        sonic_lipsync_frames frames = {PyArray_DATA(a.values), PyArray_DATA(a.times), PyArray_DATA(a.scene),
                                       PyArray_DIM(a.values, 0), (int32_t)PyArray_DIM(a.values, 1)};
        sonic_status status;
        Py_BEGIN_ALLOW_THREADS
        status = sonic_lipsync_mouth_curves(PyArray_DATA(a.out), PyArray_DATA(a.valid), ticks, &frames,
                                            PyArray_DATA(a.basis), (int32_t)PyArray_DIM(a.basis, 1), start_s);
        Py_END_ALLOW_THREADS
        result = status ? sonic_py_raise(status) : Py_BuildValue("OO", a.out, a.valid);
    }
    PyArrayObject *all[] = {a.values, a.times, a.scene, a.basis, a.out, a.valid};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        Py_XDECREF(all[i]);
    return result;
}

/* Filtered curves of the sound. */
static PyObject *lipsync_sound_curves(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *object;
    Py_ssize_t ticks;
    if (!PyArg_ParseTuple(args, "On:lipsync_sound_curves", &object, &ticks))
        return NULL;
    PyArrayObject *mel = sonic_py_array(object, NPY_FLOAT32, 2, "mel"), *out = NULL;
    sonic_status status = SONIC_OK;
    if (mel && has_shape(mel, SONIC_LOG_MEL_BANDS, PyArray_DIM(mel, 1), "mel")) {
        if (ticks < 1 || ticks > SONIC_LIPSYNC_MAX_TICKS)
            PyErr_Format(PyExc_ValueError, "Cut the clip: %zd ticks of 10 ms are too many or too few", ticks);
        else if ((out = new_array(NPY_FLOAT32, 2, SONIC_LIPSYNC_BANDS, ticks))) {
            Py_BEGIN_ALLOW_THREADS
            status = sonic_lipsync_sound_curves(PyArray_DATA(out), ticks, PyArray_DATA(mel), PyArray_DIM(mel, 1));
            Py_END_ALLOW_THREADS
        }
    }
    Py_XDECREF(mel);
    if (status == SONIC_OK)
        return (PyObject *)out;
    Py_DECREF(out);
    return sonic_py_raise(status);
}

/* Canonical variates of curves. */
static PyObject *lipsync_project(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *curves_object, *weights_object;
    int step;
    if (!PyArg_ParseTuple(args, "OOi:lipsync_project", &curves_object, &weights_object, &step))
        return NULL;
    PyArrayObject *curves = sonic_py_array(curves_object, NPY_FLOAT32, 2, "curves"), *out = NULL;
    PyArrayObject *weights = curves ? sonic_py_array(weights_object, NPY_FLOAT32, 3, "weights") : NULL;
    sonic_status status = SONIC_OK;
    if (weights && has_shape(weights, PyArray_DIM(curves, 0), -1, "weights") &&
        (out = new_array(NPY_FLOAT32, 2, PyArray_DIM(weights, 2), PyArray_DIM(curves, 1)))) {
        sonic_lipsync_weights w = {PyArray_DATA(weights), (int32_t)PyArray_DIM(weights, 0),
                                   (int32_t)PyArray_DIM(weights, 1), (int32_t)PyArray_DIM(weights, 2), step};
        Py_BEGIN_ALLOW_THREADS
        status = sonic_lipsync_project(PyArray_DATA(out), PyArray_DATA(curves), PyArray_DIM(curves, 1), &w);
        Py_END_ALLOW_THREADS
    }
    Py_XDECREF(curves);
    Py_XDECREF(weights);
    if (status == SONIC_OK)
        return (PyObject *)out;
    Py_DECREF(out);
    return sonic_py_raise(status);
}

/* (scores, ticks compared) of checked dtypes; checks the shapes. */
static PyObject *score_arrays(PyArrayObject *mouth, PyArrayObject *sound, PyArrayObject *valid, PyArrayObject *r,
                              Py_ssize_t sound_ticks, Py_ssize_t begin, Py_ssize_t end)
{
    npy_intp pairs = PyArray_DIM(r, 0), ticks = PyArray_DIM(valid, 0);
    if (!has_shape(mouth, pairs, ticks, "mouth") || !has_shape(sound, pairs, ticks, "sound"))
        return NULL;
    if (sound_ticks < 0 || sound_ticks > ticks)
        return PyErr_Format(PyExc_ValueError, "Give sound_ticks from 0 to %zd: it is %zd", (Py_ssize_t)ticks,
                            sound_ticks);
    PyArrayObject *scores = new_array(NPY_FLOAT64, 1, SONIC_LIPSYNC_LAGS, 0);
    if (!scores)
        return NULL;
    sonic_lipsync_variates in = {PyArray_DATA(mouth), PyArray_DATA(sound), PyArray_DATA(r), PyArray_DATA(valid), ticks,
                                 sound_ticks,         (int32_t)pairs};
    int64_t compared;
    Py_BEGIN_ALLOW_THREADS
    compared = sonic_lipsync_score(PyArray_DATA(scores), &in, begin, end);
    Py_END_ALLOW_THREADS
    return Py_BuildValue("NL", scores, (long long)compared);
}

/* Scores of a stretch over lag. */
static PyObject *lipsync_score(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *mouth_object, *sound_object, *valid_object, *r_object, *result = NULL;
    Py_ssize_t sound_ticks, begin, end;
    if (!PyArg_ParseTuple(args, "OOOOnnn:lipsync_score", &mouth_object, &sound_object, &valid_object, &r_object,
                          &sound_ticks, &begin, &end))
        return NULL;
    PyArrayObject *mouth = sonic_py_array(mouth_object, NPY_FLOAT32, 2, "mouth");
    PyArrayObject *sound = mouth ? sonic_py_array(sound_object, NPY_FLOAT32, 2, "sound") : NULL;
    PyArrayObject *valid = sound ? sonic_py_array(valid_object, NPY_UINT8, 1, "valid") : NULL;
    PyArrayObject *r = valid ? sonic_py_array(r_object, NPY_FLOAT32, 1, "correlations") : NULL;
    if (r)
        result = score_arrays(mouth, sound, valid, r, sound_ticks, begin, end);
    Py_XDECREF(mouth);
    Py_XDECREF(sound);
    Py_XDECREF(valid);
    Py_XDECREF(r);
    return result;
}

/* The peak of scores over lag. */
static PyObject *lipsync_peak(PyObject *self, PyObject *object)
{
    (void)self;
    PyArrayObject *scores = sonic_py_array(object, NPY_FLOAT64, 1, "scores");
    sonic_lipsync_peak peak;
    int fits = scores && has_shape(scores, SONIC_LIPSYNC_LAGS, -1, "scores");
    if (fits)
        sonic_lipsync_peak_find(&peak, PyArray_DATA(scores));
    Py_XDECREF(scores);
    return fits ? Py_BuildValue("dddd", peak.lag_ticks, peak.height, peak.margin, peak.z_score) : NULL;
}

/* The line of lags through windows. */
static PyObject *lipsync_drift(PyObject *self, PyObject *object)
{
    (void)self;
    PyArrayObject *scores = sonic_py_array(object, NPY_FLOAT64, 2, "scores");
    sonic_lipsync_drift drift;
    int fits = scores && has_shape(scores, PyArray_DIM(scores, 0), SONIC_LIPSYNC_LAGS, "scores");
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        sonic_lipsync_drift_find(&drift, PyArray_DATA(scores), PyArray_DIM(scores, 0));
        Py_END_ALLOW_THREADS
    }
    Py_XDECREF(scores);
    return fits ? Py_BuildValue("ddd", drift.lag_ticks, drift.drift_ticks, drift.gain) : NULL;
}

/* Delays each channel of a sound. */
static PyObject *lipsync_shift(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *object;
    Py_ssize_t delay, fade;
    if (!PyArg_ParseTuple(args, "Onn:lipsync_shift", &object, &delay, &fade))
        return NULL;
    PyArrayObject *in = sonic_py_array(object, NPY_FLOAT32, 2, "waveform");
    PyArrayObject *out = in ? new_array(NPY_FLOAT32, 2, PyArray_DIM(in, 0), PyArray_DIM(in, 1)) : NULL;
    if (out) {
        npy_intp count = PyArray_DIM(in, 1);
        Py_BEGIN_ALLOW_THREADS
        for (npy_intp channel = 0; channel < PyArray_DIM(in, 0); channel++)
            sonic_lipsync_shift((float *)PyArray_DATA(out) + channel * count,
                                (float *)PyArray_DATA(in) + channel * count, count, delay, fade);
        Py_END_ALLOW_THREADS
    }
    Py_XDECREF(in);
    return (PyObject *)out;
}

PyMethodDef sonic_py_lipsync_methods[] = {
    {"lipsync_mouth", lipsync_mouth, METH_VARARGS,
     "lipsync_mouth(mesh f32[468,3], rest f32[64,3]) -> f32[111] of csrc/lipsync/mouth.h"},
    {"lipsync_rigid_points", lipsync_rigid_points, METH_NOARGS,
     "lipsync_rigid_points() -> int16[64]: mesh indices of the points in `rest`"},
    {"lipsync_mouth_curves", lipsync_mouth_curves, METH_VARARGS,
     "lipsync_mouth_curves(values f32[frames,n], times_s f64[frames], scene i32[frames], basis f32[n,components], "
     "start_s, ticks) -> (f32[components,ticks], "
     "valid u8[ticks]) of csrc/lipsync/curves.h"},
    {"lipsync_sound_curves", lipsync_sound_curves, METH_VARARGS,
     "lipsync_sound_curves(mel f32[80,n], ticks) -> f32[26,ticks] of csrc/lipsync/curves.h"},
    {"lipsync_project", lipsync_project, METH_VARARGS,
     "lipsync_project(curves f32[channels,ticks], weights f32[channels,taps,pairs], step) -> f32[pairs,ticks] of "
     "csrc/lipsync/curves.h"},
    {"lipsync_score", lipsync_score, METH_VARARGS,
     "lipsync_score(mouth f32[pairs,ticks], sound f32[pairs,ticks], valid u8[ticks], correlations f32[pairs], "
     "sound_ticks, "
     "begin, end) -> (f64[121], ticks "
     "compared) of csrc/lipsync/score.h"},
    {"lipsync_peak", lipsync_peak, METH_O,
     "lipsync_peak(scores f64[121]) -> (lag in ticks, height, margin, z-score) of csrc/lipsync/score.h"},
    {"lipsync_drift", lipsync_drift, METH_O,
     "lipsync_drift(scores f64[windows,121]) -> (lag in the middle, drift in ticks, gain) of csrc/lipsync/score.h"},
    {"lipsync_shift", lipsync_shift, METH_VARARGS,
     "lipsync_shift(waveform f32[channels,samples], delay, fade) -> f32[channels,samples], delayed by `delay` samples, "
     "csrc/lipsync/score.h"},
    {NULL, NULL, 0, NULL},
};
