/* audio_tokens.h - Sonic's audio2token (Ji et al., "Sonic", CVPR 2025): from ten rows of Whisper's hidden states around
 * a latent frame to that frame's audio tokens. Names as in audio2token.pth, behind "audio2token.". */
#ifndef SONIC_MODELS_AUDIO_TOKENS_H
#define SONIC_MODELS_AUDIO_TOKENS_H

#include "models/layers.h"

/* Whisper's states have 50 rows a second, latent frames are SONIC_LATENT_FPS (core/video_rates.h): 4 rows a frame. */
#define SONIC_AUDIO_ROWS_PER_FRAME 4
/* Frame i uses the rows 4 i - 4 ... 4 i + 5; rows outside the recording are zeros. */
#define SONIC_AUDIO_TOKEN_ROWS_BEFORE 4
#define SONIC_AUDIO_TOKEN_ROWS_AFTER 6

/* The rows 4 i - before ... 4 i + after - 1 of states [rows, ...] for each frame i, flattened in (row, layer, channel)
 * order: [frames, (before + after) * values a row]. 1 to 2^20 frames, else SONIC_ERROR_ARGUMENT; SONIC_ERROR_SHAPE for
 * fewer than 4 rows a frame. */
sonic_tensor *sonic_audio_windows(sonic_scope *outer, sonic_tensor *states, int64_t frames, int64_t before,
                                  int64_t after);

/* windows [frames, 10 * layers * channels] -> tokens [frames, tokens, dim]: three linear layers and a layer norm. */
sonic_tensor *sonic_audio_tokens_from_windows(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *windows);

/* states [rows, layers, channels], trimmed to the recording's length by the caller -> [frames, tokens, dim] */
sonic_tensor *sonic_audio_tokens_run(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *states,
                                     int64_t frames);

/* The tokens of an all-zero window, [tokens, dim]: the unconditional audio input of guidance. They are not zeros. */
sonic_tensor *sonic_audio_tokens_unconditional(sonic_scope *outer, sonic_operator_call *call);

#endif
