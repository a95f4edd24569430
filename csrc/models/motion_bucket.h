/* motion_bucket.h - Sonic's audio2bucket: how much a video frame should move, from one second of audio and the picture.
 */
#ifndef SONIC_MODELS_MOTION_BUCKET_H
#define SONIC_MODELS_MOTION_BUCKET_H

#include "models/audio_tokens.h"

/* Frame i sees the rows 4 i - 24 ... 4 i + 25 of Whisper's last hidden state. */
#define SONIC_MOTION_BUCKET_ROWS_BEFORE 24
#define SONIC_MOTION_BUCKET_ROWS_AFTER 26

/* windows [frames, rows * channels], image [1, embedding] (CLIP) -> [frames, 2], raw: the ids are 16 y + 16. */
sonic_tensor *sonic_motion_bucket_from_windows(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *windows,
                                               sonic_tensor *image);

/* states [rows, layers, channels] (the last layer counts) -> ids [frames, 2]: SVD's motion bucket, and what Sonic puts
 * into the slot of SVD's noise augmentation. */
sonic_tensor *sonic_motion_bucket_run(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *states,
                                      sonic_tensor *image, int64_t frames);

#endif
