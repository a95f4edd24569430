/* Normal noise from an explicit generator. */
#include <stdlib.h>

#include "bindings/binding.h"
#include "torch/random.h"

static const char NAME[] = "sonic_generator";

/* Runs when Python frees the generator. */
static void free_generator(PyObject *capsule) { free(PyCapsule_GetPointer(capsule, NAME)); }

/* seed -> generator, a capsule. */
static PyObject *generator_create(PyObject *self, PyObject *number)
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

/* (generator, count) -> float32 [count]. */
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
        return PyErr_Format(PyExc_ValueError, "Ask for no fewer than 0 values: %zd is negative.", (Py_ssize_t)count);
    PyObject *out = PyArray_SimpleNew(1, &count, NPY_FLOAT32);
    if (!out)
        return NULL;
    /* Two threads that use one generator at once may draw the same values; there is no other harm. */
    sonic_generator copy = *generator;
    Py_BEGIN_ALLOW_THREADS
    sonic_generator_normal(PyArray_DATA((PyArrayObject *)out), count, &copy);
    Py_END_ALLOW_THREADS
    *generator = copy;
    return out;
}

PyMethodDef sonic_py_random_methods[] = {
    {"generator", generator_create, METH_O,
     "generator(seed) -> generator of random numbers\n\n"
     "The seed means the same as in torch.Generator().manual_seed(seed). Each draw continues where the last one "
     "ended."},
    {"normal", normal, METH_VARARGS,
     "normal(generator, count) -> float32[count]\n\n"
     "The next values of torch.randn(count, generator=...) on the CPU (csrc/torch/random.h)."},
    {NULL, NULL, 0, NULL},
};
