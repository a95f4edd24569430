/* network_operators.h - the smaller networks as operators. */
#ifndef SONIC_MODELS_NETWORK_OPERATORS_H
#define SONIC_MODELS_NETWORK_OPERATORS_H

#include "torch/operators.h"

extern const sonic_operator sonic_network_operators[];

/* Operands, numbers and results are described where each is defined. */
void sonic_whisper_operator(sonic_operator_call *call);
void sonic_clip_vision_operator(sonic_operator_call *call);
void sonic_audio_tokens_operator(sonic_operator_call *call);
void sonic_motion_bucket_operator(sonic_operator_call *call);
void sonic_audio_tokens_from_windows_operator(sonic_operator_call *call);
void sonic_motion_bucket_from_windows_operator(sonic_operator_call *call);
void sonic_vae_encoder_operator(sonic_operator_call *call);
void sonic_vae_decoder_operator(sonic_operator_call *call);
void sonic_rife_operator(sonic_operator_call *call);

#endif
