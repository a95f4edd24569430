#include "gate/region_map.h"

#include <math.h>
#include <string.h>

#include "gate/history.h"

#define PHASES SONIC_LATTICE_PHASES
#define MODES SONIC_LATTICE_MODES
#define PX SONIC_CELL_PX
#define BLOCKS (PX / 8 * (PX / 8))
#define REACH 1 /* a tile is a cell and its neighbours: 96 x 96 pixels */
#define CERTAIN                                                                                                        \
    0.055f /* share of coefficients that are near zero only at one position, above what positions differ by anyway */
#define GROUPS 2 /* positions whose regions are read */
#define REGION_CELLS 6

size_t sonic_cells_memory(int32_t width_px, int32_t height_px)
{
    size_t columns = (size_t)width_px / PX, rows = (size_t)height_px / PX;
    return rows * columns * PHASES + 9 * (size_t)width_px + 64;
}

void sonic_cells_init(sonic_cells *cells, int32_t width_px, int32_t height_px, int32_t near_zero, void *memory)
{
    cells->near_zero = near_zero;
    cells->columns = width_px / PX;
    cells->rows = height_px / PX;
    cells->width_px = width_px;
    cells->zeros = memory;
    cells->row = cells->zeros + (size_t)cells->rows * (size_t)cells->columns * PHASES;
    cells->band = cells->row + width_px;
    memset(memory, 0, sonic_cells_memory(width_px, height_px));
}

SONIC_WIDE
void sonic_cells_add(sonic_cells *cells, const int16_t *restrict bins, int32_t count)
{
    uint8_t *restrict row = cells->row;
    const int16_t near_zero = (int16_t)cells->near_zero;
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

static void fold_band(sonic_cells *cells, int32_t row)
{
    uint8_t *out = cells->zeros + (size_t)row * (size_t)cells->columns * PHASES;
    for (int32_t column = 0; column < cells->columns; column++, out += PHASES)
        for (int py = 0; py < 8; py++) {
            const uint8_t *sums = cells->band + (ptrdiff_t)py * cells->width_px + column * PX;
            for (int x = 0; x < PX; x++)
                out[py * 8 + x % 8] = (uint8_t)(out[py * 8 + x % 8] + sums[x]);
        }
}

void sonic_cells_end_row(sonic_cells *cells, int32_t y, int32_t last_y, int32_t count)
{
    add_bytes(cells->band + (ptrdiff_t)(y & 7) * cells->width_px, cells->row, count);
    if (y % PX != PX - 1 && y != last_y)
        return;
    if (y / PX < cells->rows)
        fold_band(cells, y / PX);
    memset(cells->band, 0, 8 * (size_t)cells->width_px);
}

/* The most special position of a tile, and how special. */
typedef struct tile {
    int32_t phase;
    float excess;
} tile;

static void add_cell(int32_t sums[PHASES], int32_t *count, const sonic_cells *cells, int32_t row, int32_t column)
{
    const uint8_t *zeros = cells->zeros + ((size_t)row * (size_t)cells->columns + (size_t)column) * PHASES;
    for (int p = 0; p < PHASES; p++)
        sums[p] += zeros[p];
    *count += BLOCKS * MODES;
}

/* What the best position has above the second that shares neither row nor column with it. */
static tile best_of(const int32_t sums[PHASES], int32_t count)
{
    int32_t best = 0, second = 0;
    for (int p = 1; p < PHASES; p++)
        if (sums[p] > sums[best])
            best = p;
    for (int p = 0; p < PHASES; p++)
        if (p / 8 != best / 8 && p % 8 != best % 8 && sums[p] > second)
            second = sums[p];
    return (tile){best, count ? (float)(sums[best] - second) / (float)count : 0};
}

static tile read_tile(const sonic_cells *cells, int32_t row, int32_t column)
{
    int32_t sums[PHASES] = {0}, count = 0;
    for (int32_t r = row - REACH; r <= row + REACH; r++)
        for (int32_t c = column - REACH; c <= column + REACH; c++)
            if (r >= 0 && c >= 0 && r < cells->rows && c < cells->columns)
                add_cell(sums, &count, cells, r, c);
    return best_of(sums, count);
}

float sonic_cells_excess(const sonic_cells *cells)
{
    int32_t sums[PHASES] = {0}, count = 0;
    for (int32_t row = 0; row < cells->rows; row++)
        for (int32_t column = 0; column < cells->columns; column++)
            add_cell(sums, &count, cells, row, column);
    return best_of(sums, count).excess;
}

static uint8_t heat_of(float excess)
{
    float value = excess * 510.0f; /* half of the coefficients is as much as a coarse table empties */
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* Orthonormal DCT of one block at the 14 modes, into the bins of `counts`. */
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
            sum += cosine[sonic_lattice_mode[m][0]][i] * across[i][sonic_lattice_mode[m][1]];
        int bin = (int)fminf(fabsf(sum) * (1.0f / SONIC_LATTICE_BIN), (float)(SONIC_LATTICE_BINS - 1));
        counts[m * SONIC_LATTICE_BINS + bin]++;
    }
}

