/* detect.h - reads the watermark of embed.h from frames: scaled, cropped, compressed, at another rate.
 *
 * Frames of a few seconds are added up and whitened: what is finer than 1 px, relative to its own spread around. The
 * reader first takes the frames as whole ones, at whatever size; then it looks for the pilots at scales of 0.78 to 1.06
 * of that and offsets of -24 to 104 px (crops of up to a fifth from each side) by correlation, and reads at the best
 * place. A payload counts when its checksum is right and the pilots stand out: by SONIC_WATERMARK_PILOTS standard
 * deviations at a known place; searched, the peak by SONIC_WATERMARK_PEAK of all that were looked at. */
#ifndef SONIC_WATERMARK_DETECT_H
#define SONIC_WATERMARK_DETECT_H

#include <stdbool.h>

#include "sonic.h"

#define SONIC_WATERMARK_PILOTS 4.5f
#define SONIC_WATERMARK_PEAK 6.5f

typedef struct sonic_watermark_reader sonic_watermark_reader;

typedef struct sonic_watermark_found {
    bool found;
    uint32_t payload; /* 0 where none is found */
    float pilots;     /* how far they stand out, in standard deviations; as good as normal where there is no mark */
    float scale;      /* of the picture as it was marked to this one's: 0.9 after a crop to 90 % */
    float x, y;       /* of its corner in the marked picture, whose shorter side is 256 */
} sonic_watermark_found;

sonic_status sonic_watermark_reader_create(sonic_watermark_reader **out);
void sonic_watermark_reader_free(sonic_watermark_reader *reader);

/* Adds a frame, 3 channels; all frames up to the next `read` have one size. SONIC_ERROR_SHAPE, _ARGUMENT, _MEMORY. */
sonic_status sonic_watermark_reader_add(sonic_watermark_reader *reader, sonic_image frame);

/* Reads what the frames added since the last call carry, and forgets them. search: also elsewhere than at the frame's
 * corner. SONIC_ERROR_ARGUMENT where no frame was added. */
sonic_status sonic_watermark_reader_read(sonic_watermark_found *found, sonic_watermark_reader *reader, bool search);

#endif
