/* motion_bucket.h - Sonic's audio2bucket (Ji et al., "Sonic", CVPR 2025): motion intensity of a latent frame, from one
 * second of audio and the portrait. Names as in audio2bucket.pth, behind "audio2bucket.". */
#ifndef SONIC_MODELS_MOTION_BUCKET_H
#define SONIC_MODELS_MOTION_BUCKET_H

#include "models/audio_tokens.h"

/* Frame i uses the rows 4 i - 24 ... 4 i + 25 of Whisper's last hidden state, as in audio_tokens.h. */
#define SONIC_MOTION_BUCKET_ROWS_BEFORE 24
#define SONIC_MOTION_BUCKET_ROWS_AFTER 26

/* windows [frames, 50 * channels], image [1, embedding] (CLIP) -> raw outputs y [frames, 2]; the ids are 16 y + 16.
 * SONIC_ERROR_SHAPE when the first layer has another width. */
sonic_tensor *sonic_motion_bucket_from_windows(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *windows,
                                               sonic_tensor *image);

/* states [rows, layers, channels], of which the last layer is used -> ids [frames, 2]: SVD's motion bucket, and a
 * second bucket that takes the place of SVD's noise augmentation. */
sonic_tensor *sonic_motion_bucket_run(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *states,
                                      sonic_tensor *image, int64_t frames);

#endif