static void fill_cosines(float cosine[5][8])
{
    for (int k = 0; k < 5; k++)
        for (int i = 0; i < 8; i++)
            cosine[k][i] =
                (float)((k ? 0.5 : 0.35355339059327376) * cos((2 * i + 1) * k * 3.14159265358979323846 / 16));
}

static void grow_box(int32_t box[4], int32_t row, int32_t column)
{
    box[0] = column * PX < box[0] ? column * PX : box[0];
    box[1] = row * PX < box[1] ? row * PX : box[1];
    box[2] = (column + 1) * PX > box[2] ? (column + 1) * PX : box[2];
    box[3] = (row + 1) * PX > box[3] ? (row + 1) * PX : box[3];
}

/* Whether the cell itself, not only its neighbourhood, belongs to the region: at the border a tile is special though
 * half of its blocks are not. */
static int cell_belongs(const sonic_cells *cells, int32_t row, int32_t column, tile t)
{
    if (row < 0 || column < 0 || row >= cells->rows || column >= cells->columns)
        return 1;
    const uint8_t *zeros = cells->zeros + ((size_t)row * (size_t)cells->columns + (size_t)column) * PHASES;
    int32_t sum = 0, positions = 0;
    for (int p = 0; p < PHASES; p++)
        if (p / 8 != t.phase / 8 && p % 8 != t.phase % 8)
            sum += zeros[p], positions++;
    float own = ((float)zeros[t.phase] - (float)sum / (float)positions) / (BLOCKS * MODES);
    return own > 0.6f * t.excess && own > CERTAIN;
}

static int inside_region(const sonic_cells *cells, int32_t row, int32_t column, int32_t phase)
{
    tile t = read_tile(cells, row, column);
    if (t.phase != phase || t.excess < CERTAIN)
        return 0;
    return cell_belongs(cells, row, column, t) && cell_belongs(cells, row - 1, column, t) &&
           cell_belongs(cells, row + 1, column, t) && cell_belongs(cells, row, column - 1, t) &&
           cell_belongs(cells, row, column + 1, t);
}

/* Blocks of the position `phase` whose first pixel lies in the cell. */
static void tally_cell(uint32_t *counts, const sonic_plane *luma, int32_t row, int32_t column, int32_t phase,
                       float cosine[5][8])
{
    for (int32_t y = row * PX + phase / 8; y < (row + 1) * PX; y += 8)
        for (int32_t x = column * PX + phase % 8; x < (column + 1) * PX; x += 8)
            if (y + 8 <= luma->height_px && x + 8 <= luma->width_px)
                tally_block(counts, luma, x, y, cosine);
}

static void read_group(sonic_region *out, const sonic_cells *cells, const sonic_plane *luma,
                       const sonic_likelihood *tables, int32_t phase, uint32_t *counts)
{
    float cosine[5][8];
    int32_t used = 0;
    *out = (sonic_region){.phase = phase, .box = {luma->width_px, luma->height_px, 0, 0}};
    fill_cosines(cosine);
    memset(counts, 0, (size_t)MODES * SONIC_LATTICE_BINS * sizeof *counts);
    for (int32_t row = 0; row < cells->rows; row++)
        for (int32_t column = 0; column < cells->columns; column++) {
            if (!inside_region(cells, row, column, phase))
                continue;
            tally_cell(counts, luma, row, column, phase, cosine);
            grow_box(out->box, row, column);
            used++;
        }
    if (used < REGION_CELLS)
        return;
    sonic_compression found;
    sonic_history_read_position(&found, tables, counts, phase);
    out->quality = found.quality;
    out->likelihood = found.likelihood;
    out->share = (float)used / (float)(cells->rows * cells->columns);
}

void sonic_cells_read(sonic_region *coarsest, uint8_t *heat, const sonic_cells *cells, const sonic_plane *luma,
                      const sonic_likelihood *tables, uint32_t *counts)
{
    float votes[PHASES] = {0};
    memset(coarsest, 0, sizeof *coarsest);
    for (int32_t row = 0; row < cells->rows; row++)
        for (int32_t column = 0; column < cells->columns; column++) {
            tile t = read_tile(cells, row, column);
            if (t.excess >= CERTAIN)
                votes[t.phase] += t.excess;
            if (heat)
                heat[row * cells->columns + column] = heat_of(t.excess);
        }
    for (int group = 0; group < GROUPS; group++) {
        sonic_region region;
        int best = 0;
        for (int p = 1; p < PHASES; p++)
            if (votes[p] > votes[best])
                best = p;
        if (votes[best] <= 0)
            return;
        votes[best] = 0;
        read_group(&region, cells, luma, tables, best, counts);
        if (region.quality && (!coarsest->quality || region.quality < coarsest->quality))
            *coarsest = region;
    }
}
