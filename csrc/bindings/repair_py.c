/* Repair of JPEG artefacts for Python. */
#include <string.h>

#include "gate/evidence.h"
#include "gate/quality.h"
#include "repair/change.h"
#include "repair/jpeg.h"
#include "repair/pixels.h"
#include "bindings/binding.h"

/* Decodes and repairs a file into an array of its size. */
static PyObject *repair_jpeg(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *bytes, *rgb_object;
    char *data;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "OO:repair_jpeg", &bytes, &rgb_object) ||
        PyBytes_AsStringAndSize(bytes, &data, &size) < 0)
        return NULL;
    PyArrayObject *rgb = sonic_py_output(rgb_object, NPY_UINT8, 3, "rgb");
    if (!rgb)
        return NULL;
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_repair_jpeg(sonic_py_image(rgb), (const uint8_t *)data, (size_t)size);
    Py_END_ALLOW_THREADS
    Py_DECREF(rgb);
    if (status)
        return sonic_py_raise(status);
    Py_RETURN_NONE;
}

/* 64 steps, [vertical frequency][horizontal], 1 to 65535 each; -1 with an exception. */
static int read_steps(float steps[64], PyObject *object)
{
    PyArrayObject *array = sonic_py_array(object, NPY_FLOAT32, 2, "steps");
    if (!array)
        return -1;
    int wrong = PyArray_DIM(array, 0) != 8 || PyArray_DIM(array, 1) != 8;
    for (int k = 0; k < 64 && !wrong; k++) {
        steps[k] = ((const float *)PyArray_DATA(array))[k];
        wrong = !(steps[k] >= 1 && steps[k] <= 65535);
    }
    Py_DECREF(array);
    if (wrong)
        PyErr_SetString(PyExc_ValueError, "Give steps as [8, 8], each from 1 to 65535");
    return wrong ? -1 : 0;
}

/* Writes the place of the grid; -1 with an exception. */
static int read_offset(sonic_repair_grid *grid, int grid_offset)
{
    grid->row_px = grid_offset / 8;
    grid->column_px = grid_offset % 8;
    if (grid_offset >= 0 && grid_offset <= 63)
        return 0;
    PyErr_Format(PyExc_ValueError, "Give grid_offset from 0 to 63: it is %d", grid_offset);
    return -1;
}

/* Writes place and steps of the grid; -1 with an exception. */
static int read_grid(sonic_repair_grid *grid, PyObject *steps, int grid_offset)
{
    return read_offset(grid, grid_offset) < 0 ? -1 : read_steps(grid->steps, steps);
}

/* A new reference to the array behind *pixels, u8 or float [height, width, 3]; NULL with an exception. */
static PyArrayObject *read_pixels(sonic_pixels *pixels, PyObject *object)
{
    const int is_float = PyArray_Check(object) && PyArray_TYPE((PyArrayObject *)object) == NPY_FLOAT32;
    PyArrayObject *rgb = sonic_py_output(object, is_float ? NPY_FLOAT32 : NPY_UINT8, 3, "rgb");
    if (!rgb)
        return NULL;
    const npy_intp *shape = PyArray_DIMS(rgb);
    if (shape[2] != 3 || shape[0] < 1 || shape[1] < 1 || shape[0] > SONIC_EVIDENCE_SIDE_MAX ||
        shape[1] > SONIC_EVIDENCE_SIDE_MAX || shape[0] * shape[1] > SONIC_EVIDENCE_PIXELS_MAX) {
        PyErr_Format(PyExc_ValueError, "Give rgb as [height, width, 3], at most %d a side and %d million pixels",
                     SONIC_EVIDENCE_SIDE_MAX, SONIC_EVIDENCE_PIXELS_MAX / 1000000);
        Py_CLEAR(rgb);
        return NULL;
    }
    *pixels = (sonic_pixels){is_float ? NULL : PyArray_DATA(rgb), is_float ? PyArray_DATA(rgb) : NULL,
                             (int32_t)shape[1], (int32_t)shape[0]};
    return rgb;
}

/* Writes a standard table. */
static PyObject *repair_standard_table(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *object;
    int quality, component;
    if (!PyArg_ParseTuple(args, "Oii:repair_standard_table", &object, &quality, &component))
        return NULL;
    PyArrayObject *steps = sonic_py_output(object, NPY_FLOAT32, 2, "steps");
    if (!steps)
        return NULL;
    const int fits =
        PyArray_DIM(steps, 0) == 8 && PyArray_DIM(steps, 1) == 8 && quality >= 1 && quality <= SONIC_QUALITY_MAX;
    for (int32_t k = 0; k < 64 && fits; k++)
        ((float *)PyArray_DATA(steps))[k] = (float)sonic_quality_step(quality, component, k);
    Py_DECREF(steps);
    if (!fits)
        return PyErr_Format(PyExc_ValueError, "Give steps as [8, 8] and quality from 1 to %d", SONIC_QUALITY_MAX);
    Py_RETURN_NONE;
}

