/* speech_activity.h - whether a recording can hold speech at all: is there something that comes and goes as syllables
 * do, or nothing but silence, hiss, hum or a tone. It does not tell speech from music or noises. */
#ifndef SONIC_AUDIO_SPEECH_ACTIVITY_H
#define SONIC_AUDIO_SPEECH_ACTIVITY_H

#include "sonic.h"

typedef struct sonic_speech_activity {
    float peak;     /* largest absolute sample */
    float loud;     /* root mean square, 150 to 4000 Hz, of the loudest 3 % of the tenths of a second */
    float range_db; /* between the loud (97 %) and the soft (20 %) tenths of a second, in the second-liveliest band */
} sonic_speech_activity;

/* SONIC_ERROR_ARGUMENT: a rate below 1 Hz; SONIC_ERROR_MEMORY. */
sonic_status sonic_speech_activity_measure(sonic_speech_activity *out, sonic_sound sound);

#endif
