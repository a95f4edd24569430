/* whisper.h - the encoder of Whisper (Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision",
 * 2022, figure 1). Names as in Hugging Face's files: [model.]encoder.conv1.weight,
 * [model.]encoder.layers.0.self_attn.q_proj.weight, ... */
#ifndef SONIC_MODELS_WHISPER_H
#define SONIC_MODELS_WHISPER_H

#include "models/layers.h"

#define SONIC_WHISPER_TINY_HEADS 6

/* All hidden states: the input of each layer, and the normalised output of the last. mel [80, 3000 segments], log-mel
 * of audio/log_mel.h -> [1500 segments, layers + 1, channels], 50 rows a second. Segments of 30 s are independent of
 * one another. SONIC_ERROR_SHAPE for a spectrum that is not whole segments. */
sonic_tensor *sonic_whisper_encode(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *mel, int64_t heads);

#endif
