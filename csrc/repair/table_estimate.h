/* table_estimate.h - estimates a custom quantisation table from the coefficients of a plane whose grid is known. */
#ifndef SONIC_REPAIR_TABLE_ESTIMATE_H
#define SONIC_REPAIR_TABLE_ESTIMATE_H

#include "repair/plane.h"

#define SONIC_TABLE_ESTIMATE_SCRATCH (64 * 4096 * sizeof(float))

/* Writes grid->steps for grid->row_px and column_px; the number of modes with an estimate, 0 when they are fewer than
 * six. The others, nearly all zero, get the step of the standard table at the median scale of those, limited to their
 * largest. scratch: SONIC_TABLE_ESTIMATE_SCRATCH bytes. */
int32_t sonic_table_estimate(sonic_repair_grid *grid, const sonic_plane *plane, float *scratch);

#endif
