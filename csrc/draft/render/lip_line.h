/* lip_line.h - the line along which the lips part, from the mesh and from the pixels. */
#ifndef SONIC_DRAFT_RENDER_LIP_LINE_H
#define SONIC_DRAFT_RENDER_LIP_LINE_H

#include "draft/render/rig_parts.h"

/* Fills rig->seam and rig->lips of a rig whose frame and texture are known, and corrects the
 * frame's corners of the mouth. SONIC_ERROR_MEMORY.
 *
 * The mesh tells roughly where the lips meet; the pixels decide. Across the mouth, the cheapest path from corner to
 * corner is found by dynamic programming (as in Avidan and Shamir, "Seam carving", 2007) where dark pixels, dark lines
 * and the step from teeth or shadow down to lip colour are cheap, teeth under the path and distance from the mesh are
 * dear: the dark line between closed lips, the lower lip's edge under a row of teeth, or the gap between two rows. */
sonic_status sonic_seam_build(sonic_draft_rig *rig, const float *mesh);

#endif
