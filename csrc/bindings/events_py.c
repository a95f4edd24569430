/* torch/event.h with torch.Event: Python records and queries, sonic_nodes/extension/events.py. */
#include "bindings/binding.h"
#include "torch/event.h"

/* Set once, by provide_events. */
static PyObject *record_function, *query_function;

/* What Python raised becomes sonic_last_error(); the exception ends here. */
static sonic_status fail_with_exception(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *text = value ? PyObject_Str(value) : NULL, *bytes = text ? PyUnicode_AsUTF8String(text) : NULL;
    const char *why = bytes ? PyBytes_AsString(bytes) : NULL;
    sonic_status status = sonic_fail(SONIC_ERROR_TORCH, "the device failed: %s", why ? why : "it gave no reason");
    Py_XDECREF(bytes);
    Py_XDECREF(text);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    PyErr_Clear();
    return status;
}

/* An exception that is pending already is preserved by all three. */
static sonic_event *record(int32_t device_index)
{
    PyObject *type, *value, *traceback;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *event = PyObject_CallFunction(record_function, "i", (int)device_index);
    if (!event)
        PyErr_Clear(); /* the device has no events: whoever reads waits */
    PyErr_Restore(type, value, traceback);
    PyGILState_Release(gil);
    return (sonic_event *)event;
}

static sonic_status query(sonic_event *event, bool wait, bool *past)
{
    PyObject *type, *value, *traceback;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *answer = PyObject_CallFunction(query_function, "Oi", (PyObject *)event, (int)wait);
    int is_past = answer ? PyObject_IsTrue(answer) : -1;
    sonic_status status = is_past < 0 ? fail_with_exception() : SONIC_OK;
    *past = is_past != 0;
    Py_XDECREF(answer);
    PyErr_Restore(type, value, traceback);
    PyGILState_Release(gil);
    return status;
}

static void release(sonic_event *event)
{
    PyObject *type, *value, *traceback;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyErr_Fetch(&type, &value, &traceback);
    Py_DECREF((PyObject *)event);
    PyErr_Restore(type, value, traceback);
    PyGILState_Release(gil);
}

/* (record, query) -> None */
static PyObject *provide_events(PyObject *self, PyObject *args)
{
    static const sonic_event_functions functions = {record, query, release};
    (void)self;
    PyObject *record_argument, *query_argument;
    if (!PyArg_ParseTuple(args, "OO", &record_argument, &query_argument))
        return NULL;
    Py_INCREF(record_argument);
    Py_INCREF(query_argument);
    record_function = record_argument, query_function = query_argument;
    sonic_events_provide(&functions);
    Py_RETURN_NONE;
}

PyMethodDef sonic_py_event_methods[] = {
    {"provide_events", provide_events, METH_VARARGS,
     "provide_events(record, query): called once\n\n"
     "record(device index) -> an event after the work queued there so far; query(event, wait) -> whether the device "
     "is past it, with `wait` up to a millisecond later (csrc/torch/event.h)."},
    {NULL, NULL, 0, NULL},
};
