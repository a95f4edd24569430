/* track.h - the face mesh of every frame of a clip, made steady over time.
 *
 * A mesh network looks at each frame alone, so its points jitter by about a thousandth of the face, which a mouth that
 * is drawn on them would show. The whole clip is known, so the filter has no delay: a quadratic is fitted to each
 * coordinate around each frame, by least squares with tricube weights in time, and its value there is taken. At a
 * steady rate that is the filter of Savitzky and Golay (1964, "Smoothing and differentiation of data by simplified
 * least squares procedures", Anal Chem 36: 1627-1639), which keeps position, speed and acceleration; the weights are
 * those of Cleveland (1979, "Robust locally weighted regression", JASA 74: 829-836), for frames at uneven times. Points
 * of lips and chin move fast in speech and have a shorter window. */
#ifndef SONIC_DUB_TRACK_H
#define SONIC_DUB_TRACK_H

#include "face/landmarks.h"
#include "sonic.h"

/* Half the window: +-5 frames and +-2 at 25 a second. */
#define SONIC_TRACK_HALF_S 0.22
#define SONIC_TRACK_MOUTH_HALF_S 0.11
/* A face that is hidden or turned away for no longer than this is interpolated. */
#define SONIC_TRACK_GAP_S 0.5

typedef struct sonic_track {
    float *meshes;         /* [count, SONIC_MESH_POINTS, 3] in px; a frame without a face begins with NaN */
    const double *times_s; /* [count], ascending */
    const int32_t *scenes; /* [count], ascending; no frame is compared with one of another scene */
    int64_t count;
} sonic_track;

/* Prepares a track for drawing, in place, and sets `mouth_width`, that of the mouth at rest: the median over the clip
 * of the distance of its corners, in face heights. A mesh that cannot be animated in frames of `width_px` x
 * `height_px`, as that of a profile, counts as no face. Gaps are filled: linear between the frames beside them, at the
 * beginning and end of a scene by the nearest; `end_s` is when the last frame ends. SONIC_ERROR_ARGUMENT, which names
 * the second, for a gap longer than SONIC_TRACK_GAP_S; SONIC_ERROR_MEMORY. */
sonic_status sonic_track_finish(double *mouth_width, const sonic_track *track, int32_t width_px, int32_t height_px,
                                double end_s);

#endif
