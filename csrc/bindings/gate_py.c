/* The quality gate for Python: evidence as dicts of numbers, the tables of likelihoods as a capsule. */
#include "gate/region_map.h"
#include "gate/evidence.h"
#include "gate/jpeg.h"
#include "bindings/binding.h"

static const char *const tables_name = "sonic_gate_tables";

static void free_tables(PyObject *capsule) { sonic_likelihood_free(PyCapsule_GetPointer(capsule, tables_name)); }

static PyObject *gate_tables(PyObject *self, PyObject *none)
{
    (void)self, (void)none;
    sonic_likelihood *tables;
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS status = sonic_likelihood_create(&tables);
    Py_END_ALLOW_THREADS if (status) return sonic_py_raise(status);
    PyObject *capsule = PyCapsule_New(tables, tables_name, free_tables);
    if (!capsule)
        sonic_likelihood_free(tables);
    return capsule;
}

typedef struct named {
    const char *name;
    double value;
} named;

static PyObject *dict_of(const named *numbers, size_t count)
{
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict && i < count; i++) {
        PyObject *value = PyFloat_FromDouble(numbers[i].value);
        if (!value || PyDict_SetItemString(dict, numbers[i].name, value) < 0)
            Py_CLEAR(dict);
        Py_XDECREF(value);
    }
    return dict;
}

static PyObject *evidence_dict(const sonic_evidence *evidence)
{
#define NAMED(field) {#field, evidence->field},
    const named numbers[] = {SONIC_EVIDENCE_FIELDS(NAMED)};
#undef NAMED
    return dict_of(numbers, sizeof numbers / sizeof *numbers);
}

/* A new reference to the map to be written, of the size that belongs to the picture; NULL without one or with an
 * exception. */
static PyArrayObject *heat_output(PyObject *object, PyArrayObject *image)
{
    if (object == Py_None)
        return NULL;
    PyArrayObject *heat = sonic_py_output(object, NPY_UINT8, 2, "heat");
    npy_intp rows = PyArray_DIM(image, 0) / SONIC_CELL_PX, columns = PyArray_DIM(image, 1) / SONIC_CELL_PX;
    if (heat && (PyArray_DIM(heat, 0) != rows || PyArray_DIM(heat, 1) != columns)) {
        PyErr_Format(PyExc_ValueError, "Give heat as [%zd, %zd], a value for each %d x %d pixels", (Py_ssize_t)rows,
                     (Py_ssize_t)columns, SONIC_CELL_PX, SONIC_CELL_PX);
        Py_CLEAR(heat);
    }
    return heat;
}

static PyObject *gate_evidence(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *capsule, *image_object, *heat_object = Py_None;
    int box[4] = {0, 0, 0, 0};
    if (!PyArg_ParseTuple(args, "OO|(iiii)O:gate_evidence", &capsule, &image_object, &box[0], &box[1], &box[2], &box[3],
                          &heat_object))
        return NULL;
    const sonic_likelihood *tables =
        PyCapsule_IsValid(capsule, tables_name) ? PyCapsule_GetPointer(capsule, tables_name) : NULL;
    if (!tables)
        return PyErr_Format(PyExc_TypeError, "Give tables made by gate_tables");
    PyArrayObject *image = sonic_py_array(image_object, NPY_UINT8, 3, "image");
    PyArrayObject *heat = image ? heat_output(heat_object, image) : NULL;
    if (!image || PyErr_Occurred()) {
        Py_XDECREF(image);
        return NULL;
    }
    const sonic_box face = {box[0], box[1], box[2], box[3]};
    sonic_evidence evidence;
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS status =
        sonic_evidence_read(&evidence, tables, sonic_py_image(image), face, heat ? PyArray_DATA(heat) : NULL);
    Py_END_ALLOW_THREADS Py_DECREF(image);
    Py_XDECREF(heat);
    return status ? sonic_py_raise(status) : evidence_dict(&evidence);
}

static PyObject *facts_dict(const sonic_jpeg_facts *f)
{
    const named numbers[] = {
        {"width_px", f->width_px},
        {"height_px", f->height_px},
        {"components", f->components},
        {"luma_quality", f->luma_quality},
        {"luma_standard", f->luma_standard},
        {"chroma_quality", f->chroma_quality},
        {"chroma_standard", f->chroma_standard},
        {"horizontal", f->horizontal},
        {"vertical", f->vertical},
        {"progressive", f->progressive},
        {"scans", f->scans},
        {"warnings", f->warnings},
        {"coefficients", f->coefficients},
        {"earlier_quality", f->earlier_quality},
        {"earlier_likelihood", f->earlier_likelihood},
    };
    return dict_of(numbers, sizeof numbers / sizeof *numbers);
}

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
    Py_BEGIN_ALLOW_THREADS status = sonic_jpeg_read(&facts, (const uint8_t *)data, (size_t)size, with_coefficients);
    Py_END_ALLOW_THREADS return status ? sonic_py_raise(status) : facts_dict(&facts);
}

PyMethodDef sonic_py_gate_methods[] = {
    {"gate_tables", gate_tables, METH_NOARGS,
     "gate_tables() -> tables for gate_evidence; made once, used from any thread"},
    {"gate_evidence", gate_evidence, METH_VARARGS,
     "gate_evidence(tables, image u8[H,W,3], face (x0, y0, x1, y1) = none, heat u8[H/32,W/32] = None) -> {name: float} "
     "of csrc/gate/evidence.h; heat is "
     "written as csrc/gate/region_map.h says"},
    {"gate_jpeg", gate_jpeg, METH_VARARGS, "gate_jpeg(bytes, coefficients=True) -> {name: float} of csrc/gate/jpeg.h"},
    {NULL, NULL, 0, NULL},
};
