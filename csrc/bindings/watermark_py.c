/* The watermark for Python: marker and reader are capsules. See csrc/watermark. */
#include "face/landmarks.h"
#include "watermark/detect.h"
#include "watermark/embed.h"
#include "bindings/binding.h"

enum { FACES_MAX = 64 };

static const char *const mark_name = "sonic_watermark", *const reader_name = "sonic_watermark_reader";

static void free_mark(PyObject *capsule) { sonic_watermark_free(PyCapsule_GetPointer(capsule, mark_name)); }

static void free_reader(PyObject *capsule) { sonic_watermark_reader_free(PyCapsule_GetPointer(capsule, reader_name)); }

/* What a capsule of this name holds, or NULL with an exception. */
static void *held(PyObject *capsule, const char *name)
{
    void *object = PyCapsule_IsValid(capsule, name) ? PyCapsule_GetPointer(capsule, name) : NULL;
    if (!object)
        PyErr_Format(PyExc_TypeError, "Give a %s", name);
    return object;
}

/* A new marker. */
static PyObject *watermark_create(PyObject *self, PyObject *args)
{
    (void)self;
    int width, height;
    unsigned long payload;
    if (!PyArg_ParseTuple(args, "iik:watermark_create", &width, &height, &payload))
        return NULL;
    sonic_watermark *mark;
    sonic_status status = sonic_watermark_create(&mark, width, height, (uint32_t)payload);
    if (status)
        return sonic_py_raise(status);
    PyObject *capsule = PyCapsule_New(mark, mark_name, free_mark);
    if (!capsule)
        sonic_watermark_free(mark);
    return capsule;
}

/* Keeps lips and eyes free. */
static PyObject *watermark_spare(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *capsule, *object;
    if (!PyArg_ParseTuple(args, "OO:watermark_spare", &capsule, &object))
        return NULL;
    sonic_watermark *mark = held(capsule, mark_name);
    PyArrayObject *meshes = mark ? sonic_py_array(object, NPY_FLOAT32, 3, "meshes") : NULL;
    if (!meshes)
        return NULL;
    const npy_intp count = PyArray_DIM(meshes, 0);
    if (PyArray_DIM(meshes, 1) != SONIC_MESH_POINTS || PyArray_DIM(meshes, 2) != 3 || count > FACES_MAX) {
        PyErr_Format(PyExc_ValueError, "Give meshes as [faces, 468, 3], of at most %d faces", (int)FACES_MAX);
        Py_DECREF(meshes);
        return NULL;
    }
    sonic_watermark_spare(mark, PyArray_DATA(meshes), (int32_t)count);
    Py_DECREF(meshes);
    Py_RETURN_NONE;
}

/* Marks a frame in place. */
static PyObject *watermark_apply(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *capsule, *object;
    if (!PyArg_ParseTuple(args, "OO:watermark_apply", &capsule, &object))
        return NULL;
    sonic_watermark *mark = held(capsule, mark_name);
    PyArrayObject *frame = mark ? sonic_py_output(object, NPY_UINT8, 3, "frame") : NULL;
    if (!frame)
        return NULL;
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_watermark_apply(mark, sonic_py_image(frame));
    Py_END_ALLOW_THREADS
    Py_DECREF(frame);
    if (status)
        return sonic_py_raise(status);
    Py_RETURN_NONE;
}

/* A new reader. */
static PyObject *watermark_reader_create(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    sonic_watermark_reader *reader;
    sonic_status status = sonic_watermark_reader_create(&reader);
    if (status)
        return sonic_py_raise(status);
    PyObject *capsule = PyCapsule_New(reader, reader_name, free_reader);
    if (!capsule)
        sonic_watermark_reader_free(reader);
    return capsule;
}

/* Adds a frame to what is read next. */
static PyObject *watermark_reader_add(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *capsule, *object;
    if (!PyArg_ParseTuple(args, "OO:watermark_reader_add", &capsule, &object))
        return NULL;
    sonic_watermark_reader *reader = held(capsule, reader_name);
    PyArrayObject *frame = reader ? sonic_py_array(object, NPY_UINT8, 3, "frame") : NULL;
    if (!frame)
        return NULL;
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_watermark_reader_add(reader, sonic_py_image(frame));
    Py_END_ALLOW_THREADS
    Py_DECREF(frame);
    if (status)
        return sonic_py_raise(status);
    Py_RETURN_NONE;
}

/* Reads the frames that were added. */
static PyObject *watermark_reader_read(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *capsule;
    int search;
    if (!PyArg_ParseTuple(args, "Op:watermark_reader_read", &capsule, &search))
        return NULL;
    sonic_watermark_reader *reader = held(capsule, reader_name);
    if (!reader)
        return NULL;
    sonic_watermark_found found;
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_watermark_reader_read(&found, reader, search != 0);
    Py_END_ALLOW_THREADS
    if (status)
        return sonic_py_raise(status);
    return Py_BuildValue("{sNsksdsdsdsd}", "found", PyBool_FromLong(found.found), "payload",
                         (unsigned long)found.payload, "pilots", (double)found.pilots, "scale", (double)found.scale,
                         "x", (double)found.x, "y", (double)found.y);
}

PyMethodDef sonic_py_watermark_methods[] = {
    {"watermark_create", watermark_create, METH_VARARGS,
     "watermark_create(width, height, payload) -> marker (csrc/watermark/embed.h)"},
    {"watermark_spare", watermark_spare, METH_VARARGS,
     "watermark_spare(marker, meshes f32[n,468,3]): keeps their lips and eyes free"},
    {"watermark_apply", watermark_apply, METH_VARARGS, "watermark_apply(marker, frame u8[H,W,3]): marks it in place"},
    {"watermark_reader_create", watermark_reader_create, METH_NOARGS,
     "watermark_reader_create() -> reader (csrc/watermark/detect.h)"},
    {"watermark_reader_add", watermark_reader_add, METH_VARARGS,
     "watermark_reader_add(reader, frame u8[H,W,3]): adds it to what is read next"},
    {"watermark_reader_read", watermark_reader_read, METH_VARARGS,
     "watermark_reader_read(reader, search) -> {name: value} of csrc/watermark/detect.h"},
    {NULL, NULL, 0, NULL},
};
