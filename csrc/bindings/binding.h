/* binding.h - shared by every binding file: CPython's limited API 3.10, NumPy's C API, checked arrays, errors.
 *
 * Each stage has one file here (audio_py.c, face_py.c, ...) that ends in a PyMethodDef table; module.c joins them.
 * Arrays are checked for type, dimensions and contiguity before C sees them; the GIL is released during the work. */
#ifndef SONIC_BINDINGS_BINDING_H
#define SONIC_BINDINGS_BINDING_H

#define PY_SSIZE_T_CLEAN /* "#" formats take Py_ssize_t */
#include <Python.h>

#define PY_ARRAY_UNIQUE_SYMBOL sonic_ARRAY_API
#ifndef SONIC_IMPORT_ARRAY
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#include "sonic.h"

/* Loads NumPy's C API into this process; -1 with ImportError on failure. Called once, before any other function. */
int sonic_py_import_numpy(void);

/* Sets a Python exception from sonic_last_error() and returns NULL: ValueError for a bad argument, shape or format,
 * MemoryError, else RuntimeError. An exception that a callback left pending is kept. */
PyObject *sonic_py_raise(sonic_status status);

/* A text of C as a str; bytes that are not UTF-8, as where a long text was cut, become replacement characters. */
PyObject *sonic_py_text(const char *text);

/* Raises `type` with that text; returns NULL. */
PyObject *sonic_py_error(PyObject *type, const char *text);

/* A new reference to `object` as a C-contiguous array of NumPy type `type` with `dimensions` dimensions (-1: any), or
 * NULL with ValueError naming `name`. Converts when NumPy can do so safely. */
PyArrayObject *sonic_py_array(PyObject *object, int type, int dimensions, const char *name);

/* The same for an array that C writes to: it must be writable and is never converted. */
PyArrayObject *sonic_py_output(PyObject *object, int type, int dimensions, const char *name);

/* [height, width, channels] uint8 array as an image view; the array must outlive it. */
sonic_image sonic_py_image(PyArrayObject *array);

/* Opacity of the pixels of `image`, [height, width] uint8, into `view`; its data is NULL for None. A new reference that
 * must outlive the view, or NULL for None or with ValueError. */
PyArrayObject *sonic_py_alpha(sonic_image *view, PyObject *object, PyArrayObject *image);

/* Adapter for sonic_progress_fn: `context` is a Python callable or None, called with (done, total) under the GIL; a
 * true result or an exception cancels the job. */
int sonic_py_progress(void *context, int64_t done, int64_t total);

extern PyMethodDef sonic_py_core_methods[];
extern PyMethodDef sonic_py_operator_methods[];
extern PyMethodDef sonic_py_random_methods[];
extern PyMethodDef sonic_py_audio_methods[];
extern PyMethodDef sonic_py_face_methods[];
extern PyMethodDef sonic_py_draft_voice_methods[];
extern PyMethodDef sonic_py_draft_render_methods[];
extern PyMethodDef sonic_py_dub_methods[];
extern PyMethodDef sonic_py_sampler_methods[];
extern PyMethodDef sonic_py_progress_methods[];
extern PyMethodDef sonic_py_event_methods[];
extern PyMethodDef sonic_py_gate_methods[];
extern PyMethodDef sonic_py_lipsync_methods[];
extern PyMethodDef sonic_py_smooth_methods[];
extern PyMethodDef sonic_py_matting_methods[];
extern PyMethodDef sonic_py_repair_methods[];
extern PyMethodDef sonic_py_kernels_methods[];
extern PyMethodDef sonic_py_watermark_methods[];

#endif