/* How well luma fits a grid. */
static PyObject *repair_quant_fit(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *rgb_object, *steps;
    sonic_repair_grid luma;
    sonic_pixels pixels;
    int grid_offset;
    if (!PyArg_ParseTuple(args, "OOi:repair_quant_fit", &rgb_object, &steps, &grid_offset) ||
        read_grid(&luma, steps, grid_offset) < 0)
        return NULL;
    PyArrayObject *rgb = read_pixels(&pixels, rgb_object);
    if (!rgb)
        return NULL;
    double fit = 0;
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_pixels_fit(&fit, &pixels, &luma);
    Py_END_ALLOW_THREADS
    Py_DECREF(rgb);
    return status ? sonic_py_raise(status) : PyFloat_FromDouble(fit);
}

/* Estimates the luma table of a grid from the pixels. */
static PyObject *repair_estimate_table(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *rgb_object, *steps_object;
    sonic_pixels pixels;
    sonic_repair_grid luma = {{0}, 0, 0};
    int grid_offset;
    if (!PyArg_ParseTuple(args, "OOi:repair_estimate_table", &steps_object, &rgb_object, &grid_offset) ||
        read_offset(&luma, grid_offset) < 0)
        return NULL;
    PyArrayObject *steps = sonic_py_output(steps_object, NPY_FLOAT32, 2, "steps");
    if (!steps)
        return NULL;
    if (PyArray_SIZE(steps) != 64) {
        Py_DECREF(steps);
        return PyErr_Format(PyExc_ValueError, "Give steps as [8, 8]");
    }
    PyArrayObject *rgb = read_pixels(&pixels, rgb_object);
    sonic_status status = SONIC_OK;
    int32_t known = 0;
    if (rgb) {
        Py_BEGIN_ALLOW_THREADS
        status = sonic_pixels_estimate_table(&known, &luma, &pixels);
        Py_END_ALLOW_THREADS
        memcpy(PyArray_DATA(steps), luma.steps, sizeof luma.steps);
    }
    Py_DECREF(steps);
    Py_XDECREF(rgb);
    if (!rgb)
        return NULL;
    return status ? sonic_py_raise(status) : PyLong_FromLong(known);
}

/* Repairs pixels in place. */
static PyObject *repair_pixels(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *rgb_object, *steps, *chroma_object;
    sonic_repair_grid luma;
    sonic_pixels pixels;
    sonic_pixels_repair report;
    float chroma_steps[64];
    int grid_offset;
    if (!PyArg_ParseTuple(args, "OOOi:repair_pixels", &rgb_object, &steps, &chroma_object, &grid_offset) ||
        read_grid(&luma, steps, grid_offset) < 0 || read_steps(chroma_steps, chroma_object) < 0)
        return NULL;
    PyArrayObject *rgb = read_pixels(&pixels, rgb_object);
    if (!rgb)
        return NULL;
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_repair_pixels(&report, &pixels, &luma, chroma_steps);
    Py_END_ALLOW_THREADS
    Py_DECREF(rgb);
    if (status)
        return sonic_py_raise(status);
    return Py_BuildValue("dd(ii)", report.fit, report.chroma.fit, report.chroma.across, report.chroma.down);
}

/* Mean square of the luma difference of two images. */
static PyObject *repair_change(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *before_object, *after_object;
    double change = -1;
    if (!PyArg_ParseTuple(args, "OO:repair_change", &before_object, &after_object))
        return NULL;
    PyArrayObject *before = sonic_py_array(before_object, NPY_UINT8, 3, "before");
    PyArrayObject *after = before ? sonic_py_array(after_object, NPY_UINT8, 3, "after") : NULL;
    if (after && PyArray_SAMESHAPE(before, after) && PyArray_DIM(before, 2) == 3)
        change = sonic_repair_change(PyArray_DATA(before), PyArray_DATA(after), PyArray_SIZE(before) / 3);
    else if (after)
        PyErr_SetString(PyExc_ValueError, "Give both pictures as [height, width, 3] of the same size");
    Py_XDECREF(before);
    Py_XDECREF(after);
    return change < 0 ? NULL : PyFloat_FromDouble(change);
}

PyMethodDef sonic_py_repair_methods[] = {
    {"repair_jpeg", repair_jpeg, METH_VARARGS,
     "repair_jpeg(bytes, rgb u8[H,W,3]): decodes and repairs a file into rgb (csrc/repair/jpeg.h)"},
    {"repair_standard_table", repair_standard_table, METH_VARARGS,
     "repair_standard_table(steps f32[8,8], quality, component): writes [vertical frequency][horizontal] steps; "
     "component 0 is luma"},
    {"repair_quant_fit", repair_quant_fit, METH_VARARGS,
     "repair_quant_fit(rgb u8[H,W,3] or f32[H,W,3] of 0..1, steps[8,8], grid_offset) -> 0..1: how well luma fits that "
     "grid (csrc/repair/quant_fit.h)"},
    {"repair_estimate_table", repair_estimate_table, METH_VARARGS,
     "repair_estimate_table(steps f32[8,8], rgb, grid_offset) -> number of known steps; writes steps "
     "(csrc/repair/table_estimate.h)"},
    {"repair_change", repair_change, METH_VARARGS,
     "repair_change(before u8[H,W,3], after u8[H,W,3]) -> mean square of their luma difference (csrc/repair/change.h)"},
    {"repair_pixels", repair_pixels, METH_VARARGS,
     "repair_pixels(rgb, steps[8,8], chroma_steps[8,8], grid_offset) -> (fit of luma, fit of chroma, (across, down)), "
     "in place (csrc/repair/pixels.h)"},
    {NULL, NULL, 0, NULL},
};
