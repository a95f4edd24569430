/* table_estimate.h - a quantisation table that is no standard one, found in the coefficients of a plane whose grid is
 * known. */
#ifndef SONIC_REPAIR_TABLE_ESTIMATE_H
#define SONIC_REPAIR_TABLE_ESTIMATE_H

#include "repair/plane.h"

#define SONIC_TABLE_ESTIMATE_SCRATCH (64 * 4096 * sizeof(float))

/* Writes grid->steps from grid->row_px and column_px; the number of modes whose step the coefficients tell. The others,
 * in which next to nothing was kept, get the standard table's step at the scale of those, but none larger than the
 * largest of those. 0 when there are fewer than six. */
int32_t sonic_table_estimate(sonic_repair_grid *grid, const sonic_plane *plane, float *scratch);

#endif
