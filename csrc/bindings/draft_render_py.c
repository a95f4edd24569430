/* draft/render for Python: a rig is a capsule, frames are written to the caller's array. */
#include "draft/render/render.h"
#include "face/landmarks.h"
#include "bindings/binding.h"

static const char *const rig_name = "sonic_draft_rig";

/* Destructor of a rig's capsule. */
static void free_capsule(PyObject *capsule) { sonic_draft_rig_free(PyCapsule_GetPointer(capsule, rig_name)); }

/* A capsule with the rig of image u8 [H, W, 3] and mesh f32 [468, 3]; checks what C cannot. */
static PyObject *make_rig(PyArrayObject *image, PyArrayObject *mesh)
{
    if (PyArray_DIM(mesh, 0) != SONIC_MESH_POINTS || PyArray_DIM(mesh, 1) != 3)
        return PyErr_Format(PyExc_ValueError, "Give mesh as [468, 3]. It has the shape [%zd, %zd]",
                            (Py_ssize_t)PyArray_DIM(mesh, 0), (Py_ssize_t)PyArray_DIM(mesh, 1));
    if (PyArray_DIM(image, 0) > 65536 || PyArray_DIM(image, 1) > 65536 || PyArray_DIM(image, 2) > 65536)
        return PyErr_Format(PyExc_ValueError, "Give a smaller picture than [%zd, %zd, %zd]",
                            (Py_ssize_t)PyArray_DIM(image, 0), (Py_ssize_t)PyArray_DIM(image, 1),
                            (Py_ssize_t)PyArray_DIM(image, 2));
    sonic_draft_rig *rig = NULL;
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_draft_rig_create(&rig, sonic_py_image(image), PyArray_DATA(mesh));
    Py_END_ALLOW_THREADS
    if (status)
        return sonic_py_raise(status);
    PyObject *capsule = PyCapsule_New(rig, rig_name, free_capsule);
    if (!capsule)
        sonic_draft_rig_free(rig);
    return capsule;
}

/* draft_rig_create(image, mesh) -> capsule */
static PyObject *draft_rig_create(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *image_object, *mesh_object, *result = NULL;
    if (!PyArg_ParseTuple(args, "OO", &image_object, &mesh_object))
        return NULL;
    PyArrayObject *image = sonic_py_array(image_object, NPY_UINT8, 3, "image");
    PyArrayObject *mesh = image ? sonic_py_array(mesh_object, NPY_FLOAT32, 2, "mesh") : NULL;
    if (mesh)
        result = make_rig(image, mesh);
    Py_XDECREF(image);
    Py_XDECREF(mesh);
    return result;
}

/* Renders poses f32 [n, SONIC_POSE_COUNT] into out u8 [n, H, W, 3] without the GIL. */
static PyObject *render_into(const sonic_draft_rig *rig, PyArrayObject *poses, PyArrayObject *out, PyObject *progress)
{
    npy_intp count = PyArray_DIM(poses, 0);
    if (PyArray_DIM(poses, 1) != SONIC_POSE_COUNT)
        return PyErr_Format(PyExc_ValueError, "Give poses as [frames, %d]. Each has %zd values", SONIC_POSE_COUNT,
                            (Py_ssize_t)PyArray_DIM(poses, 1));
    const npy_intp *shape = PyArray_DIMS(out);
    int32_t width = sonic_draft_rig_width_px(rig), height = sonic_draft_rig_height_px(rig);
    if (shape[0] != count || shape[1] != height || shape[2] != width || shape[3] != 3)
        return PyErr_Format(PyExc_ValueError, "Give out as [%zd, %d, %d, 3]. It has the shape [%zd, %zd, %zd, %zd]",
                            (Py_ssize_t)count, (int)height, (int)width, (Py_ssize_t)shape[0], (Py_ssize_t)shape[1],
                            (Py_ssize_t)shape[2], (Py_ssize_t)shape[3]);
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_draft_render(PyArray_DATA(out), rig, PyArray_DATA(poses), count,
                                progress == Py_None ? NULL : sonic_py_progress, progress);
    Py_END_ALLOW_THREADS
    if (status)
        return sonic_py_raise(status);
    Py_RETURN_NONE;
}

/* draft_render(rig, poses, out, progress) */
static PyObject *draft_render(PyObject *self, PyObject *args, PyObject *keywords)
{
    (void)self;
    static char *names[] = {"rig", "poses", "out", "progress", NULL};
    PyObject *capsule, *poses_object, *out_object, *progress = Py_None, *result = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOO|O", names, &capsule, &poses_object, &out_object, &progress))
        return NULL;
    const sonic_draft_rig *rig = PyCapsule_IsValid(capsule, rig_name) ? PyCapsule_GetPointer(capsule, rig_name) : NULL;
    if (!rig)
        return PyErr_Format(PyExc_TypeError, "Give a rig made by draft_rig_create");
    PyArrayObject *poses = sonic_py_array(poses_object, NPY_FLOAT32, 2, "poses");
    PyArrayObject *out = poses ? sonic_py_output(out_object, NPY_UINT8, 4, "out") : NULL;
    if (out)
        result = render_into(rig, poses, out, progress);
    Py_XDECREF(poses);
    Py_XDECREF(out);
    return result;
}

PyMethodDef sonic_py_draft_render_methods[] = {
    {"draft_rig_create", draft_rig_create, METH_VARARGS,
     "draft_rig_create(image, mesh) -> rig\n\n"
     "Prepares the portrait u8[H, W, 3] with its face mesh f32[468, 3] (image pixels) for draft_render. The rig may "
     "be\n"
     "used from several threads. ValueError for an image or a mesh that cannot be animated."},
    {"draft_render", (PyCFunction)(void (*)(void))draft_render, METH_VARARGS | METH_KEYWORDS,
     "draft_render(rig, poses, out, progress=None)\n\n"
     "Writes the frame of each pose f32[n, 8] (csrc/draft/pose.h) to out u8[n, H, W, 3]. progress(done, total) is\n"
     "called every few frames; a true result stops with RuntimeError."},
    {NULL, NULL, 0, NULL},
};
