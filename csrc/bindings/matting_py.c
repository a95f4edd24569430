/* Person and background for Python: the matte of a clip is a capsule; frames pass one at a time. See csrc/matting. */
#include "matting/matte.h"
#include "bindings/binding.h"

static const char *const matte_name = "sonic_matte";

static void free_capsule(PyObject *capsule) { sonic_matte_free(PyCapsule_GetPointer(capsule, matte_name)); }

/* A new matte. */
static PyObject *matte_create(PyObject *self, PyObject *args)
{
    (void)self;
    int width, height;
    if (!PyArg_ParseTuple(args, "ii:matte_create", &width, &height))
        return NULL;
    sonic_matte *matte;
    sonic_status status = sonic_matte_create(&matte, width, height);
    if (status)
        return sonic_py_raise(status);
    PyObject *capsule = PyCapsule_New(matte, matte_name, free_capsule);
    if (!capsule)
        sonic_matte_free(matte);
    return capsule;
}

/* The matte in a capsule, or NULL with an exception. */
static sonic_matte *from_capsule(PyObject *capsule)
{
    sonic_matte *matte = PyCapsule_IsValid(capsule, matte_name) ? PyCapsule_GetPointer(capsule, matte_name) : NULL;
    if (!matte)
        PyErr_Format(PyExc_TypeError, "Give a matte made by matte_create");
    return matte;
}

/* Fills the network's input. */
static PyObject *matte_see(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *capsule, *planes_object, *frame_object;
    if (!PyArg_ParseTuple(args, "OOO:matte_see", &capsule, &planes_object, &frame_object))
        return NULL;
    sonic_matte *matte = from_capsule(capsule);
    PyArrayObject *planes = matte ? sonic_py_output(planes_object, NPY_FLOAT32, 4, "planes") : NULL;
    PyArrayObject *frame = planes ? sonic_py_array(frame_object, NPY_UINT8, 3, "frame") : NULL;
    sonic_status status = SONIC_OK;
    if (frame && PyArray_SIZE(planes) != 3 * SONIC_MATTE_CELLS) {
        PyErr_Format(PyExc_ValueError, "Give planes as [1, 3, 256, 256]");
    } else if (frame) {
        Py_BEGIN_ALLOW_THREADS
        status = sonic_matte_see(PyArray_DATA(planes), matte, sonic_py_image(frame));
        Py_END_ALLOW_THREADS
    }
    Py_XDECREF(planes);
    Py_XDECREF(frame);
    if (status)
        return sonic_py_raise(status);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

/* Takes the network's output. */
static PyObject *matte_update(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *capsule, *mask_object;
    if (!PyArg_ParseTuple(args, "OO:matte_update", &capsule, &mask_object))
        return NULL;
    sonic_matte *matte = from_capsule(capsule);
    PyArrayObject *mask = matte ? sonic_py_array(mask_object, NPY_FLOAT32, 2, "mask") : NULL;
    if (!mask)
        return NULL;
    float share = 0;
    if (PyArray_SIZE(mask) != SONIC_MATTE_CELLS) {
        PyErr_Format(PyExc_ValueError, "Give the mask as [256, 256]");
    } else {
        Py_BEGIN_ALLOW_THREADS
        sonic_matte_update(&share, matte, PyArray_DATA(mask));
        Py_END_ALLOW_THREADS
    }
    Py_DECREF(mask);
    return PyErr_Occurred() ? NULL : PyFloat_FromDouble((double)share);
}

/* The frame before another background. */
static PyObject *matte_compose(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *capsule, *out_object, *frame_object, *picture_object;
    int kind, colour[3];
    if (!PyArg_ParseTuple(args, "OOOi(iii)O:matte_compose", &capsule, &out_object, &frame_object, &kind, &colour[0],
                          &colour[1], &colour[2], &picture_object))
        return NULL;
    sonic_matte *matte = from_capsule(capsule);
    PyArrayObject *out = matte ? sonic_py_output(out_object, NPY_UINT8, 3, "out") : NULL;
    PyArrayObject *frame = out ? sonic_py_array(frame_object, NPY_UINT8, 3, "frame") : NULL;
    const int has_picture = kind == SONIC_BACKDROP_PICTURE;
    PyArrayObject *picture = frame && has_picture ? sonic_py_array(picture_object, NPY_UINT8, 3, "picture") : NULL;
    sonic_status status = SONIC_OK;
    if (frame && (picture || !has_picture)) {
        sonic_backdrop backdrop = {(sonic_backdrop_kind)kind, {0}, {0}};
        for (int c = 0; c < 3; c++)
            backdrop.colour[c] = (uint8_t)colour[c];
        if (picture)
            backdrop.picture = sonic_py_image(picture);
        Py_BEGIN_ALLOW_THREADS
        status = sonic_matte_compose(sonic_py_image(out), matte, sonic_py_image(frame), &backdrop);
        Py_END_ALLOW_THREADS
    }
    Py_XDECREF(out);
    Py_XDECREF(frame);
    Py_XDECREF(picture);
    if (status)
        return sonic_py_raise(status);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef sonic_py_matting_methods[] = {
    {"matte_create", matte_create, METH_VARARGS, "matte_create(width, height) -> matte (csrc/matting/matte.h)"},
    {"matte_see", matte_see, METH_VARARGS,
     "matte_see(matte, planes f32[1,3,256,256], frame u8[H,W,3]): writes the network's input"},
    {"matte_update", matte_update, METH_VARARGS,
     "matte_update(matte, mask f32[256,256]) -> part of the frame that shows a person"},
    {"matte_compose", matte_compose, METH_VARARGS,
     "matte_compose(matte, out u8[H,W,3 or 4], frame u8[H,W,3], kind, (red, green, blue), picture u8[H,W,3] or None)"},
    {NULL, NULL, 0, NULL},
};
