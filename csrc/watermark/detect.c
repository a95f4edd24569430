#include "watermark/detect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/scalar.h"
#include "watermark/blur.h"
#include "watermark/canonical.h"
#include "watermark/chips.h"
#include "watermark/correlate.h"
#include "watermark/payload_code.h"

enum { LENGTH_MAX = 512, PLANE_MAX = SONIC_CANONICAL_PX * LENGTH_MAX, SIDE = SONIC_CORRELATE_SIDE };
enum { OFFSET_LEAST = -24, OFFSETS = 128, SCALES = 48 };
#define SCALE_LEAST 0.78f
#define SCALE_STEP 0.006f    /* an error of half of it moves the corners by less than half a chip */
#define FINE_PX 1.0f         /* the picture is what is coarser */
#define AROUND_PX 1.5f       /* its spread is averaged over this */
#define LEAST_VARIANCE 0.49f /* below 0.7 levels differences are rounding */
#define CLIPPED 3.0f         /* standard deviations */
#define CHIP_BLUR_PX 0.9f    /* a chip's value is a mean over about its area */

struct sonic_watermark_reader {
    sonic_canonical canonical;
    int32_t frames, width, height; /* of the sum */
    float sum[PLANE_MAX], white[PLANE_MAX], scratch[PLANE_MAX];
    sonic_chips chips;
    sonic_spectrum2 pilots, pair;
    bool has_pilots;
};

/* A place of the picture in the marked one: that picture's coordinate is scale * own + (x, y). */
typedef struct place {
    float scale, x, y, score;
} place;

sonic_status sonic_watermark_reader_create(sonic_watermark_reader **out)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: there is not enough memory to read a watermark.");
    sonic_chips_fill(&(*out)->chips);
    return SONIC_OK;
}

void sonic_watermark_reader_free(sonic_watermark_reader *reader)
{
    if (!reader)
        return;
    sonic_canonical_free(&reader->canonical);
    free(reader);
}

/* Begins a sum for frames of this size. */
static sonic_status begin(sonic_watermark_reader *reader, sonic_image frame)
{
    if (reader->canonical.width_px != frame.width_px || reader->canonical.height_px != frame.height_px) {
        sonic_canonical_free(&reader->canonical);
        const sonic_status status = sonic_canonical_create(&reader->canonical, frame.width_px, frame.height_px);
        if (status) {
            sonic_canonical_free(&reader->canonical);
            return status;
        }
    }
    reader->width = reader->canonical.x.size, reader->height = reader->canonical.y.size;
    memset(reader->sum, 0, sizeof reader->sum);
    return SONIC_OK;
}

sonic_status sonic_watermark_reader_add(sonic_watermark_reader *reader, sonic_image frame)
{
    if (frame.channels != 3)
        return sonic_fail(SONIC_ERROR_SHAPE, "Give frames with 3 channels, not %d.", frame.channels);
    const sonic_canonical *canonical = &reader->canonical;
    if (reader->frames == 0) {
        const sonic_status status = begin(reader, frame);
        if (status)
            return status;
    } else if (frame.width_px != canonical->width_px || frame.height_px != canonical->height_px) {
        return sonic_fail(SONIC_ERROR_SHAPE, "Give frames of one size: %d x %d px follow on %d x %d.", frame.width_px,
                          frame.height_px, canonical->width_px, canonical->height_px);
    }
    sonic_canonical_add(reader->sum, &reader->canonical, frame);
    reader->frames++;
    return SONIC_OK;
}

SONIC_WIDE static void subtract(float *out, float *squares, const float *coarse, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        out[i] -= coarse[i];
        squares[i] = out[i] * out[i];
    }
}

/* Divided by the 3/4 power of the variance: between a matched filter and the sign alone. */
SONIC_WIDE static void normalise(float *out, const float *variance, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const float v = variance[i] + LEAST_VARIANCE;
        out[i] /= sqrtf(v * sqrtf(v));
    }
}

static void clip_outliers(float *values, int64_t count)
{
    double squares = 0;
    for (int64_t i = 0; i < count; i++)
        squares += (double)values[i] * values[i];
    const float limit = CLIPPED * (float)sqrt(squares / (double)count);
    for (int64_t i = 0; i < count; i++)
        values[i] = sonic_clampf(values[i], -limit, limit);
}

