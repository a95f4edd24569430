/* The extension module: joins the method tables of all binding files. */
#include "bindings/binding.h"

/* Adds every table's functions to the module; -1 with a Python exception on failure. */
static int add_methods(PyObject *module)
{
    PyMethodDef *tables[] = {
        sonic_py_core_methods,         sonic_py_operator_methods, sonic_py_random_methods,
        sonic_py_audio_methods,        sonic_py_face_methods,     sonic_py_draft_voice_methods,
        sonic_py_draft_render_methods, sonic_py_sampler_methods,  sonic_py_progress_methods,
        sonic_py_gate_methods,         sonic_py_lipsync_methods,  sonic_py_smooth_methods,
        sonic_py_repair_methods,       sonic_py_kernels_methods,  sonic_py_event_methods,
        sonic_py_watermark_methods,    sonic_py_dub_methods,      sonic_py_matting_methods,
    };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (PyModule_AddFunctions(module, tables[i]) < 0)
            return -1;
    return 0;
}

/* Runs when Python imports the module (PEP 489, multi-phase initialisation). */
static int execute(PyObject *module) { return sonic_py_import_numpy() < 0 ? -1 : add_methods(module); }

static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_sonic",
    .m_doc = "Numeric core of sonic_nodes. See csrc/sonic.h.",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__sonic(void);
PyMODINIT_FUNC PyInit__sonic(void) { return PyModuleDef_Init(&definition); }
