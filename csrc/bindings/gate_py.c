/* The quality gate for Python: evidence as dicts of numbers, likelihood tables as a capsule. */
#include "gate/evidence.h"
#include "gate/fields.h"
#include "gate/jpeg.h"
#include "bindings/binding.h"

static const char *const tables_name = "sonic_gate_tables";

/* The capsule's destructor. */
static void free_tables(PyObject *capsule) { sonic_likelihood_free(PyCapsule_GetPointer(capsule, tables_name)); }

/* A capsule with the likelihood tables. */
static PyObject *gate_tables(PyObject *self, PyObject *none)
{
    (void)self, (void)none;
    sonic_likelihood *tables;
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_likelihood_create(&tables);
    Py_END_ALLOW_THREADS
    if (status)
        return sonic_py_raise(status);
    PyObject *capsule = PyCapsule_New(tables, tables_name, free_tables);
    if (!capsule)
        sonic_likelihood_free(tables);
    return capsule;
}

/* Adds one number to a dict; -1 with an exception. */
static int add_number(const char *key, double number, void *dict)
{
    PyObject *value = PyFloat_FromDouble(number);
    const int result = value ? PyDict_SetItemString(dict, key, value) : -1;
    Py_XDECREF(value);
    return result;
}

/* {key: number} of all fields of a struct; NULL with an exception. */
static PyObject *fields_dict(const void *object, const sonic_field *fields)
{
    PyObject *dict = PyDict_New();
    if (dict && sonic_fields_visit(object, fields, add_number, dict))
        Py_CLEAR(dict);
    return dict;
}

/* A new reference to the heat map of the image, one value for each tile; NULL for None or with an exception. */
static PyArrayObject *heat_output(PyObject *object, PyArrayObject *image)
{
    if (object == Py_None)
        return NULL;
    PyArrayObject *heat = sonic_py_output(object, NPY_UINT8, 2, "heat");
    npy_intp rows = PyArray_DIM(image, 0) / SONIC_REGION_TILE_PX,
             columns = PyArray_DIM(image, 1) / SONIC_REGION_TILE_PX;
    if (heat && (PyArray_DIM(heat, 0) != rows || PyArray_DIM(heat, 1) != columns)) {
        PyErr_Format(PyExc_ValueError, "Give heat as [%zd, %zd], one value for each %d x %d pixels", (Py_ssize_t)rows,
                     (Py_ssize_t)columns, SONIC_REGION_TILE_PX, SONIC_REGION_TILE_PX);
        Py_CLEAR(heat);
    }
    return heat;
}

/* Measures one image without the GIL. */
static PyObject *gate_evidence(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *capsule, *image_object, *heat_object = Py_None, *alpha_object = Py_None;
    int box[4] = {0, 0, 0, 0};
    if (!PyArg_ParseTuple(args, "OO|(iiii)OO:gate_evidence", &capsule, &image_object, &box[0], &box[1], &box[2],
                          &box[3], &heat_object, &alpha_object))
        return NULL;
    const sonic_likelihood *tables =
        PyCapsule_IsValid(capsule, tables_name) ? PyCapsule_GetPointer(capsule, tables_name) : NULL;
    if (!tables)
        return PyErr_Format(PyExc_TypeError, "Give the tables that gate_tables returned");
    PyArrayObject *image = sonic_py_array(image_object, NPY_UINT8, 3, "image");
    PyArrayObject *heat = image ? heat_output(heat_object, image) : NULL;
    sonic_image opacity = {0};
    PyArrayObject *alpha = image && !PyErr_Occurred() ? sonic_py_alpha(&opacity, alpha_object, image) : NULL;
    if (!image || PyErr_Occurred()) {
        Py_XDECREF(image);
        Py_XDECREF(heat);
        return NULL;
    }
    const sonic_box face = {box[0], box[1], box[2], box[3]};
    sonic_evidence evidence;
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status =
        sonic_evidence_read(&evidence, tables, sonic_py_image(image), opacity, face, heat ? PyArray_DATA(heat) : NULL);
    Py_END_ALLOW_THREADS
    Py_DECREF(image);
    Py_XDECREF(alpha);
    Py_XDECREF(heat);
    return status ? sonic_py_raise(status) : fields_dict(&evidence, sonic_evidence_fields);
}

/* Facts of a JPEG file (csrc/gate/jpeg.h) as a dict. */
static PyObject *gate_jpeg(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *bytes;
    char *data;
    Py_ssize_t size;
    int with_coefficients = 1;
    if (!PyArg_ParseTuple(args, "O|p:gate_jpeg", &bytes, &with_coefficients) ||
        PyBytes_AsStringAndSize(bytes, &data, &size) < 0)
        return NULL;
    sonic_jpeg_facts facts;
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_jpeg_read(&facts, (const uint8_t *)data, (size_t)size, with_coefficients);
    Py_END_ALLOW_THREADS
    return status ? sonic_py_raise(status) : fields_dict(&facts, sonic_jpeg_facts_fields);
}

PyMethodDef sonic_py_gate_methods[] = {
    {"gate_tables", gate_tables, METH_NOARGS,
     "gate_tables() -> tables for gate_evidence, for any number of images and threads"},
    {"gate_evidence", gate_evidence, METH_VARARGS,
     "gate_evidence(tables, image u8[H,W,3], face (x0, y0, x1, y1) = none, heat u8[H/32,W/32] = None, "
     "alpha u8[H,W] = None) -> {name: float} as csrc/gate/fields.c names them; writes heat (csrc/gate/regions.h)"},
    {"gate_jpeg", gate_jpeg, METH_VARARGS,
     "gate_jpeg(bytes, coefficients=True) -> {name: float} of a JPEG file (csrc/gate/jpeg.h)"},
    {NULL, NULL, 0, NULL},
};
