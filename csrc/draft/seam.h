/* seam.h - the line along which the lips part, from the mesh and from the pixels. */
#ifndef SONIC_DRAFT_SEAM_H
#define SONIC_DRAFT_SEAM_H

#include "draft/rig_parts.h"

/* Fills rig->seam of a rig whose frame and image are known. SONIC_ERROR_MEMORY. */
sonic_status sonic_seam_build(sonic_draft_rig *rig, const float *mesh);

#endif
