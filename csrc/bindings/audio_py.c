/* Audio: resampling, Whisper's log-mel spectrogram, RMS per video frame, mixtures of channels, speech activity. */
#include "audio/band_power.h"
#include "audio/channels.h"
#include "audio/envelope.h"
#include "audio/log_mel.h"
#include "audio/resample.h"
#include "audio/speech_activity.h"
#include "audio/sum.h"
#include "bindings/binding.h"

/* Borrows a float32 [n] array; the array must outlive it. */
static sonic_sound sound_view(PyArrayObject *array, int rate_hz)
{
    sonic_sound sound = {PyArray_DATA(array), PyArray_DIMS(array)[0], rate_hz};
    return sound;
}

/* Returns `out`, or raises and releases it; releases the input either way. */
static PyObject *finish(PyArrayObject *in, PyArrayObject *out, sonic_status status)
{
    Py_DECREF(in);
    if (status == SONIC_OK)
        return (PyObject *)out;
    Py_XDECREF(out);
    return sonic_py_raise(status);
}

/* float32 [count], uninitialised. */
static PyArrayObject *new_vector(int64_t count)
{
    npy_intp shape[1] = {(npy_intp)count};
    return (PyArrayObject *)PyArray_SimpleNew(1, shape, NPY_FLOAT32);
}

/* (x float32 [n], rate_in, rate_out in Hz) -> float32 [ceil(n rate_out / rate_in)]. */
static PyObject *resample(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *object;
    int rate_in, rate_out;
    if (!PyArg_ParseTuple(args, "Oii:resample", &object, &rate_in, &rate_out))
        return NULL;
    PyArrayObject *in = sonic_py_array(object, NPY_FLOAT32, 1, "x");
    if (!in)
        return NULL;
    sonic_sound sound = sound_view(in, rate_in);
    int64_t count;
    sonic_status status = sonic_resample_count(&count, sound.count, rate_in, rate_out);
    if (status != SONIC_OK)
        return finish(in, NULL, status);
    PyArrayObject *out = new_vector(count);
    if (!out)
        return finish(in, NULL, SONIC_ERROR_MEMORY);
    Py_BEGIN_ALLOW_THREADS
    status = sonic_resample(PyArray_DATA(out), sound, rate_out);
    Py_END_ALLOW_THREADS
    return finish(in, out, status);
}

/* (a float32 [n], b float32 [m]) -> (float32 [max(n, m)], its largest absolute value). */
static PyObject *sound_sum(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *a_object, *b_object;
    if (!PyArg_ParseTuple(args, "OO:sound_sum", &a_object, &b_object))
        return NULL;
    PyArrayObject *a = sonic_py_array(a_object, NPY_FLOAT32, 1, "a");
    PyArrayObject *b = a ? sonic_py_array(b_object, NPY_FLOAT32, 1, "b") : NULL;
    PyArrayObject *out = NULL;
    float peak = 0;
    if (b)
        out = new_vector(PyArray_SIZE(a) > PyArray_SIZE(b) ? PyArray_SIZE(a) : PyArray_SIZE(b));
    if (out) {
        sonic_sound first = sound_view(a, 0), second = sound_view(b, 0);
        Py_BEGIN_ALLOW_THREADS
        peak = sonic_sound_sum(PyArray_DATA(out), first, second);
        Py_END_ALLOW_THREADS
    }
    Py_XDECREF(a);
    Py_XDECREF(b);
    return out ? Py_BuildValue("(Nd)", out, (double)peak) : NULL;
}

/* x float32 [n] at 16000 Hz -> float32 [80, 3000 pieces]. */
static PyObject *log_mel(PyObject *self, PyObject *object)
{
    (void)self;
    PyArrayObject *in = sonic_py_array(object, NPY_FLOAT32, 1, "x");
    if (!in)
        return NULL;
    sonic_sound sound = sound_view(in, SONIC_LOG_MEL_RATE_HZ);
    int64_t pieces;
    sonic_status status = sonic_log_mel_pieces(&pieces, sound.count);
    if (status != SONIC_OK)
        return finish(in, NULL, status);
    npy_intp shape[2] = {SONIC_LOG_MEL_BANDS, (npy_intp)(SONIC_LOG_MEL_COLUMNS * pieces)};
    PyArrayObject *out = (PyArrayObject *)PyArray_SimpleNew(2, shape, NPY_FLOAT32);
    if (!out)
        return finish(in, NULL, SONIC_ERROR_MEMORY);
    Py_BEGIN_ALLOW_THREADS
    status = sonic_log_mel(PyArray_DATA(out), sound);
    Py_END_ALLOW_THREADS
    return finish(in, out, status);
}

/* (x float32 [n], rate in Hz, fps, frames) -> float32 [frames]. */
static PyObject *envelope(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *object;
    int rate, frames;
    double fps;
    if (!PyArg_ParseTuple(args, "Oidi:envelope", &object, &rate, &fps, &frames))
        return NULL;
    if (frames < 0) {
        PyErr_Format(PyExc_ValueError, "Ask for at least 0 frames: %d is negative.", frames);
        return NULL;
    }
    PyArrayObject *in = sonic_py_array(object, NPY_FLOAT32, 1, "x");
    if (!in)
        return NULL;
    PyArrayObject *out = new_vector(frames);
    if (!out)
        return finish(in, NULL, SONIC_ERROR_MEMORY);
    sonic_sound sound = sound_view(in, rate);
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_envelope(PyArray_DATA(out), sound, fps, frames);
    Py_END_ALLOW_THREADS
    return finish(in, out, status);
}

