#include "python/binding.h"

PyMethodDef sonic_py_draft_voice_methods[] = {
    {NULL, NULL, 0, NULL},
};
