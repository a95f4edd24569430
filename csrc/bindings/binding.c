#define SONIC_IMPORT_ARRAY /* binding.h: NumPy's function table is defined here */
#include "bindings/binding.h"

#include <string.h>

/* import_array1 returns from the function that holds it. */
int sonic_py_import_numpy(void)
{
    import_array1(-1);
    return 0;
}

PyObject *sonic_py_text(const char *text) { return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace"); }

PyObject *sonic_py_error(PyObject *type, const char *text)
{
    PyObject *message = sonic_py_text(text);
    if (message)
        PyErr_SetObject(type, message);
    Py_XDECREF(message);
    return NULL;
}

PyObject *sonic_py_raise(sonic_status status)
{
    if (PyErr_Occurred())
        return NULL;
    PyObject *kind = PyExc_RuntimeError;
    if (status == SONIC_ERROR_ARGUMENT || status == SONIC_ERROR_SHAPE || status == SONIC_ERROR_FORMAT)
        kind = PyExc_ValueError;
    else if (status == SONIC_ERROR_MEMORY)
        kind = PyExc_MemoryError;
    return sonic_py_error(kind, sonic_last_error());
}

/* 0, or -1 with ValueError when the array has another number of dimensions (`dimensions` -1: any). */
static int check_dimensions(PyArrayObject *array, int dimensions, const char *name)
{
    if (dimensions < 0 || PyArray_NDIM(array) == dimensions)
        return 0;
    PyErr_Format(PyExc_ValueError, "%s needs %d dimensions, it has %d", name, dimensions, PyArray_NDIM(array));
    return -1;
}

PyArrayObject *sonic_py_array(PyObject *object, int type, int dimensions, const char *name)
{
    PyArrayObject *array = (PyArrayObject *)PyArray_FROM_OTF(object, type, NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED);
    if (!array) {
        if (!PyErr_ExceptionMatches(PyExc_MemoryError))
            PyErr_Format(PyExc_ValueError, "%s cannot be read as an array of the type that is needed", name);
        return NULL;
    }
    if (check_dimensions(array, dimensions, name) < 0) {
        Py_DECREF(array);
        return NULL;
    }
    return array;
}

PyArrayObject *sonic_py_output(PyObject *object, int type, int dimensions, const char *name)
{
    PyArrayObject *array = (PyArrayObject *)object;
    if (!PyArray_Check(object) || PyArray_TYPE(array) != type || !PyArray_IS_C_CONTIGUOUS(array) ||
        !PyArray_ISBEHAVED(array)) {
        PyErr_Format(PyExc_ValueError, "%s must be a writable C-contiguous array of the type that is needed", name);
        return NULL;
    }
    if (check_dimensions(array, dimensions, name) < 0)
        return NULL;
    Py_INCREF(object);
    return array;
}

sonic_image sonic_py_image(PyArrayObject *array)
{
    const npy_intp *shape = PyArray_DIMS(array);
    sonic_image image = {PyArray_DATA(array), (int32_t)shape[1], (int32_t)shape[0], (int32_t)shape[2],
                         (ptrdiff_t)(shape[1] * shape[2])};
    return image;
}

PyArrayObject *sonic_py_alpha(sonic_image *view, PyObject *object, PyArrayObject *image)
{
    memset(view, 0, sizeof *view);
    PyArrayObject *alpha = object == Py_None ? NULL : sonic_py_array(object, NPY_UINT8, 2, "alpha");
    if (!alpha)
        return NULL;
    const npy_intp *shape = PyArray_DIMS(alpha), *expected = PyArray_DIMS(image);
    if (shape[0] != expected[0] || shape[1] != expected[1]) {
        PyErr_Format(PyExc_ValueError, "Give alpha of the image's size, [%zd, %zd]", (Py_ssize_t)expected[0],
                     (Py_ssize_t)expected[1]);
        Py_DECREF(alpha);
        return NULL;
    }
    *view = (sonic_image){PyArray_DATA(alpha), (int32_t)shape[1], (int32_t)shape[0], 1, (ptrdiff_t)shape[1]};
    return alpha;
}

int sonic_py_progress(void *context, int64_t done, int64_t total)
{
    PyObject *callable = context;
    if (!callable || callable == Py_None)
        return 0;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *result = PyObject_CallFunction(callable, "LL", (long long)done, (long long)total);
    int cancel = result ? PyObject_IsTrue(result) : 1;
    Py_XDECREF(result);
    PyGILState_Release(gil);
    return cancel != 0;
}