/* (x float32 [channels, n], rate in Hz, hop in samples) -> float32 [windows, 11, pairs]. */
static PyObject *channels_measure(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *object;
    int rate, hop;
    if (!PyArg_ParseTuple(args, "Oii:channels_measure", &object, &rate, &hop))
        return NULL;
    PyArrayObject *in = sonic_py_array(object, NPY_FLOAT32, 2, "x");
    if (!in)
        return NULL;
    int64_t channels = PyArray_DIMS(in)[0], count = PyArray_DIMS(in)[1];
    if (hop < 1 || channels < 1 || channels > SONIC_CHANNELS_MAX) {
        Py_DECREF(in);
        return PyErr_Format(PyExc_ValueError, "Give 1 to %d channels and a hop of at least 1 sample.",
                            SONIC_CHANNELS_MAX);
    }
    npy_intp shape[3] = {(npy_intp)sonic_channels_windows(count, rate, hop), SONIC_BAND_POWERS,
                         (npy_intp)sonic_channels_pairs(channels)};
    PyArrayObject *out = (PyArrayObject *)PyArray_SimpleNew(3, shape, NPY_FLOAT32);
    if (!out)
        return finish(in, NULL, SONIC_ERROR_MEMORY);
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_channels_measure(PyArray_DATA(out), PyArray_DATA(in), channels, count, rate, hop);
    Py_END_ALLOW_THREADS
    return finish(in, out, status);
}

/* (powers float32 [windows, 11, pairs], channels, centre, bass) -> (weights float32 [channels], is_mean). */
static PyObject *channels_choose(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *object;
    int channels;
    sonic_channels_roles roles;
    if (!PyArg_ParseTuple(args, "Oiii:channels_choose", &object, &channels, &roles.centre, &roles.bass))
        return NULL;
    PyArrayObject *in = sonic_py_array(object, NPY_FLOAT32, 3, "powers");
    if (!in)
        return NULL;
    const npy_intp *shape = PyArray_DIMS(in);
    if (shape[1] != SONIC_BAND_POWERS || channels < 1 || shape[2] != sonic_channels_pairs(channels)) {
        Py_DECREF(in);
        return PyErr_Format(PyExc_ValueError, "Give powers [windows, %d, pairs of %d channels].", SONIC_BAND_POWERS,
                            channels);
    }
    sonic_channels_choice choice;
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_channels_choose(&choice, PyArray_DATA(in), shape[0], channels, roles);
    Py_END_ALLOW_THREADS
    PyArrayObject *out = status == SONIC_OK ? new_vector(channels) : NULL;
    if (out)
        memcpy(PyArray_DATA(out), choice.weights, sizeof(float) * (size_t)channels);
    PyObject *weights = finish(in, out, status);
    return weights && out ? Py_BuildValue("NO", weights, choice.is_mean ? Py_True : Py_False) : weights;
}

/* (x float32 [n], rate in Hz) -> (peak, loud, range in dB). */
static PyObject *speech_activity(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *object;
    int rate;
    if (!PyArg_ParseTuple(args, "Oi:speech_activity", &object, &rate))
        return NULL;
    PyArrayObject *in = sonic_py_array(object, NPY_FLOAT32, 1, "x");
    if (!in)
        return NULL;
    sonic_sound sound = sound_view(in, rate);
    sonic_speech_activity found;
    sonic_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sonic_speech_activity_measure(&found, sound);
    Py_END_ALLOW_THREADS
    Py_DECREF(in);
    if (status != SONIC_OK)
        return sonic_py_raise(status);
    return Py_BuildValue("fff", found.peak, found.loud, found.range_db);
}

PyMethodDef sonic_py_audio_methods[] = {
    {"resample", resample, METH_VARARGS,
     "resample(x, rate_in, rate_out) -> float32 [ceil(n * rate_out / rate_in)]: mono audio, float32 [n], at another "
     "sampling rate (Hz)"},
    {"log_mel", log_mel, METH_O,
     "log_mel(x) -> float32 [80, 3000 * pieces of 30 s]: Whisper's log-mel features of mono audio at 16000 Hz"},
    {"envelope", envelope, METH_VARARGS,
     "envelope(x, rate, fps, frames) -> float32 [frames]: root mean square of mono audio during each video frame"},
    {"channels_measure", channels_measure, METH_VARARGS,
     "channels_measure(x, rate, hop) -> float32 [windows, 11, pairs]: powers of x, float32 [channels, n], and of the "
     "sums "
     "of two channels, in bands, every `hop` samples"},
    {"channels_choose", channels_choose, METH_VARARGS,
     "channels_choose(powers, channels, centre, bass) -> (weights float32 [channels], whether they are the mean): the "
     "mixture that keeps the speech; centre and bass are channels, or -1"},
    {"sound_sum", sound_sum, METH_VARARGS,
     "sound_sum(a, b) -> (a + b, the largest absolute value): mono audio; the shorter one is followed by silence"},
    {"speech_activity", speech_activity, METH_VARARGS,
     "speech_activity(x, rate) -> (peak, loud, range in dB) of mono audio: whether it can hold speech"},
    {NULL, NULL, 0, NULL},
};
