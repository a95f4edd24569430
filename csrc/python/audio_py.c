#include "python/binding.h"

PyMethodDef sonic_py_audio_methods[] = {
    {NULL, NULL, 0, NULL},
};
