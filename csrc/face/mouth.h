/* mouth.h - the skin and lips around the mouth on a grid that follows the mesh, to tell a mouth from what covers one.
 *
 * Rows of the grid run along the lips, from skin above the upper lip over both lips to the chin. Values are relative to
 * the skin of nose, forehead and upper cheeks, which masks, hands and microphones leave free: so light, exposure and
 * the colour of the skin cancel. sonic_nodes/mouth.py has the model that judges them. */
#ifndef SONIC_FACE_MOUTH_H
#define SONIC_FACE_MOUTH_H

#include "face/landmarks.h"
#include "sonic.h"

#define SONIC_MOUTH_FACE_PX 96     /* larger faces are shrunk to this first: their pores and stubble say nothing */
#define SONIC_MOUTH_FACE_MIN_PX 64 /* smaller ones show too little of a mouth */

enum {
    SONIC_MOUTH_ROWS = 17,    /* 4 above the lips, 3 on the upper one, 3 between, 3 on the lower one, 4 below */
    SONIC_MOUTH_COLUMNS = 9,  /* from corner to corner, without the corners */
    SONIC_MOUTH_GROUPS = 3,   /* neighbouring columns whose mean counts: left, middle, right */
    SONIC_MOUTH_CHANNELS = 3, /* log luma; red and blue chromaticity */
    SONIC_MOUTH_VALUES = SONIC_MOUTH_CHANNELS * (SONIC_MOUTH_ROWS * SONIC_MOUTH_GROUPS + 1)
};

/* Per channel: [rows][groups] of the difference to the skin, then the mean over rows of the deviation along a row.
 * Luma is ln((Y + 5) / (Y of the skin + 5)), chromaticity R / (R + G + B + 15) and B / (R + G + B + 15).
 * Writes nothing and returns 0 for a face whose hull is smaller than SONIC_MOUTH_FACE_MIN_PX or whose mouth or skin
 * lies outside the image; else 1. Failures: out of memory, as a negative number. */
int32_t sonic_mouth_measure(float out[SONIC_MOUTH_VALUES], sonic_image image, const float mesh[SONIC_MESH_POINTS][3]);

#endif
