/* The sampler's schedule and windows, for tests and bench/parity.py. */
#include "bindings/binding.h"
#include "sampler/schedule.h"
#include "sampler/shortcuts.h"
#include "sampler/windows.h"

#define FRAMES_MAX 100000000 /* keeps the arrays below 1 GB */

/* karras(steps): the noise levels as an array. */
static PyObject *karras(PyObject *self, PyObject *argument)
{
    (void)self;
    float sigmas[SONIC_SCHEDULE_STEPS_MAX + 1];
    long long steps = PyLong_AsLongLong(argument); /* a long has 32 bits on Windows */
    if (steps == -1 && PyErr_Occurred())
        return NULL;
    sonic_status status = sonic_schedule_karras(sigmas, steps < 0 || steps > INT32_MAX ? -1 : (int32_t)steps);
    if (status)
        return sonic_py_raise(status);
    npy_intp shape[1] = {(npy_intp)steps + 1};
    PyArrayObject *out = (PyArrayObject *)PyArray_SimpleNew(1, shape, NPY_FLOAT32);
    if (out)
        memcpy(PyArray_DATA(out), sigmas, (size_t)shape[0] * sizeof *sigmas);
    return (PyObject *)out;
}

/* step_work(steps, low, high, reuse): a tuple of (guided, shallow, keep) for each step. */
static PyObject *step_work(PyObject *self, PyObject *args)
{
    (void)self;
    float sigmas[SONIC_SCHEDULE_STEPS_MAX + 1];
    sonic_step_work work[SONIC_SCHEDULE_STEPS_MAX];
    int steps;
    sonic_shortcuts shortcuts;
    if (!PyArg_ParseTuple(args, "iddi", &steps, &shortcuts.guidance_low, &shortcuts.guidance_high, &shortcuts.reuse))
        return NULL;
    sonic_status status = sonic_schedule_karras(sigmas, steps);
    status = status ? status : sonic_shortcuts_check(&shortcuts, SONIC_SCHEDULE_STEPS_MAX);
    if (status)
        return sonic_py_raise(status);
    sonic_shortcuts_plan(work, sigmas, steps, &shortcuts);
    PyObject *list = PyList_New(steps);
    for (int i = 0; list && i < steps; i++) {
        PyObject *item = Py_BuildValue("(iii)", work[i].guided, work[i].shallow, work[i].keep);
        if (!item || PyList_SetItem(list, i, item) < 0)
            Py_CLEAR(list);
    }
    return list;
}

/* euler_step(sigma, next): sonic_step as a dict. */
static PyObject *euler_step(PyObject *self, PyObject *args)
{
    (void)self;
    double sigma, next;
    if (!PyArg_ParseTuple(args, "dd", &sigma, &next))
        return NULL;
    if (!(sigma > next && next >= 0))
        return PyErr_Format(PyExc_ValueError, "Give a noise level above the next one, which is 0 or more.");
    sonic_step step = sonic_schedule_step(sigma, next);
    return Py_BuildValue("{s:d,s:d,s:d,s:d,s:d}", "input", step.input, "keep", step.keep, "move", step.move, "stay",
                         step.stay, "timestep", sonic_schedule_timestep(sigma));
}

/* out [windows, window]: frames; occurrences [frames] */
static void fill_windows(int64_t *out, int64_t *occurrences, const sonic_windows *windows)
{
    for (int64_t i = 0, count = sonic_windows_count(windows); i < count; i++)
        for (int64_t j = 0; j < windows->window; j++)
            *out++ = sonic_windows_frame(windows, i, j);
    for (int64_t i = 0; i < windows->frames; i++)
        occurrences[i] = sonic_windows_occurrences(windows, i);
}

/* sample_windows(frames, window, offset): two arrays, filled by fill_windows. */
static PyObject *sample_windows(PyObject *self, PyObject *args)
{
    (void)self;
    long long frames, window, offset;
    if (!PyArg_ParseTuple(args, "LLL", &frames, &window, &offset))
        return NULL;
    if (frames < 1 || window < 1 || offset < 0 || frames > FRAMES_MAX || window > FRAMES_MAX || offset > FRAMES_MAX)
        return PyErr_Format(PyExc_ValueError,
                            "Choose 1 or more frames, a window of 1 or more frames, and an offset of 0 or more: got "
                            "%lld, %lld and %lld.",
                            frames, window, offset);
    sonic_windows windows = {frames, window, offset};
    npy_intp shape[2] = {(npy_intp)sonic_windows_count(&windows), (npy_intp)window}, count[1] = {(npy_intp)frames};
    PyArrayObject *out = (PyArrayObject *)PyArray_SimpleNew(2, shape, NPY_INT64),
                  *occurrences = (PyArrayObject *)PyArray_SimpleNew(1, count, NPY_INT64);
    if (out && occurrences) {
        fill_windows(PyArray_DATA(out), PyArray_DATA(occurrences), &windows);
        return Py_BuildValue("NN", out, occurrences);
    }
    Py_XDECREF(out);
    Py_XDECREF(occurrences);
    return NULL;
}

PyMethodDef sonic_py_sampler_methods[] = {
    {"karras", karras, METH_O,
     "karras(steps) -> float32[steps + 1]: the noise levels of a run; the last is 0 (csrc/sampler/schedule.h)"},
    {"step_work", step_work, METH_VARARGS,
     "step_work(steps, guidance_low, guidance_high, reuse) -> [(guided, shallow, keep)]: what each step computes "
     "(csrc/sampler/shortcuts.h)"},
    {"euler_step", euler_step, METH_VARARGS,
     "euler_step(sigma, next) -> dict: coefficients of one step (sonic_step in csrc/sampler/schedule.h)"},
    {"sample_windows", sample_windows, METH_VARARGS,
     "sample_windows(frames, window, offset) -> (int64[windows, window], int64[frames]): the frames of each window "
     "after\n"
     "the windows have moved by `offset` frames, and how often each frame occurs (csrc/sampler/windows.h)"},
    {NULL, NULL, 0, NULL},
};
