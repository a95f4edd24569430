/* core/progress.h with a Python callable as callback; sonic_nodes/progress.py wraps it. */
#include <stdlib.h>

#include "core/progress.h"
#include "bindings/binding.h"

#define CAPSULE "sonic_progress"

typedef struct py_progress {
    sonic_progress progress;
    PyObject *callable;                 /* or None: only Ctrl-C cancels the work */
    PyObject *type, *value, *traceback; /* what it raised */
} py_progress;

/* Drops the exception that is kept. */
static void clear_raised(py_progress *p)
{
    PyObject *type = p->type, *value = p->value, *traceback = p->traceback;
    p->type = p->value = p->traceback = NULL;
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
}

/* Runs when Python frees the handle. */
static void destroy(PyObject *capsule)
{
    py_progress *p = PyCapsule_GetPointer(capsule, CAPSULE);
    clear_raised(p);
    Py_XDECREF(p->callable);
    free(p);
}

/* The preview as a new uint8 array [height, width, 3], or None. */
static PyObject *preview_array(const sonic_image *preview)
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

/* callable(done, total, preview): 0, or -1 with a Python exception. Checks signals, because no bytecode runs while C
 * computes. */
static int call(py_progress *p, int64_t done, int64_t total, const sonic_image *preview)
{
    if (PyErr_CheckSignals() < 0)
        return -1;
    if (p->callable == Py_None)
        return 0;
    PyObject *image = preview_array(preview);
    PyObject *result =
        image ? PyObject_CallFunction(p->callable, "LLN", (long long)done, (long long)total, image) : NULL;
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* The C callback: keeps what the callable raised. Called with or without the GIL; a pending exception is preserved. */
static int notify(void *context, int64_t done, int64_t total, const sonic_image *preview)
{
    py_progress *p = context;
    PyObject *type, *value, *traceback;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyErr_Fetch(&type, &value, &traceback);
    int cancel = call(p, done, total, preview);
    if (cancel) {
        PyErr_Fetch(&p->type, &p->value, &p->traceback);
        PyErr_NormalizeException(&p->type, &p->value, &p->traceback);
        if (p->traceback)
            PyException_SetTraceback(p->value, p->traceback);
    }
    PyErr_Restore(type, value, traceback);
    PyGILState_Release(gil);
    return cancel;
}

/* (callable, wants_preview, interval_ms, fail_at) -> handle. */
static PyObject *progress_begin(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *callable;
    int wants_preview;
    long long interval_ms, fail_at;
    if (!PyArg_ParseTuple(args, "OpLL", &callable, &wants_preview, &interval_ms, &fail_at))
        return NULL;
    py_progress *p = calloc(1, sizeof *p);
    PyObject *capsule = p ? PyCapsule_New(p, CAPSULE, destroy) : PyErr_NoMemory();
    if (!capsule) {
        free(p);
        return NULL;
    }
    Py_INCREF(callable);
    p->callable = callable;
    p->progress.notify = notify, p->progress.context = p;
    p->progress.wants_preview = wants_preview != 0, p->progress.interval_ms = interval_ms,
    p->progress.fail_at = fail_at;
    sonic_progress_begin(&p->progress);
    Py_INCREF(capsule); /* the thread's own reference until progress_end: C still uses the handle */
    return capsule;
}

/* handle -> (exception or None, operators). */
static PyObject *progress_end(PyObject *self, PyObject *capsule)
{
    (void)self;
    py_progress *p = PyCapsule_GetPointer(capsule, CAPSULE);
    if (!p)
        return NULL;
    sonic_status status = sonic_progress_end(&p->progress);
    if (status)
        return sonic_py_raise(status);
    PyObject *result = Py_BuildValue("OL", p->value ? p->value : Py_None, (long long)p->progress.operators);
    clear_raised(p); /* its traceback refers to the handle: a cycle that Python's collector cannot see */
    Py_DECREF(capsule);
    return result;
}

/* () -> exception or None. */
static PyObject *progress_raised(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    sonic_progress *progress = sonic_progress_current();
    py_progress *p = progress ? progress->context : NULL;
    PyObject *raised = p && p->value ? p->value : Py_None;
    Py_INCREF(raised);
    return raised;
}

PyMethodDef sonic_py_progress_methods[] = {
    {"progress_begin", progress_begin, METH_VARARGS,
     "progress_begin(callable, wants_preview, interval_ms, fail_at) -> handle\n\n"
     "Makes callable(done, total, preview) the innermost progress callback of this thread; what it raises cancels the "
     "work (csrc/core/progress.h)."},
    {"progress_end", progress_end, METH_O,
     "progress_end(handle) -> (what the callable raised or None, number of operators run)"},
    {"progress_raised", progress_raised, METH_NOARGS,
     "progress_raised() -> what this thread's innermost progress callback raised, or None"},
    {NULL, NULL, 0, NULL},
};
