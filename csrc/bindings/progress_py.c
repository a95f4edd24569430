/* The watch (core/progress.h) with a Python callable. sonic_nodes/progress.py is how the rest of the package uses it.
 */
#include <stdlib.h>

#include "core/progress.h"
#include "bindings/binding.h"

#define CAPSULE "sonic_progress"

typedef struct py_watch {
    sonic_progress watch;
    PyObject *callable;                 /* or None: Ctrl-C alone stops the work */
    PyObject *type, *value, *traceback; /* what it raised */
} py_watch;

static void forget(py_watch *w)
{
    PyObject *type = w->type, *value = w->value, *traceback = w->traceback;
    w->type = w->value = w->traceback = NULL;
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
}

static void destroy(PyObject *capsule)
{
    py_watch *w = PyCapsule_GetPointer(capsule, CAPSULE);
    forget(w);
    Py_XDECREF(w->callable);
    free(w);
}

/* A new array [height, width, 3], or None. */
static PyObject *picture(const sonic_image *preview)
{
    if (!preview)
        Py_RETURN_NONE;
    npy_intp shape[3] = {preview->height_px, preview->width_px, 3};
    PyArrayObject *array = (PyArrayObject *)PyArray_SimpleNew(3, shape, NPY_UINT8);
    for (int32_t y = 0; array && y < preview->height_px; y++)
        memcpy((char *)PyArray_DATA(array) + (size_t)y * (size_t)preview->width_px * 3,
               preview->data + y * preview->stride, (size_t)preview->width_px * 3);
    return (PyObject *)array;
}

/* 0, or -1 with a Python exception. Signals are looked at here because no bytecode runs while C computes. */
static int call(py_watch *w, int64_t done, int64_t total, const sonic_image *preview)
{
    if (PyErr_CheckSignals() < 0)
        return -1;
    if (w->callable == Py_None)
        return 0;
    PyObject *image = picture(preview);
    PyObject *result =
        image ? PyObject_CallFunction(w->callable, "LLN", (long long)done, (long long)total, image) : NULL;
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* Called with or without the GIL, and with or without an exception on its way, which stays. */
static int notify(void *context, int64_t done, int64_t total, const sonic_image *preview)
{
    py_watch *w = context;
    PyObject *type, *value, *traceback;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyErr_Fetch(&type, &value, &traceback);
    int stop = call(w, done, total, preview);
    if (stop) {
        PyErr_Fetch(&w->type, &w->value, &w->traceback);
        PyErr_NormalizeException(&w->type, &w->value, &w->traceback);
        if (w->traceback)
            PyException_SetTraceback(w->value, w->traceback);
    }
    PyErr_Restore(type, value, traceback);
    PyGILState_Release(gil);
    return stop;
}

static PyObject *progress_begin(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *callable;
    int wants_preview;
    long long interval_ms, fail_at;
    if (!PyArg_ParseTuple(args, "OpLL", &callable, &wants_preview, &interval_ms, &fail_at))
        return NULL;
    py_watch *w = calloc(1, sizeof *w);
    PyObject *capsule = w ? PyCapsule_New(w, CAPSULE, destroy) : PyErr_NoMemory();
    if (!capsule) {
        free(w);
        return NULL;
    }
    Py_INCREF(callable);
    w->callable = callable;
    w->watch.notify = notify, w->watch.context = w;
    w->watch.wants_preview = wants_preview != 0, w->watch.interval_ms = interval_ms, w->watch.fail_at = fail_at;
    sonic_progress_begin(&w->watch);
    Py_INCREF(capsule); /* the thread's own, until the watch ends: it must not die while it is asked */
    return capsule;
}

static PyObject *progress_end(PyObject *self, PyObject *capsule)
{
    (void)self;
    py_watch *w = PyCapsule_GetPointer(capsule, CAPSULE);
    if (!w)
        return NULL;
    sonic_status status = sonic_progress_end(&w->watch);
    if (status)
        return sonic_py_raise(status);
    PyObject *result = Py_BuildValue("OL", w->value ? w->value : Py_None, (long long)w->watch.operators);
    forget(w); /* the exception's frames hold the watch: a circle that Python's collector could not see */
    Py_DECREF(capsule);
    return result;
}

static PyObject *progress_raised(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    sonic_progress *watch = sonic_progress_current();
    py_watch *w = watch ? watch->context : NULL;
    PyObject *raised = w && w->value ? w->value : Py_None;
    Py_INCREF(raised);
    return raised;
}

PyMethodDef sonic_py_progress_methods[] = {
    {"progress_begin", progress_begin, METH_VARARGS,
     "progress_begin(callable, wants_preview, interval_ms, fail_at) -> watch, the innermost of this thread; the callable "
     "gets (done, total,\n"
     "preview), and what it raises stops the work (csrc/core/progress.h)"},
    {"progress_end", progress_end, METH_O,
     "progress_end(watch) -> (what the callable raised or None, how many operators asked)"},
    {"progress_raised", progress_raised, METH_NOARGS,
     "progress_raised() -> what the callable of this thread's innermost watch raised, or None"},
    {NULL, NULL, 0, NULL},
};
