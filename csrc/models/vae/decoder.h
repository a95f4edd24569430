/* decoder.h - latents become video: the temporal decoder of Stable Video Diffusion (Blattmann et al. 2023). */
#ifndef SONIC_MODELS_VAE_DECODER_H
#define SONIC_MODELS_VAE_DECODER_H

#include "models/vae/block.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sonic decodes 8 frames at a time. The temporal layers see only their chunk, so another number gives (slightly) other
 * pixels. */
#define SONIC_VAE_CHUNK_FRAMES 8
#define SONIC_VAE_CHUNK_FRAMES_MAX 1024

#define SONIC_VAE_DECODER_PREFIX "first_stage_model.decoder."

/* One chunk: latents [frames, 4, h, w], already divided by 0.18215 -> frames [frames, 3, 8 h, 8 w] in -1..1, not
 * clamped. At most SONIC_VAE_CHUNK_FRAMES_MAX frames. `part`: vae_video.h, SONIC_VAE_PART but for tests. */
sonic_tensor *sonic_vae_decode_chunk(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *latents,
                                     int64_t part);

/* Chunk after chunk of `chunk` frames, the last one shorter. A caller that streams uses sonic_vae_decode_chunk. */
sonic_tensor *sonic_vae_decode(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *latents, int64_t chunk,
                               int64_t part);

#ifdef __cplusplus
}
#endif
#endif
