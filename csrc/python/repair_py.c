/* Repair of compressed pictures for Python. */
#include "gate/repair_jpeg.h"
#include "gate/repair_pixels.h"
#include "python/binding.h"

static PyObject *repair_jpeg(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *bytes, *rgb_object;
    char *data;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "OO:repair_jpeg", &bytes, &rgb_object) || PyBytes_AsStringAndSize(bytes, &data, &size) < 0)
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

/* 64 steps, [vertical frequency][horizontal], between 1 and 65535. */
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

static PyObject *repair_pixels(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *rgb_object, *steps_object;
    sonic_repair_grid luma;
    int phase;
    if (!PyArg_ParseTuple(args, "OOi:repair_pixels", &rgb_object, &steps_object, &phase) || read_steps(luma.steps, steps_object) < 0)
        return NULL;
    if (phase < 0 || phase > 63)
        return PyErr_Format(PyExc_ValueError, "Give phase from 0 to 63: it is %d", phase);
    luma.row_px = phase / 8;
    luma.column_px = phase % 8;
    int is_float = PyArray_Check(rgb_object) && PyArray_TYPE((PyArrayObject *)rgb_object) == NPY_FLOAT32;
    PyArrayObject *rgb = sonic_py_output(rgb_object, is_float ? NPY_FLOAT32 : NPY_UINT8, 3, "rgb");
    if (!rgb)
        return NULL;
    if (PyArray_DIM(rgb, 2) != 3 || PyArray_DIM(rgb, 0) < 1 || PyArray_DIM(rgb, 1) < 1 || PyArray_DIM(rgb, 0) > 32767 || PyArray_DIM(rgb, 1) > 32767) {
        Py_DECREF(rgb);
        return PyErr_Format(PyExc_ValueError, "Give rgb as [height, width, 3], of at most 32767 a side");
    }
    sonic_pixels pixels = {is_float ? NULL : PyArray_DATA(rgb), is_float ? PyArray_DATA(rgb) : NULL, (int32_t)PyArray_DIM(rgb, 1), (int32_t)PyArray_DIM(rgb, 0)};
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_repair_pixels(&pixels, &luma);
    Py_END_ALLOW_THREADS
    Py_DECREF(rgb);
    if (status)
        return sonic_py_raise(status);
    Py_RETURN_NONE;
}

PyMethodDef sonic_py_repair_methods[] = {
    {"repair_jpeg", repair_jpeg, METH_VARARGS, "repair_jpeg(bytes, rgb u8[H,W,3]): decoded and repaired into rgb (csrc/gate/repair_jpeg.h)"},
    {"repair_pixels", repair_pixels, METH_VARARGS,
     "repair_pixels(rgb u8[H,W,3] or f32[H,W,3] of 0..1, steps[8,8], phase): in place (csrc/gate/repair_pixels.h)"},
    {NULL, NULL, 0, NULL},
};
