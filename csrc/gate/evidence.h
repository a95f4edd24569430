/* evidence.h - everything that the gate measures in the pixels of an image, in one call on one thread.
 *
 *     sonic_likelihood *tables;                        // once
 *     sonic_likelihood_create(&tables);
 *     sonic_evidence evidence;                         // for each image
 *     if (sonic_evidence_read(&evidence, tables, image, no_alpha, face, NULL) == SONIC_OK &&
 * evidence.history.coarsest.quality) printf("JPEG quality %d\n", evidence.history.coarsest.quality);
 *     sonic_likelihood_free(tables);
 */
#ifndef SONIC_GATE_EVIDENCE_H
#define SONIC_GATE_EVIDENCE_H

#include "gate/drawn.h"
#include "gate/luma.h"
#include "gate/regions.h"
#include "gate/repeated_pixels.h"
#include "gate/resampled_grid.h"
#include "gate/sharpness.h"

/* Other sizes are refused: smaller images say nothing, and indices stay within 32 bits. */
#define SONIC_EVIDENCE_SIDE_MIN 16
#define SONIC_EVIDENCE_SIDE_MAX 32767
#define SONIC_EVIDENCE_PIXELS_MAX 89478485

/* fields.h has the names of all numbers in it. */
typedef struct sonic_evidence {
    int32_t width_px, height_px;
    sonic_history history;
    sonic_block_period period;
    sonic_resampled_grid resampled;
    sonic_region region; /* the coarsest one */
    sonic_sharpness sharpness, face_sharpness;
    sonic_exposure exposure;
    double repeated_share;          /* of pixels: luma.h */
    sonic_repeated_pixels repeated; /* all 0 where few pixels are repeated */
    sonic_drawn drawn;
} sonic_evidence;

/* Bytes of memory that sonic_evidence_read takes: 4 a pixel, 5 MB, and some for each column. */
size_t sonic_evidence_memory(int32_t width_px, int32_t height_px);

/* image: RGB. alpha: as for sonic_luma_exposure, of the image's size. face: empty without a face. heat: [height / 32]
 * [width / 32] as in regions.h, or NULL. SONIC_ERROR_SHAPE for other sizes and channels, SONIC_ERROR_MEMORY, and
 * SONIC_ERROR_CANCELLED: it polls for cancellation between its steps. */
sonic_status sonic_evidence_read(sonic_evidence *out, const sonic_likelihood *tables, sonic_image image,
                                 sonic_image alpha, sonic_box face, uint8_t *heat);

#endif
