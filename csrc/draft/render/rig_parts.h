/* rig_parts.h - what a rig consists of; for the files of this folder alone. All lengths are pixels of the portrait.
 *
 * The face frame: origin between the lips, u along the face's width (to the picture's right when upright), v down the
 * face. */
#ifndef SONIC_DRAFT_RENDER_RIG_PARTS_H
#define SONIC_DRAFT_RENDER_RIG_PARTS_H

#include "draft/render/rig.h"

typedef struct sonic_face_frame {
    float origin_x, origin_y;
    float ux, uy, vx, vy;       /* unit vectors of u and v in the picture */
    float height;               /* |10-152|, the unit of poses */
    float left, right;          /* u of the mouth's corners, left < 0 < right */
    float chin, nose;           /* v of the chin's lowest point and of the nose's base */
    float upper_lip, lower_lip; /* thickness of the lips in the middle */
    float reading;              /* how far the lips have to part for the face mesh to read 1 */
} sonic_face_frame;

static inline float sonic_frame_u(const sonic_face_frame *f, float x, float y)
{
    return (x - f->origin_x) * f->ux + (y - f->origin_y) * f->uy;
}

static inline float sonic_frame_v(const sonic_face_frame *f, float x, float y)
{
    return (x - f->origin_x) * f->vx + (y - f->origin_y) * f->vy;
}

/* The line along which the lips part: v as a function of u, sampled at every pixel and going on beyond the corners. */
typedef struct sonic_seam {
    float first_u; /* u of the first sample */
    int32_t count;
    float *v; /* [count] */
} sonic_seam;

static inline float sonic_seam_v(const sonic_seam *seam, float u)
{
    float at = u - seam->first_u;
    if (!(at > 0.0f))
        return seam->v[0];
    if (at >= (float)(seam->count - 1))
        return seam->v[seam->count - 1];
    int32_t i = (int32_t)at;
    return seam->v[i] + (at - (float)i) * (seam->v[i + 1] - seam->v[i]);
}

/* What the pixels between the lips say. */
typedef struct sonic_lips {
    float luma, red;                /* of the lower lip: brightness 0..255, (r - g) / (r + g + b + 20) */
    float teeth_above, teeth_below; /* mean height of the portrait's own teeth above and below the seam, px */
    float dark_above;               /* mean height of the dark gap that the portrait shows above the seam, px */
    float teeth[3];                 /* mean colour of its teeth, if there are any */
    float line[3];                  /* the seam without its details: line[0] + line[1] u + line[2] u^2 */
} sonic_lips;

static inline float sonic_tooth_line(const sonic_lips *lips, float u)
{
    return lips->line[0] + (lips->line[1] + lips->line[2] * u) * u;
}

/* Head outline: the mesh's convex hull as a distance from its centre for each direction. */
enum { SONIC_OUTLINE_DIRECTIONS = 256 };
typedef struct sonic_outline {
    float x, y;
    float radius[SONIC_OUTLINE_DIRECTIONS];
} sonic_outline;

/* Coarse grid over the whole picture: node (column, row) lies at pixel (column, row) * step. */
typedef struct sonic_grid {
    int32_t columns, rows, step;
} sonic_grid;

enum {
    SONIC_BASIS_OPEN,  /* lips parted by one pixel, from corner to corner */
    SONIC_BASIS_HOLE,  /* the same with the corners still closed, as for o and u */
    SONIC_BASIS_CHIN,  /* chin lowered by one pixel */
    SONIC_BASIS_WIDTH, /* width + 1 */
    SONIC_BASIS_ROUND, /* rounding 1 */
    SONIC_BASIS_PRESS, /* press 1 */
    SONIC_BASIS_COUNT
};
enum { SONIC_UPPER_X, SONIC_UPPER_Y, SONIC_LOWER_X, SONIC_LOWER_Y, SONIC_COMPONENTS };

/* Portrait as float RGBX with a border of repeated pixels, so that a 4x4 neighbourhood needs no checks. */
enum { SONIC_BORDER = 4 };
typedef struct sonic_texture {
    int32_t width, height; /* without the border */
    ptrdiff_t stride;      /* floats from row to row */
    float *pixels;         /* at the border's corner */
} sonic_texture;

/* The inside of the mouth; colours 0..255, lengths in px. */
enum { SONIC_TEETH = 6 }; /* per side, from the middle */
typedef struct sonic_interior {
    float cavity[3], flesh[3], teeth[3];
    float own_teeth;               /* 1: the portrait shows what is behind its upper lip, 0: teeth are drawn */
    float half;                    /* half the mouth's width */
    float upper_edge[SONIC_TEETH]; /* outer side of each tooth, from the middle */
    float lower_edge[SONIC_TEETH];
    float upper_drop, lower_rise; /* how far the rows reach beyond the seam, middle teeth */
    float softness;               /* width of an edge in this portrait */
    float grain;                  /* standard deviation of its noise, levels */
} sonic_interior;

/* One eye in its own frame (eyes.h): a is -1 and 1 at the corners, b in px. */
enum { SONIC_EYES = 2 };
typedef struct sonic_eye {
    int32_t moves;            /* 0: leave it alone */
    float x, y, ax, ay, half; /* middle between the corners, direction of a, half their distance */
    float upper[4], lower[4]; /* the lids' edges: b as a cubic in a */
    float open, fold;         /* distance of the lids in the middle; height of the skin that follows the lid */
} sonic_eye;

struct sonic_draft_rig {
    sonic_face_frame frame;
    sonic_seam seam;
    sonic_lips lips;
    sonic_outline outline;
    sonic_grid grid;
    float *basis;     /* [SONIC_BASIS_COUNT, SONIC_COMPONENTS, rows, columns] */
    float *sway;      /* [rows, columns] share of the head's motion, 0..1 */
    float widest_gap; /* how far the lips can part before the chin runs out of room, px */
    sonic_texture texture;
    uint8_t *image; /* [height, width, 3] */
    sonic_interior interior;
    sonic_eye eyes[SONIC_EYES];
};

#endif
