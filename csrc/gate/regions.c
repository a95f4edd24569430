#include "gate/regions.h"

#include <math.h>
#include <string.h>

#include "gate/history.h"

#define OFFSETS SONIC_GRID_OFFSETS
#define MODES SONIC_DCT_MODES
#define PX SONIC_REGION_TILE_PX
#define BLOCKS (PX / 8 * (PX / 8))

/* Chosen by hand on the variants of bench/gate.py ("paste", "frame" and the good ones). */
#define EXCESS_MIN 0.055f /* of a window that belongs to a region */
#define TILE_SHARE 0.6f   /* least excess of a tile, as a share of its window's */
#define TILES_MIN 6       /* in a region */
#define REGIONS 2         /* grid offsets whose regions are read */

static uint8_t heat_of(float excess)
{
    float value = excess * 510.0f; /* 255 at a share of one half, the most that a coarse table zeroes */
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* Counts one block in `counts`, by its orthonormal DCT; clipped blocks are skipped. */
static void tally_block(uint32_t *counts, const sonic_plane *luma, int32_t x, int32_t y, float cosine[5][8])
{
    float across[8][5];
    for (int i = 0; i < 8; i++) {
        const float *row = sonic_plane_row(luma, y + i) + x;
        for (int k = 0; k < 8; k++)
            if (row[k] <= 1.0f || row[k] >= 254.0f)
                return;
        for (int v = 0; v < 5; v++) {
            across[i][v] = 0;
            for (int k = 0; k < 8; k++)
                across[i][v] += cosine[v][k] * row[k];
        }
    }
    for (int m = 0; m < MODES; m++) {
        float sum = 0;
        for (int i = 0; i < 8; i++)
            sum += cosine[sonic_dct_mode[m][0]][i] * across[i][sonic_dct_mode[m][1]];
        int bin = (int)fminf(fabsf(sum) * (1.0f / SONIC_DCT_BIN_WIDTH), (float)(SONIC_DCT_BINS - 1));
        counts[m * SONIC_DCT_BINS + bin]++;
    }
}

static void fill_cosines(float cosine[5][8])
{
    for (int k = 0; k < 5; k++)
        for (int i = 0; i < 8; i++)
            cosine[k][i] =
                (float)((k ? 0.5 : 0.35355339059327376) * cos((2 * i + 1) * k * 3.14159265358979323846 / 16));
}

/* Whether the tile itself belongs to the region: at a region's border the window peaks, but half of its tiles do not.
 */
static int tile_belongs(const sonic_region_map *map, int32_t row, int32_t column, sonic_region_peak peak)
{
    if (row < 0 || column < 0 || row >= map->rows || column >= map->columns)
        return 1;
    const uint8_t *zeros = map->zeros + ((size_t)row * (size_t)map->columns + (size_t)column) * OFFSETS;
    int32_t sum = 0, others = 0;
    for (int p = 0; p < OFFSETS; p++)
        if (sonic_grid_offsets_apart(p, peak.grid_offset))
            sum += zeros[p], others++;
    float own = ((float)zeros[peak.grid_offset] - (float)sum / (float)others) / (BLOCKS * MODES);
    return own > TILE_SHARE * peak.excess && own > EXCESS_MIN;
}

static int inside_region(const sonic_region_map *map, int32_t row, int32_t column, int32_t grid_offset)
{
    sonic_region_peak peak = sonic_region_map_peak(map, row, column);
    if (peak.grid_offset != grid_offset || peak.excess < EXCESS_MIN)
        return 0;
    return tile_belongs(map, row, column, peak) && tile_belongs(map, row - 1, column, peak) &&
           tile_belongs(map, row + 1, column, peak) && tile_belongs(map, row, column - 1, peak) &&
           tile_belongs(map, row, column + 1, peak);
}

/* One pass over the region: counts its blocks, or puts them to the vote. The number of its tiles. */
static int32_t visit_region(const sonic_region_map *map, const sonic_plane *luma, int32_t grid_offset, uint32_t *counts,
                            sonic_block_poll *poll)
{
    float cosine[5][8];
    int32_t used = 0;
    fill_cosines(cosine);
    for (int32_t row = 0; row < map->rows; row++)
        for (int32_t column = 0; column < map->columns; column++) {
            if ((poll && sonic_block_poll_is_full(poll)) || !inside_region(map, row, column, grid_offset))
                continue;
            used++;
            for (int32_t y = row * PX + grid_offset / 8; y < (row + 1) * PX; y += 8)
                for (int32_t x = column * PX + grid_offset % 8; x < (column + 1) * PX; x += 8)
                    if (y + 8 > luma->height_px || x + 8 > luma->width_px)
                        continue;
                    else if (poll)
                        sonic_block_poll_add(poll, luma, x, y);
                    else
                        tally_block(counts, luma, x, y, cosine);
        }
    return used;
}

static void read_region(sonic_region *out, const sonic_region_map *map, const sonic_plane *luma,
                        const sonic_likelihood *tables, int32_t grid_offset, uint32_t *counts)
{
    sonic_block_poll poll;
    *out = (sonic_region){.grid_offset = grid_offset};
    memset(counts, 0, (size_t)MODES * SONIC_DCT_BINS * sizeof *counts);
    const int32_t used = visit_region(map, luma, grid_offset, counts, NULL);
    if (used < TILES_MIN)
        return;
    sonic_compression found;
    sonic_history_read_offset(&found, tables, counts, grid_offset);
    out->quality = found.quality;
    out->likelihood = found.likelihood;
    out->share = (float)used / (float)(map->rows * map->columns);
    if (!found.quality)
        return;
    sonic_history_poll(&poll, &found);
    visit_region(map, luma, grid_offset, NULL, &poll);
    out->votes = poll.votes;
}

void sonic_regions_find(sonic_region *coarsest, uint8_t *heat, const sonic_region_map *map, const sonic_plane *luma,
                        const sonic_likelihood *tables, uint32_t *counts)
{
    float votes[OFFSETS] = {0};
    memset(coarsest, 0, sizeof *coarsest);
    for (int32_t row = 0; row < map->rows; row++)
        for (int32_t column = 0; column < map->columns; column++) {
            sonic_region_peak peak = sonic_region_map_peak(map, row, column);
            if (peak.excess >= EXCESS_MIN)
                votes[peak.grid_offset] += peak.excess;
            if (heat)
                heat[row * map->columns + column] = heat_of(peak.excess);
        }
    for (int i = 0; i < REGIONS; i++) {
        sonic_region region;
        int best = 0;
        for (int p = 1; p < OFFSETS; p++)
            if (votes[p] > votes[best])
                best = p;
        if (votes[best] <= 0)
            return;
        votes[best] = 0;
        read_region(&region, map, luma, tables, best, counts);
        if (region.quality && (!coarsest->quality || region.quality < coarsest->quality))
            *coarsest = region;
    }
}
