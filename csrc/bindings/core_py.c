/* Version, build and capabilities of this binary, for `sonic doctor`. */
#include "core/parallel.h"
#include "core/target.h"
#include "core/version.h"
#include "opencv/vision.h"
#include "bindings/binding.h"
#include "torch/optional.h"

/* "wheel": OpenCV and libjpeg-turbo are linked statically (`make wheel`); "local": the libraries of this machine. */
#ifdef SONIC_STATIC
#define BUILD "wheel"
#else
#define BUILD "local"
#endif

/* [(name, use, present)] of every function in torch/optional.h. */
static PyObject *optional_functions(void)
{
    PyObject *list = PyList_New(0);
    for (int which = 0; list && which < SONIC_TORCH_OPTIONAL_COUNT; which++) {
        PyObject *present = sonic_torch_find((sonic_torch_optional)which) ? Py_True : Py_False;
        PyObject *entry = Py_BuildValue("(ssO)", sonic_torch_optional_name((sonic_torch_optional)which),
                                        sonic_torch_optional_use((sonic_torch_optional)which), present);
        if (!entry || PyList_Append(list, entry) < 0)
            Py_CLEAR(list);
        Py_XDECREF(entry);
    }
    return list;
}

/* () -> dict. */
static PyObject *build_info(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    PyObject *optional = optional_functions();
    if (!optional)
        return NULL;
    return Py_BuildValue("{s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:N}", "version", SONIC_VERSION, "build", BUILD, "target",
                         SONIC_TARGET, "compiler", SONIC_COMPILER, "opencv", sonic_vision_version(), "simd",
                         sonic_vision_simd(), "threads", (int)sonic_parallel_threads(), "optional", optional);
}

/* () */
static PyObject *begin_process(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    sonic_parallel_begin_process();
    Py_RETURN_NONE;
}

PyMethodDef sonic_py_core_methods[] = {
    {"begin_process", begin_process, METH_NOARGS,
     "begin_process(): gives threads to a child that was forked before anything was computed"},
    {"build_info", build_info, METH_NOARGS,
     "build_info() -> dict: version, build, target and compiler of this binary, OpenCV's version and SIMD, the thread "
     "count, and the optional functions of libtorch as (name, use, present)"},
    {NULL, NULL, 0, NULL},
};
