#include "gate/region_map.h"

#include <string.h>

#include "core/plane.h" /* SONIC_WIDE */

#define OFFSETS SONIC_GRID_OFFSETS
#define MODES SONIC_DCT_MODES
#define PX SONIC_REGION_TILE_PX
#define BLOCKS (PX / 8 * (PX / 8))
#define REACH 1 /* tiles on either side of the window */

size_t sonic_region_map_memory(int32_t width_px, int32_t height_px)
{
    size_t columns = (size_t)width_px / PX, rows = (size_t)height_px / PX;
    return rows * columns * OFFSETS + 9 * (size_t)width_px + 64;
}

void sonic_region_map_init(sonic_region_map *map, int32_t width_px, int32_t height_px, int32_t near_zero, void *memory)
{
    map->near_zero = near_zero;
    map->columns = width_px / PX;
    map->rows = height_px / PX;
    map->width_px = width_px;
    map->zeros = memory;
    map->row = map->zeros + (size_t)map->rows * (size_t)map->columns * OFFSETS;
    map->band = map->row + width_px;
    memset(memory, 0, sonic_region_map_memory(width_px, height_px));
}

SONIC_WIDE
void sonic_region_map_add(sonic_region_map *map, const int16_t *restrict bins, int32_t count)
{
    uint8_t *restrict row = map->row;
    const int16_t near_zero = (int16_t)map->near_zero;
    for (int32_t x = 0; x < count; x++)
        row[x] = (uint8_t)(row[x] + (bins[x] < near_zero));
}

SONIC_WIDE
static void add_bytes(uint8_t *restrict sums, uint8_t *restrict row, int32_t count)
{
    for (int32_t x = 0; x < count; x++) {
        sums[x] = (uint8_t)(sums[x] + row[x]);
        row[x] = 0;
    }
}

static void fold_band(sonic_region_map *map, int32_t row)
{
    uint8_t *out = map->zeros + (size_t)row * (size_t)map->columns * OFFSETS;
    for (int32_t column = 0; column < map->columns; column++, out += OFFSETS)
        for (int py = 0; py < 8; py++) {
            const uint8_t *sums = map->band + (ptrdiff_t)py * map->width_px + column * PX;
            for (int x = 0; x < PX; x++)
                out[py * 8 + x % 8] = (uint8_t)(out[py * 8 + x % 8] + sums[x]);
        }
}

void sonic_region_map_end_row(sonic_region_map *map, int32_t y, int32_t last_y, int32_t count)
{
    add_bytes(map->band + (ptrdiff_t)(y & 7) * map->width_px, map->row, count);
    if (y % PX != PX - 1 && y != last_y)
        return;
    if (y / PX < map->rows)
        fold_band(map, y / PX);
    memset(map->band, 0, 8 * (size_t)map->width_px);
}

static void add_tile(int32_t sums[OFFSETS], int32_t *count, const sonic_region_map *map, int32_t row, int32_t column)
{
    const uint8_t *zeros = map->zeros + ((size_t)row * (size_t)map->columns + (size_t)column) * OFFSETS;
    for (int p = 0; p < OFFSETS; p++)
        sums[p] += zeros[p];
    *count += BLOCKS * MODES;
}

static sonic_region_peak peak_of(const int32_t sums[OFFSETS], int32_t count)
{
    int best = 0;
    int32_t second = 0;
    for (int p = 1; p < OFFSETS; p++)
        if (sums[p] > sums[best])
            best = p;
    for (int p = 0; p < OFFSETS; p++)
        if (sonic_grid_offsets_apart(p, best) && sums[p] > second)
            second = sums[p];
    return (sonic_region_peak){best, count ? (float)(sums[best] - second) / (float)count : 0};
}

sonic_region_peak sonic_region_map_peak(const sonic_region_map *map, int32_t row, int32_t column)
{
    int32_t sums[OFFSETS] = {0}, count = 0;
    for (int32_t r = row - REACH; r <= row + REACH; r++)
        for (int32_t c = column - REACH; c <= column + REACH; c++)
            if (r >= 0 && c >= 0 && r < map->rows && c < map->columns)
                add_tile(sums, &count, map, r, c);
    return peak_of(sums, count);
}

float sonic_region_map_excess(const sonic_region_map *map)
{
    int32_t sums[OFFSETS] = {0}, count = 0;
    for (int32_t row = 0; row < map->rows; row++)
        for (int32_t column = 0; column < map->columns; column++)
            add_tile(sums, &count, map, row, column);
    return peak_of(sums, count).excess;
}
