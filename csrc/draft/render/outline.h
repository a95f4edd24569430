/* outline.h - the outline of the head: the mesh's convex hull as a radius per direction. */
#ifndef SONIC_DRAFT_RENDER_OUTLINE_H
#define SONIC_DRAFT_RENDER_OUTLINE_H

enum { SONIC_OUTLINE_DIRECTIONS = 256 };
typedef struct sonic_outline {
    float x, y;                             /* centre of the mesh's bounding box */
    float radius[SONIC_OUTLINE_DIRECTIONS]; /* direction i: i / SONIC_OUTLINE_DIRECTIONS of a turn from +x to +y */
} sonic_outline;

/* From the mesh [468, 3]. */
void sonic_outline_build(sonic_outline *out, const float *mesh);

/* 0 at the centre, 1 on the outline, 1.15 where it has grown by 15 %. */
float sonic_outline_ratio(const sonic_outline *outline, float x, float y);

#endif
