/* kernels/compile.h and kernels/launch.h; sonic_nodes/kernels.py finds the libraries and keeps the images. */
#include "bindings/binding.h"
#include "kernels/compile.h"
#include "kernels/launch.h"

/* Handle of a library as from ctypes: 0 and NULL raise. */
static void *handle_of(PyObject *number)
{
    void *handle = PyLong_AsVoidPtr(number);
    if (!handle && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "Give the handle of an open library.");
    return handle;
}

static PyObject *done(sonic_status status)
{
    if (status)
        return sonic_py_raise(status);
    Py_RETURN_NONE;
}

static PyObject *kernels_use_driver(PyObject *self, PyObject *argument)
{
    (void)self;
    void *library = handle_of(argument);
    return library ? done(sonic_kernels_use_driver(library)) : NULL;
}

static PyObject *kernels_load(PyObject *self, PyObject *args)
{
    (void)self;
    sonic_device device;
    int value;
    const char *data;
    Py_ssize_t bytes;
    if (!PyArg_ParseTuple(args, "iiiy#", &device.type, &device.index, &value, &data, &bytes))
        return NULL;
    return done(sonic_kernels_load(device, (sonic_dtype)value, data));
}

static PyObject *kernels_unload(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    sonic_kernels_unload();
    Py_RETURN_NONE;
}

static PyObject *kernels_are_loaded(PyObject *self, PyObject *args)
{
    (void)self;
    sonic_device device;
    int value;
    if (!PyArg_ParseTuple(args, "iii", &device.type, &device.index, &value))
        return NULL;
    return PyBool_FromLong(sonic_kernels_are_loaded(device, (sonic_dtype)value));
}

static PyObject *kernels_launches(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    PyObject *counts = PyDict_New();
    for (int k = 0; counts && k < SONIC_KERNEL_COUNT; k++) {
        PyObject *count = PyLong_FromLongLong(sonic_kernel_launches((sonic_kernel)k));
        if (!count || PyDict_SetItemString(counts, sonic_kernel_name((sonic_kernel)k), count) < 0)
            Py_CLEAR(counts);
        Py_XDECREF(count);
    }
    return counts;
}

static PyObject *kernels_compile(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *number;
    const char *architecture;
    int value;
    sonic_kernel_image image;
    sonic_status status;
    if (!PyArg_ParseTuple(args, "Osi", &number, &architecture, &value))
        return NULL;
    void *library = handle_of(number);
    if (!library)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_kernels_compile(library, architecture, value, &image);
    Py_END_ALLOW_THREADS
    PyObject *result = NULL;
    if (!status)
        result = Py_BuildValue("y#N", (const char *)image.data, (Py_ssize_t)image.bytes,
                               sonic_py_text(image.log ? image.log : ""));
    else if (image.log) {
        PyObject *text = PyUnicode_FromFormat("%s\n%s", sonic_last_error(), image.log);
        if (text)
            PyErr_SetObject(PyExc_RuntimeError, text);
        Py_XDECREF(text);
    } else
        sonic_py_raise(status);
    sonic_kernel_image_free(&image);
    return result;
}

static PyObject *kernels_compiler_version(PyObject *self, PyObject *argument)
{
    (void)self;
    int32_t major, minor;
    void *library = handle_of(argument);
    if (!library)
        return NULL;
    sonic_status status = sonic_kernels_compiler_version(library, &major, &minor);
    return status ? sonic_py_raise(status) : Py_BuildValue("ii", (int)major, (int)minor);
}

static PyObject *kernels_source(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    PyObject *text = PyUnicode_FromString("");
    for (int32_t part = 0; text && sonic_kernels_source(part); part++) {
        PyObject *joined = PyUnicode_FromFormat("%U%s", text, sonic_kernels_source(part));
        Py_DECREF(text);
        text = joined;
    }
    return text;
}

PyMethodDef sonic_py_kernels_methods[] = {
    {"kernels_use_driver", kernels_use_driver, METH_O,
     "kernels_use_driver(handle)\n\nThe driver's library that launches kernels; loaded kernels are forgotten."},
    {"kernels_load", kernels_load, METH_VARARGS,
     "kernels_load(device_type, device_index, dtype, image)\n\n"
     "Loads what kernels_compile made; dtype: 0 float32, 1 float16, 2 bfloat16."},
    {"kernels_unload", kernels_unload, METH_NOARGS, "kernels_unload()\n\nPyTorch's operators compute from now on."},
    {"kernels_are_loaded", kernels_are_loaded, METH_VARARGS,
     "kernels_are_loaded(device_type, device_index, dtype) -> bool"},
    {"kernels_launches", kernels_launches, METH_NOARGS, "kernels_launches() -> {kernel: launches in this process}"},
    {"kernels_compile", kernels_compile, METH_VARARGS,
     "kernels_compile(handle, architecture, dtype) -> (image, log)\n\nhandle: of NVRTC's library; architecture: "
     "sm_86."},
    {"kernels_compiler_version", kernels_compiler_version, METH_O,
     "kernels_compiler_version(handle) -> (major, minor)"},
    {"kernels_source", kernels_source, METH_NOARGS, "kernels_source() -> the whole source of the kernels"},
    {NULL, NULL, 0, NULL},
};
