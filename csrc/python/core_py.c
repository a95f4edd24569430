/* Versions of what is linked, for `sonic doctor`. */
#include "core/parallel.h"
#include "opencv/vision.h"
#include "python/binding.h"

static PyObject *build_info(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    return Py_BuildValue("{s:s,s:i}", "opencv", sonic_vision_version(), "threads", (int)sonic_parallel_threads());
}

PyMethodDef sonic_py_core_methods[] = {
    {"build_info", build_info, METH_NOARGS, "build_info() -> dict: versions of the linked libraries and the thread count"},
    {NULL, NULL, 0, NULL},
};
