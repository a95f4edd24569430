/* Normal noise from an explicit generator. */
#include <stdlib.h>

#include "bindings/binding.h"
#include "torch/random.h"

static const char NAME[] = "sonic_generator";

static void free_generator(PyObject *capsule) { free(PyCapsule_GetPointer(capsule, NAME)); }

static PyObject *generator_of_seed(PyObject *self, PyObject *number)
{
    (void)self;
    uint64_t seed = PyLong_AsUnsignedLongLongMask(number);
    if (PyErr_Occurred())
        return NULL;
    sonic_generator *generator = malloc(sizeof *generator);
    if (!generator)
        return PyErr_NoMemory();
    sonic_generator_seed(generator, seed);
    PyObject *capsule = PyCapsule_New(generator, NAME, free_generator);
    if (!capsule)
        free(generator);
    return capsule;
}

static PyObject *normal(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *capsule;
    npy_intp count;
    if (!PyArg_ParseTuple(args, "On", &capsule, &count))
        return NULL;
    sonic_generator *generator = PyCapsule_GetPointer(capsule, NAME);
    if (!generator)
        return NULL;
    if (count < 0)
        return PyErr_Format(PyExc_ValueError, "Ask for no fewer than 0 values: %zd were asked for.", (Py_ssize_t)count);
    PyObject *out = PyArray_SimpleNew(1, &count, NPY_FLOAT32);
    if (!out)
        return NULL;
    /* Two threads that draw from one generator at once get the same values, and nothing worse */
    sonic_generator own = *generator;
    Py_BEGIN_ALLOW_THREADS sonic_generator_normal(PyArray_DATA((PyArrayObject *)out), count, &own);
    Py_END_ALLOW_THREADS *generator = own;
    return out;
}

PyMethodDef sonic_py_random_methods[] = {
    {"generator", generator_of_seed, METH_O,
     "generator(seed) -> generator of random numbers\n\n"
     "The seed counts as in torch.Generator().manual_seed(seed). A generator goes on where the last draw ended."},
    {"normal", normal, METH_VARARGS,
     "normal(generator, count) -> float32[count]\n\n"
     "The next values of torch.randn(count, generator=...) on the CPU (csrc/torch/random.h)."},
    {NULL, NULL, 0, NULL},
};
