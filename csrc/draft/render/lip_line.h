/* lip_line.h - the line along which the lips part, from the mesh and from the pixels. */
#ifndef SONIC_DRAFT_RENDER_LIP_LINE_H
#define SONIC_DRAFT_RENDER_LIP_LINE_H

#include "draft/render/bicubic.h"
#include "draft/render/face_frame.h"

/* v as a function of u, sampled at every pixel and extended beyond the corners. */
typedef struct sonic_lip_line {
    float first_u; /* u of the first sample */
    int32_t count;
    float *v;       /* [count]; with parted lips in a frame of a clip, the lower lip's upper edge */
    float *parting; /* [count]: height of the gap above it and a small overlap, px; NULL for a portrait */
} sonic_lip_line;

typedef enum sonic_lip_source { SONIC_LIPS_OF_PORTRAIT, SONIC_LIPS_OF_FRAME } sonic_lip_source;

/* What the pixels between the lips show. */
typedef struct sonic_lips {
    float luma, red;                /* of the lower lip: luma 0..255, (r - g) / (r + g + b + 20) */
    float teeth_above, teeth_below; /* mean height of the portrait's own teeth above and below the lip line, px */
    float dark_above;               /* mean height of the dark gap that the portrait shows above the lip line, px */
    float teeth[3];                 /* mean colour of its teeth, if there are any */
    float line[3];                  /* the lip line without its details: line[0] + line[1] u + line[2] u^2 */
} sonic_lips;

/* Fills `line` and `lips`, and corrects the frame's corners of the mouth. The caller frees line->v and line->parting,
 * also after a failure. SONIC_ERROR_MEMORY.
 *
 * The mesh gives a prior, the pixels decide: the cheapest path from corner to corner is found by dynamic programming
 * (as in Avidan and Shamir, "Seam carving", 2007). Dark pixels, dark lines and the step from teeth or shadow down to
 * lip colour lower the cost; teeth below the path and distance from the mesh raise it. The path is the dark line
 * between closed lips, the lower lip's edge below a row of teeth, or the gap between two rows. In a frame of a clip
 * (SONIC_LIPS_OF_FRAME) whose lips the mesh has parted, dark pixels below the path cost as much as teeth, so that it is
 * the lower lip's edge in any case; a second path, along the upper lip's edge, gives the parting. */
sonic_status sonic_lip_line_build(sonic_lip_line *line, sonic_lips *lips, sonic_face_frame *frame,
                                  const sonic_texture *texture, const float *mesh, sonic_lip_source source);

/* values [line->count] between their samples. */
static inline float sonic_lip_line_at(const sonic_lip_line *line, const float *values, float u)
{
    float at = u - line->first_u;
    if (!(at > 0.0f))
        return values[0];
    if (at >= (float)(line->count - 1))
        return values[line->count - 1];
    int32_t i = (int32_t)at;
    return values[i] + (at - (float)i) * (values[i + 1] - values[i]);
}

static inline float sonic_lip_line_v(const sonic_lip_line *line, float u)
{
    return sonic_lip_line_at(line, line->v, u);
}

static inline float sonic_lip_line_parting(const sonic_lip_line *line, float u)
{
    return line->parting ? sonic_lip_line_at(line, line->parting, u) : 0.0f;
}

/* v of the lip line without its details. */
static inline float sonic_lips_line_v(const sonic_lips *lips, float u)
{
    return lips->line[0] + (lips->line[1] + lips->line[2] * u) * u;
}

#endif
