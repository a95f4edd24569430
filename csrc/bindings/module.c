#define SONIC_IMPORT_ARRAY
#include "bindings/binding.h"
#include "torch/operators.h"

static int add_methods(PyObject *module)
{
    PyMethodDef *tables[] = {sonic_py_core_methods,   sonic_py_random_methods,      sonic_py_audio_methods,
                             sonic_py_face_methods,   sonic_py_draft_voice_methods, sonic_py_draft_render_methods,
                             sonic_py_sample_methods, sonic_py_progress_methods,       sonic_py_gate_methods,
                             sonic_py_post_methods,   sonic_py_smooth_methods,      sonic_py_repair_methods};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (PyModule_AddFunctions(module, tables[i]) < 0)
            return -1;
    return 0;
}

/* register_operators(space): called once by native.py, which derives `space` from the file's path and build. */
static PyObject *register_operators(PyObject *self, PyObject *argument)
{
    (void)self;
    PyObject *ascii = PyUnicode_AsASCIIString(argument);
    char *space = ascii ? PyBytes_AsString(ascii) : NULL;
    sonic_status status = space ? sonic_operators_register(space) : SONIC_OK;
    Py_XDECREF(ascii);
    if (!space)
        return NULL;
    if (status)
        return sonic_py_raise(status);
    Py_RETURN_NONE;
}

static PyMethodDef module_methods[] = {
    {"register_operators", register_operators, METH_O,
     "register_operators(namespace): make the operators known to libtorch"},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module)
{
    import_array1(-1);
    if (PyModule_AddFunctions(module, module_methods) < 0)
        return -1;
    return add_methods(module);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_sonic",
    .m_doc = "Numeric core of sonic_nodes. See csrc/sonic.h.",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__sonic(void);
PyMODINIT_FUNC PyInit__sonic(void) { return PyModuleDef_Init(&definition); }