static void whiten(sonic_watermark_reader *reader)
{
    const int64_t count = (int64_t)reader->width * reader->height;
    sonic_plane work = {reader->sum, reader->width, reader->height};
    const float share = 1.0f / (float)reader->frames;
    for (int64_t i = 0; i < count; i++)
        reader->sum[i] *= share, reader->white[i] = reader->sum[i];
    sonic_plane_blur(&work, FINE_PX, reader->scratch);
    subtract(reader->white, reader->sum, reader->sum, count);
    sonic_plane_blur(&work, AROUND_PX, reader->scratch);
    normalise(reader->white, reader->sum, count);
    clip_outliers(reader->white, count);
}

static float linear_at(const float *plane, int32_t width, int32_t height, float x, float y)
{
    x = sonic_clampf(x, 0, (float)(width - 1)), y = sonic_clampf(y, 0, (float)(height - 1));
    const int32_t left = (int32_t)x, top = (int32_t)y, right = left + (left + 1 < width),
                  bottom = top + (top + 1 < height);
    const float u = x - (float)left, v = y - (float)top;
    const float *upper = plane + (ptrdiff_t)top * width, *lower = plane + (ptrdiff_t)bottom * width;
    const float a = upper[left] + u * (upper[right] - upper[left]), b = lower[left] + u * (lower[right] - lower[left]);
    return a + v * (b - a);
}

/* Sums of the picture times the chips' signs for each symbol at a place; returns how far the pilots stand out: their
 * sum over the root of the sum of squares, normal with variance 1 where there is no mark. */
static float read_chips(float symbols[SONIC_CODE_SYMBOLS], const sonic_watermark_reader *reader, place at)
{
    const float step = SONIC_CHIP_PX / at.scale, from_x = (0.5f * SONIC_CHIP_PX - at.x) / at.scale - 0.5f,
                from_y = (0.5f * SONIC_CHIP_PX - at.y) / at.scale - 0.5f;
    const int32_t first_x = (int32_t)ceilf(-from_x / step), first_y = (int32_t)ceilf(-from_y / step);
    double sum = 0, squares = 1e-12;
    memset(symbols, 0, SONIC_CODE_SYMBOLS * sizeof *symbols);
    for (int32_t j = first_y; from_y + (float)j * step <= (float)(reader->height - 1); j++) {
        const int32_t row = (j + 64 * SONIC_CHIPS) % SONIC_CHIPS;
        for (int32_t i = first_x; from_x + (float)i * step <= (float)(reader->width - 1); i++) {
            const int32_t column = (i + 64 * SONIC_CHIPS) % SONIC_CHIPS;
            const float value =
                reader->chips.sign[row][column] * linear_at(reader->scratch, reader->width, reader->height,
                                                            from_x + (float)i * step, from_y + (float)j * step);
            const int16_t symbol = reader->chips.symbol[row][column];
            if (symbol == SONIC_CHIP_PILOT)
                sum += value, squares += (double)value * value;
            else
                symbols[symbol] += value;
        }
    }
    return (float)(sum / sqrt(squares));
}

/* Reads at a place; true when the checksum is right and the pilots stand out. */
static bool read_at(sonic_watermark_found *found, const sonic_watermark_reader *reader, place at)
{
    float symbols[SONIC_CODE_SYMBOLS];
    const float pilots = read_chips(symbols, reader, at);
    uint32_t payload;
    *found = (sonic_watermark_found){false, 0, pilots, at.scale, at.x, at.y};
    if (pilots < SONIC_WATERMARK_PILOTS || !sonic_payload_decode(&payload, symbols))
        return false;
    found->found = true, found->payload = payload;
    return true;
}

/* The pilots as squares of a chip's size, transformed. */
static void transform_pilots(sonic_watermark_reader *reader)
{
    memset(&reader->pilots, 0, sizeof reader->pilots);
    for (int32_t y = 0; y < SIDE; y++)
        for (int32_t x = 0; x < SIDE; x++) {
            const int32_t row = y / SONIC_CHIP_PX, column = x / SONIC_CHIP_PX;
            if (reader->chips.symbol[row][column] == SONIC_CHIP_PILOT)
                reader->pilots.re[y * SIDE + x] = reader->chips.sign[row][column];
        }
    sonic_spectrum2_transform(&reader->pilots);
    reader->has_pilots = true;
}

