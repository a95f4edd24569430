/* draft/speech for Python: a recording -> mouth poses. */
#include "draft/speech/voice.h"
#include "bindings/binding.h"

#define FRAMES_MAX 10000000 /* 111 hours */

/* float32 [frames, SONIC_POSE_COUNT], computed without the GIL. */
static PyObject *pose_array(PyArrayObject *audio, Py_ssize_t frames, sonic_voice_params params)
{
    npy_intp shape[2] = {frames, SONIC_POSE_COUNT};
    PyArrayObject *poses = (PyArrayObject *)PyArray_SimpleNew(2, shape, NPY_FLOAT32);
    if (!poses)
        return NULL;
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_voice_poses(PyArray_DATA(poses), frames, PyArray_DATA(audio), PyArray_DIM(audio, 0), params);
    Py_END_ALLOW_THREADS
    if (status == SONIC_OK)
        return (PyObject *)poses;
    Py_DECREF(poses);
    return sonic_py_raise(status);
}

/* draft_poses(audio f32 [n], frames, seed, opening, sway, blink) -> f32 [frames, SONIC_POSE_COUNT] */
static PyObject *draft_poses(PyObject *self, PyObject *args, PyObject *names)
{
    (void)self;
    static char *keywords[] = {"audio", "frames", "seed", "opening", "sway", "blink", NULL};
    sonic_voice_params params = sonic_voice_default_params();
    PyObject *sound, *seed;
    Py_ssize_t frames;
    if (!PyArg_ParseTupleAndKeywords(args, names, "OnO|fff", keywords, &sound, &frames, &seed, &params.opening,
                                     &params.sway, &params.blink))
        return NULL;
    params.seed = PyLong_AsUnsignedLongLongMask(seed);
    if (PyErr_Occurred())
        return NULL;
    if (frames < 0 || frames > FRAMES_MAX)
        return PyErr_Format(PyExc_ValueError, "Use a shorter recording: %zd frames are not between 0 and %d.", frames,
                            FRAMES_MAX);
    PyArrayObject *audio = sonic_py_array(sound, NPY_FLOAT32, 1, "audio");
    if (!audio)
        return NULL;
    PyObject *poses = pose_array(audio, frames, params);
    Py_DECREF(audio);
    return poses;
}

PyMethodDef sonic_py_draft_voice_methods[] = {
    {"draft_poses", (PyCFunction)(void (*)(void))draft_poses, METH_VARARGS | METH_KEYWORDS,
     "draft_poses(audio, frames, seed, opening=1.0, sway=1.0, blink=1.0) -> float32[frames, 8]\n\n"
     "Mouth, eyelids and head of every video frame (25 per second) from float32 mono sound at 16 kHz. Columns:\n"
     "csrc/draft/pose.h; what drives them: csrc/draft/speech/voice.h. The seed (64 bits) decides blinks and sway,\n"
     "never the mouth. opening and sway are factors (0 .. 4), blink is the share of natural blinks (0 .. 1).\n"
     "ValueError for sound that is not finite."},
    {NULL, NULL, 0, NULL},
};
