/* outline.h - the head's outline, and how far from it a point lies. */
#ifndef SONIC_DRAFT_RENDER_OUTLINE_H
#define SONIC_DRAFT_RENDER_OUTLINE_H

#include "draft/render/rig_parts.h"

/* From the mesh [468, 3] (its convex hull, seen from the centre of the face's bounding box). */
void sonic_outline_build(sonic_outline *out, const float *mesh);

/* 0 at the centre, 1 on the outline, 1.15 where it has grown by 15 %. */
float sonic_outline_ratio(const sonic_outline *outline, float x, float y);

#endif
