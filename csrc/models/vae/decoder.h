/* decoder.h - from latents to frames: the temporal decoder of Stable Video Diffusion (Blattmann et al. 2023). Names as
 * in Stability's checkpoint. */
#ifndef SONIC_MODELS_VAE_DECODER_H
#define SONIC_MODELS_VAE_DECODER_H

#include "models/vae/block.h"

/* Of one call. Temporal layers see only their chunk, so the chunk length changes the pixels slightly: Sonic uses
 * SONIC_CHUNK_FRAMES (core/video_rates.h). */
#define SONIC_VAE_CHUNK_FRAMES_MAX 1024

#define SONIC_VAE_DECODER_PREFIX "first_stage_model.decoder."

/* One chunk: latents [frames, 4, h, w], already divided by 0.18215 -> [frames, 3, 8 h, 8 w] in -1..1, not clamped.
 * 1 to SONIC_VAE_CHUNK_FRAMES_MAX frames. `part_values`: vae/video.h, SONIC_VAE_PART_VALUES except in tests. NULL with
 * a failed scope: SONIC_ERROR_SHAPE for latents of another shape. */
sonic_tensor *sonic_vae_decode_chunk(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *latents,
                                     int64_t part_values);

/* All frames in chunks of `chunk` frames, the last one shorter; up to 4096 chunks, else SONIC_ERROR_ARGUMENT. To
 * stream, call sonic_vae_decode_chunk. */
sonic_tensor *sonic_vae_decode(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *latents, int64_t chunk,
                               int64_t part_values);

#endif