/* The whitened picture at a scale, folded into the square: the grid repeats with it. */
static void fold(float *out, const sonic_watermark_reader *reader, float scale)
{
    memset(out, 0, SONIC_CORRELATE_COUNT * sizeof *out);
    const int32_t width = (int32_t)((float)reader->width * scale), height = (int32_t)((float)reader->height * scale);
    for (int32_t y = 0; y < height; y++)
        for (int32_t x = 0; x < width; x++)
            out[y % SIDE * SIDE + x % SIDE] +=
                linear_at(reader->white, reader->width, reader->height, ((float)x + 0.5f) / scale - 0.5f,
                          ((float)y + 0.5f) / scale - 0.5f);
}

/* The highest correlation within the range of offsets, in root mean squares of all of them. */
static place highest(const float *correlation, float scale)
{
    double squares = 0;
    place best = {scale, 0, 0, -1e30f};
    for (int32_t y = OFFSET_LEAST; y < OFFSET_LEAST + OFFSETS; y++)
        for (int32_t x = OFFSET_LEAST; x < OFFSET_LEAST + OFFSETS; x++) {
            const float value = correlation[(SIDE - y) % SIDE * SIDE + (SIDE - x) % SIDE];
            squares += (double)value * value;
            if (value > best.score)
                best.x = (float)x, best.y = (float)y, best.score = value;
        }
    const double spread = sqrt(squares / (OFFSETS * OFFSETS));
    best.score = spread > 0 ? (float)(best.score / spread) : 0.0f;
    return best;
}

static place search_places(sonic_watermark_reader *reader)
{
    place best = {1, 0, 0, 0};
    if (!reader->has_pilots)
        transform_pilots(reader);
    for (int i = 0; i < SCALES; i += 2) {
        const float scale = SCALE_LEAST + SCALE_STEP * (float)i;
        fold(reader->pair.re, reader, scale), fold(reader->pair.im, reader, scale + SCALE_STEP);
        sonic_correlate(&reader->pair, &reader->pilots);
        const place a = highest(reader->pair.re, scale), b = highest(reader->pair.im, scale + SCALE_STEP);
        best = a.score > best.score ? a : best;
        best = b.score > best.score ? b : best;
    }
    return best;
}

/* Steps to the neighbouring place where the pilots stand out most, at ever smaller steps. The scale changes around the
 * middle of the picture. */
static place refine(const sonic_watermark_reader *reader, place at)
{
    float symbols[SONIC_CODE_SYMBOLS];
    at.score = read_chips(symbols, reader, at);
    const float middle_x = 0.5f * (float)reader->width, middle_y = 0.5f * (float)reader->height;
    for (float step = 0.5f; step > 0.1f; step *= 0.5f)
        for (int round = 0; round < 3; round++) {
            const place from = at;
            for (int i = 0; i < 27; i++) {
                const float change = (float)(i / 9 - 1) * step * 0.006f;
                place to = {from.scale + change, from.x + (float)(i / 3 % 3 - 1) * step - change * middle_x,
                            from.y + (float)(i % 3 - 1) * step - change * middle_y, 0};
                to.score = read_chips(symbols, reader, to);
                at = to.score > at.score ? to : at;
            }
            if (at.score <= from.score)
                break;
        }
    return at;
}

sonic_status sonic_watermark_reader_read(sonic_watermark_found *found, sonic_watermark_reader *reader, bool search)
{
    *found = (sonic_watermark_found){false, 0, 0, 1, 0, 0};
    if (reader->frames == 0)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Add a frame before reading: there is none.");
    whiten(reader);
    reader->frames = 0;
    const size_t bytes = (size_t)reader->width * (size_t)reader->height * sizeof(float);
    sonic_plane blurred = {reader->scratch, reader->width, reader->height};
    memcpy(reader->scratch, reader->white, bytes);
    sonic_plane_blur(&blurred, CHIP_BLUR_PX, reader->sum);
    if (read_at(found, reader, (place){1, 0, 0, 0}) || !search)
        return SONIC_OK;
    const place best = search_places(reader);
    if (best.score < SONIC_WATERMARK_PEAK)
        return SONIC_OK;
    read_at(found, reader, refine(reader, best));
    return SONIC_OK;
}
