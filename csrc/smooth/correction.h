/* correction.h - the gains and the translation that remove flicker and shake from one frame, from the motion of the
 * frames around it. */
#ifndef SONIC_SMOOTH_CORRECTION_H
#define SONIC_SMOOTH_CORRECTION_H

#include "smooth/motion.h"

/* Frames first..last of the scene around frame `at`; the motion of frame i is motions[i % size]. */
typedef struct sonic_motion_window {
    const sonic_camera_motion *motions;
    int64_t size, first, last, at;
} sonic_motion_window;

typedef struct sonic_correction {
    double shift_px[2];                               /* for sonic_translate */
    double gain[3];                                   /* factors of R, G, B */
    double sigma_px;                                  /* standard deviation of the shake; 0 when it stays */
    double sigma_gain;                                /* of the log gain; 0 when flicker stays */
    double flicker;                                   /* 0..1, confidence that there is flicker */
    float tiles[SONIC_GAIN_TILES * SONIC_GAIN_TILES]; /* factors, [rows, columns] */
    int32_t tiled;                                    /* 1: some are not 1 */
} sonic_correction;

/* `amount` 0..1 scales the correction. */
void sonic_correction_find(sonic_correction *out, const sonic_motion_window *window, double amount);

/* 0 below range[0], 1 above range[1], a cubic between (smoothstep). */
double sonic_smooth_ramp(double value, const double range[2]);

#endif
