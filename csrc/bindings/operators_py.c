/* The operators of all stages, registered with libtorch. */
#include "bindings/binding.h"
#include "face/face_operators.h"
#include "kernels/kernel_operators.h"
#include "matting/matting_operators.h"
#include "models/block_operators.h"
#include "models/network_operators.h"
#include "models/unet/unet_operators.h"
#include "sampler/sampler_operators.h"
#include "torch/operator_outcome.h"
#include "torch/tensor_operator.h"

/* Registers every stage's table under the dispatcher namespace `space`. */
static sonic_status register_all(const char *space)
{
    const sonic_operator *const tables[] = {sonic_tensor_operators, sonic_face_operators,   sonic_network_operators,
                                            sonic_unet_operators,   sonic_block_operators,  sonic_sampler_operators,
                                            sonic_kernel_operators, sonic_matting_operators};
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

/* (operator, tensors, names, numbers) -> what the operator returned. */
static PyObject *run_operator(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *operator, *tensors, *names, *numbers;
    sonic_operator_outcome outcome;
    if (!PyArg_ParseTuple(args, "OOOO", &operator, &tensors, &names, &numbers))
        return NULL;
    sonic_operator_outcome_begin(&outcome);
    PyObject *result = PyObject_CallFunctionObjArgs(operator, tensors, names, numbers, NULL);
    sonic_status status = sonic_operator_outcome_end(&outcome);
    if (!result || !status)
        return result;
    Py_DECREF(result);
    return sonic_py_error(status == SONIC_ERROR_MEMORY ? PyExc_MemoryError : PyExc_RuntimeError, outcome.text);
}

/* () -> str or None. */
static PyObject *operator_failure(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    const sonic_operator_outcome *outcome = sonic_operator_outcome_uncollected();
    if (!outcome->status)
        Py_RETURN_NONE;
    return sonic_py_text(outcome->text);
}

PyMethodDef sonic_py_operator_methods[] = {
    {"register_operators", register_operators, METH_O,
     "register_operators(namespace): register every operator of csrc/torch/operators.h with libtorch"},
    {"run_operator", run_operator, METH_VARARGS,
     "run_operator(operator, tensors, names, numbers) -> list of tensors\n\n"
     "Calls a registered operator. Raises RuntimeError with C's message when it fails, MemoryError for want of "
     "memory."},
    {"operator_failure", operator_failure, METH_NOARGS,
     "operator_failure() -> why the last operator of this thread that was not called by run_operator failed, or None"},
    {NULL, NULL, 0, NULL},
};
