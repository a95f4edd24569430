#include "python/binding.h"

PyMethodDef sonic_py_draft_render_methods[] = {
    {NULL, NULL, 0, NULL},
};
