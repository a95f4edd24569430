/* The smaller networks as operators. Above each: its operands by name, which are passed beside the weights. */
#include "core/video_rates.h"
#include "models/clip_vision.h"
#include "models/motion_bucket.h"
#include "models/network_operators.h"
#include "models/rife.h"
#include "models/vae/decoder.h"
#include "models/vae/encoder.h"
#include "models/vae/video.h"
#include "models/whisper.h"

/* Number i of the call, or the default. */
static int64_t number(const sonic_operator_call *call, int32_t i, int64_t default_value)
{
    return i < call->number_count ? (int64_t)call->numbers[i] : default_value;
}

/* "mel" [80, 3000 n]; numbers: heads (6). Returns the hidden states [1500 n, 5, channels]. */
static void sonic_whisper_operator(sonic_operator_call *call)
{
    sonic_tensor *mel = sonic_operator_tensor(call, "mel");
    sonic_operator_return(call,
                          sonic_whisper_encode(call->scope, call, mel, number(call, 0, SONIC_WHISPER_TINY_HEADS)));
}

/* "pixels" [b, 3, side, side]; numbers: heads (16). Returns the embeddings [b, projection]. */
static void sonic_clip_vision_operator(sonic_operator_call *call)
{
    sonic_tensor *pixels = sonic_operator_tensor(call, "pixels");
    sonic_operator_return(call,
                          sonic_clip_vision_embed(call->scope, call, pixels, number(call, 0, SONIC_CLIP_VISION_HEADS)));
}

/* "states" [rows, layers, channels]; numbers: frames. Returns tokens [frames, tokens, dim] and those of silence
 * [tokens, dim]. */
static void sonic_audio_tokens_operator(sonic_operator_call *call)
{
    sonic_tensor *states = sonic_operator_tensor(call, "states");
    sonic_operator_return(call, sonic_audio_tokens_run(call->scope, call, states, number(call, 0, 0)));
    sonic_operator_return(call, sonic_audio_tokens_unconditional(call->scope, call));
}

/* "windows" [frames, rows * layers * channels]. Returns tokens [frames, tokens, dim]. */
static void sonic_audio_tokens_from_windows_operator(sonic_operator_call *call)
{
    sonic_operator_return(call,
                          sonic_audio_tokens_from_windows(call->scope, call, sonic_operator_tensor(call, "windows")));
}

/* "windows" [frames, rows * channels], "image" [1, embedding]. Returns [frames, 2], raw. */
static void sonic_motion_bucket_from_windows_operator(sonic_operator_call *call)
{
    sonic_tensor *windows = sonic_operator_tensor(call, "windows"), *image = sonic_operator_tensor(call, "image");
    sonic_operator_return(call, sonic_motion_bucket_from_windows(call->scope, call, windows, image));
}

/* "states" [rows, layers, channels], "image" [1, embedding]; numbers: frames. Returns ids [frames, 2]. */
static void sonic_motion_bucket_operator(sonic_operator_call *call)
{
    sonic_tensor *states = sonic_operator_tensor(call, "states"), *image = sonic_operator_tensor(call, "image");
    sonic_operator_return(call, sonic_motion_bucket_run(call->scope, call, states, image, number(call, 0, 0)));
}

/* "picture" [b, 3, rows, columns]; numbers: 1 for the conditioner's encoder. Returns mean and log variance [b, 4, rows
 * / 8, columns / 8]. */
static void sonic_vae_encoder_operator(sonic_operator_call *call)
{
    sonic_tensor *mean, *log_variance, *picture = sonic_operator_tensor(call, "picture");
    const char *prefix = number(call, 0, 0) ? SONIC_VAE_CONDITIONER_PREFIX : SONIC_VAE_PREFIX;
    sonic_vae_encode(&mean, &log_variance, call->scope, call, picture, prefix);
    sonic_operator_return(call, mean);
    sonic_operator_return(call, log_variance);
}

/* "latents" [frames, 4, h, w]; numbers: frames a chunk (8), values in a part (SONIC_VAE_PART_VALUES). Returns [frames,
 * 3, 8 h, 8 w]. */
static void sonic_vae_decoder_operator(sonic_operator_call *call)
{
    sonic_tensor *latents = sonic_operator_tensor(call, "latents");
    sonic_operator_return(call, sonic_vae_decode(call->scope, call, latents, number(call, 0, SONIC_CHUNK_FRAMES),
                                                 number(call, 1, SONIC_VAE_PART_VALUES)));
}

/* "before" and "after" [b, 3, rows, columns] in 0..1. Returns the frames halfway between them. */
static void sonic_rife_operator(sonic_operator_call *call)
{
    sonic_tensor *before = sonic_operator_tensor(call, "before"), *after = sonic_operator_tensor(call, "after");
    sonic_operator_return(call, sonic_rife_between(call->scope, call, before, after));
}

const sonic_operator sonic_network_operators[] = {
    {"whisper", sonic_whisper_operator},
    {"clip_vision", sonic_clip_vision_operator},
    {"audio_tokens", sonic_audio_tokens_operator},
    {"motion_bucket", sonic_motion_bucket_operator},
    {"audio_tokens_from_windows", sonic_audio_tokens_from_windows_operator},
    {"motion_bucket_from_windows", sonic_motion_bucket_from_windows_operator},
    {"vae_encoder", sonic_vae_encoder_operator},
    {"vae_decoder", sonic_vae_decoder_operator},
    {"rife", sonic_rife_operator},
    {NULL, NULL},
};
