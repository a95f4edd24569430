/* audio_tokens.h - Sonic's audio2token: ten rows of Whisper's hidden states around a video frame become that frame's
 * audio tokens. */
#ifndef SONIC_MODELS_AUDIO_TOKENS_H
#define SONIC_MODELS_AUDIO_TOKENS_H

#include "models/layers.h"

/* Whisper's states run at 50 Hz, video frames at 12.5 Hz: 4 rows a frame. */
#define SONIC_AUDIO_ROWS_PER_FRAME 4
/* Frame i sees the rows 4 i - 4 ... 4 i + 5; rows before the start and behind the end are zeros. */
#define SONIC_AUDIO_TOKEN_ROWS_BEFORE 4
#define SONIC_AUDIO_TOKEN_ROWS_AFTER 6

/* Windows of `before` + `after` rows of states [rows, ...], one for each of `frames` frames, flattened:
 * [frames, (before + after) * values a row] in (row, layer, channel) order. */
sonic_tensor *sonic_audio_windows(sonic_scope *outer, sonic_tensor *states, int64_t frames, int64_t before,
                                  int64_t after);

/* windows [frames, rows * layers * channels] -> tokens [frames, tokens, dim]: three layers and a normalisation, all
 * frames at once. */
sonic_tensor *sonic_audio_tokens_from_windows(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *windows);

/* states [rows, layers, channels], cut to the recording's length by the caller -> [frames, tokens, dim] */
sonic_tensor *sonic_audio_tokens_run(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *states,
                                     int64_t frames);

/* The tokens of silence, which stand for "no audio" in guidance: those of an all-zero window, [tokens, dim]. Not zeros.
 */
sonic_tensor *sonic_audio_tokens_unconditional(sonic_scope *outer, sonic_operator_call *call);

#endif
