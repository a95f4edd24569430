/* operators.h - how Python's tensors reach C: operators registered with libtorch's dispatcher, all of one schema,
 *
 *     name(Tensor[] tensors, str names, float[] numbers) -> Tensor[]
 *
 * `names` gives each tensor its name, one a line, so that a network asks for its weights by the names of the weight
 * file. Lines behind the last tensor's that begin with '?' name layers whose output is wanted too
 * (sonic_operator_probe), in that order. Two lines may stand before them: "?!" makes the call fail with the name of the
 * first layer whose output holds NaN or infinity;
 * "?#", the second, adds what the call cost (sonic_meter_reading, int64 [6]) to its results, before the layers'
 * outputs; "?#gpu" in its place counts tensors of the meta device as if they were on a GPU. */
#ifndef SONIC_TORCH_OPERATORS_H
#define SONIC_TORCH_OPERATORS_H

#include "torch/tensor.h"
#include "torch/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SONIC_OPERATOR_MAX_OUTPUTS 16

typedef struct sonic_operator_call {
    sonic_scope *scope;
    sonic_tensor **tensors; /* [count], owned by `scope` */
    const char *names;      /* [count] names, each ended by a newline */
    int32_t count;
    const sonic_weights *weights; /* the same tensors by name */
    const double *numbers;
    int32_t number_count;
    sonic_tensor *outputs[SONIC_OPERATOR_MAX_OUTPUTS]; /* filled by the operator */
    int32_t output_count;
    sonic_tensor **probes; /* [probe_count], filled by sonic_operator_probe, returned behind the outputs */
    const char *probe_names;
    int32_t probe_count;
    bool check_finite;
} sonic_operator_call;

/* The tensor called `name` (printf format); NULL and a failed scope when it is not there. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
sonic_tensor *
sonic_operator_tensor(sonic_operator_call *call, const char *name, ...);

/* Adds an output. */
void sonic_operator_return(sonic_operator_call *call, sonic_tensor *x);

/* Says that `x` is the output of the layer called `name` (printf format). Kept when the caller asked for that layer; in
 * a build or call without probes it costs one comparison. This is also where NaN and infinity are looked for when the
 * caller asked. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
void sonic_operator_probe(sonic_operator_call *call, sonic_tensor *x, const char *name, ...);

/* Registers every operator of the table in operators.cpp under `space`. Loading the same file twice is no error. */
sonic_status sonic_operators_register(const char *space);

/* The operators themselves, each where its networks live. */
/* tensor_operator.c: one function of tensor.h by name, for tests */
void sonic_tensor_operator(sonic_operator_call *call);
void sonic_face_detector_operator(sonic_operator_call *call); /* face/face_operators.c, as the next four */
void sonic_face_mesh_operator(sonic_operator_call *call);
void sonic_face_find_operator(sonic_operator_call *call);
void sonic_face_fit_operator(sonic_operator_call *call);
void sonic_face_track_operator(sonic_operator_call *call);
void sonic_whisper_operator(sonic_operator_call *call); /* models/network_operators.c, as the next eight */
void sonic_clip_vision_operator(sonic_operator_call *call);
void sonic_audio_tokens_operator(sonic_operator_call *call);
void sonic_motion_bucket_operator(sonic_operator_call *call);
void sonic_audio_tokens_from_windows_operator(sonic_operator_call *call);
void sonic_motion_bucket_from_windows_operator(sonic_operator_call *call);
void sonic_vae_encoder_operator(sonic_operator_call *call);
void sonic_vae_decoder_operator(sonic_operator_call *call);
void sonic_rife_operator(sonic_operator_call *call);
void sonic_unet_prepare_operator(sonic_operator_call *call); /* models/unet/unet_operators.c */
void sonic_unet_step_operator(sonic_operator_call *call);
void sonic_transformer_block_operator(sonic_operator_call *call); /* models/block_operators.c: for bench/ */
void sonic_sample_operator(sonic_operator_call *call);            /* sampler/sample_operators.c */

#ifdef __cplusplus
}
#endif
#endif
