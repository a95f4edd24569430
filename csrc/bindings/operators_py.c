/* The operators of all stages, registered with libtorch. */
#include "bindings/binding.h"
#include "face/face_operators.h"
#include "models/block_operators.h"
#include "models/network_operators.h"
#include "models/unet/unet_operators.h"
#include "sampler/sampler_operators.h"
#include "torch/tensor_operator.h"

/* Registers every stage's table under the dispatcher namespace `space`. */
static sonic_status register_all(const char *space)
{
    const sonic_operator *const tables[] = {sonic_tensor_operators, sonic_face_operators,  sonic_network_operators,
                                            sonic_unet_operators,   sonic_block_operators, sonic_sampler_operators};
    return sonic_operators_register(space, tables, sizeof tables / sizeof *tables);
}

/* Called once by loading.py, which derives the namespace from the file's path and build. */
static PyObject *register_operators(PyObject *self, PyObject *argument)
{
    (void)self;
    PyObject *ascii = PyUnicode_AsASCIIString(argument);
    char *space = ascii ? PyBytes_AsString(ascii) : NULL;
    sonic_status status = space ? register_all(space) : SONIC_OK;
    Py_XDECREF(ascii);
    if (!space)
        return NULL;
    if (status)
        return sonic_py_raise(status);
    Py_RETURN_NONE;
}

PyMethodDef sonic_py_operator_methods[] = {
    {"register_operators", register_operators, METH_O,
     "register_operators(namespace): register every operator of csrc/torch/operators.h with libtorch"},
    {NULL, NULL, 0, NULL},
};
