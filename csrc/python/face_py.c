#include "python/binding.h"

PyMethodDef sonic_py_face_methods[] = {
    {NULL, NULL, 0, NULL},
};
