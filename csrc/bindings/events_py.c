/* torch/event.h and torch/copy_stream.h with torch.Event and torch.Stream: Python asks for both,
 * sonic_nodes/extension/events.py. */
#include "bindings/binding.h"
#include "torch/copy_stream.h"

/* Set once, by provide_events and provide_streams. */
static PyObject *record_function, *query_function, *create_function, *enter_function, *leave_function, *hold_function;

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

/* An exception that is pending already is preserved by all of the following. */

/* What the function makes on that device; NULL where it raises, because the device has no such thing. */
static PyObject *made_on(PyObject *function, int32_t device_index)
{
    PyObject *type, *value, *traceback;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *made = PyObject_CallFunction(function, "i", (int)device_index);
    if (!made)
        PyErr_Clear();
    PyErr_Restore(type, value, traceback);
    PyGILState_Release(gil);
    return made;
}

static sonic_event *record(int32_t device_index) { return (sonic_event *)made_on(record_function, device_index); }

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

static void release_object(void *object)
{
    PyObject *type, *value, *traceback;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyErr_Fetch(&type, &value, &traceback);
    Py_DECREF((PyObject *)object);
    PyErr_Restore(type, value, traceback);
    PyGILState_Release(gil);
}

static void release(sonic_event *event) { release_object(event); }

/* Streams */

static void *create(int32_t device_index) { return made_on(create_function, device_index); }

/* Calls the function with the object, or with the device's index and the object. *result, or NULL: what it returns. */
static sonic_status ask(PyObject *function, bool with_index, int32_t device_index, void *object, void **result)
{
    PyObject *type, *value, *traceback;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *answer = with_index ? PyObject_CallFunction(function, "iO", (int)device_index, (PyObject *)object)
                                  : PyObject_CallFunction(function, "(O)", (PyObject *)object);
    sonic_status status = answer ? SONIC_OK : fail_with_exception();
    if (result)
        *result = answer;
    else
        Py_XDECREF(answer);
    PyErr_Restore(type, value, traceback);
    PyGILState_Release(gil);
    return status;
}

static sonic_status enter(void *stream, void **before) { return ask(enter_function, false, 0, stream, before); }

static sonic_status leave(void *before)
{
    sonic_status status = ask(leave_function, false, 0, before, NULL);
    release_object(before);
    return status;
}

static sonic_status hold(int32_t device_index, sonic_event *event)
{
    return ask(hold_function, true, device_index, event, NULL);
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

/* (create, enter, leave, hold) -> None */
static PyObject *provide_streams(PyObject *self, PyObject *args)
{
    static const sonic_stream_functions functions = {create, enter, leave, hold, release_object};
    (void)self;
    PyObject *given[4];
    if (!PyArg_ParseTuple(args, "OOOO", &given[0], &given[1], &given[2], &given[3]))
        return NULL;
    for (int i = 0; i < 4; i++)
        Py_INCREF(given[i]);
    create_function = given[0], enter_function = given[1], leave_function = given[2], hold_function = given[3];
    sonic_streams_provide(&functions);
    Py_RETURN_NONE;
}

PyMethodDef sonic_py_event_methods[] = {
    {"provide_events", provide_events, METH_VARARGS,
     "provide_events(record, query): called once\n\n"
     "record(device index) -> an event after the work queued there so far; query(event, wait) -> whether the device "
     "is past it, with `wait` up to a millisecond later (csrc/torch/event.h)."},
    {"provide_streams", provide_streams, METH_VARARGS,
     "provide_streams(create, enter, leave, hold): called once\n\n"
     "create(device index) -> a stream beside the current one; enter(stream) -> what leave takes; hold(device index, "
     "event): the current stream goes on after the event (csrc/torch/copy_stream.h)."},
    {NULL, NULL, 0, NULL},
};
