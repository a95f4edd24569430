#include "repair/jpeg.h"

#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/parallel.h"
#include "gate/jpeg.h"
#include "gate/jpeg_reader.h"
#include "repair/block.h"
#include "repair/colour.h"
#include "repair/plane.h"

#define FACTOR_MAX 4

typedef struct file {
    sonic_jpeg_reader reader;
    sonic_arena *arena;
    sonic_components components;
    sonic_repair_grid grids[3];
    sonic_plane spare; /* as large as the largest component */
} file;

static sonic_status check(const struct jpeg_decompress_struct *j, sonic_image rgb)
{
    if ((int32_t)j->image_width != rgb.width_px || (int32_t)j->image_height != rgb.height_px || rgb.channels != 3)
        return sonic_fail(SONIC_ERROR_SHAPE, "Give rgb as [%u, %u, 3], the size of the picture in the file.",
                          j->image_height, j->image_width);
    if ((int64_t)rgb.width_px * rgb.height_px > SONIC_JPEG_COEFFICIENT_PIXELS_MAX)
        return sonic_fail(SONIC_ERROR_FORMAT, "Make the picture smaller: repair takes up to %d million pixels.",
                          SONIC_JPEG_COEFFICIENT_PIXELS_MAX / 1000000);
    const int32_t grey = j->num_components == 1 && j->jpeg_color_space == JCS_GRAYSCALE;
    const int32_t colour =
        j->num_components == 3 && (j->jpeg_color_space == JCS_YCbCr || j->jpeg_color_space == JCS_RGB);
    if (j->data_precision != 8 || !(grey || colour))
        return sonic_fail(
            SONIC_ERROR_FORMAT,
            "Save the picture as RGB: repair takes grey, YCbCr and RGB JPEG files of 8 bits, and this one "
            "has %d components.",
            j->num_components);
    return SONIC_OK;
}

static sonic_status measure(file *f)
{
    const struct jpeg_decompress_struct *j = &f->reader.jpeg;
    f->components.count = j->num_components;
    f->components.ycc = j->jpeg_color_space == JCS_YCbCr;
    for (int i = 0; i < j->num_components; i++) {
        const jpeg_component_info *info = &j->comp_info[i];
        sonic_component *c = &f->components.component[i];
        c->across = j->max_h_samp_factor / info->h_samp_factor;
        c->down = j->max_v_samp_factor / info->v_samp_factor;
        if (c->across * info->h_samp_factor != j->max_h_samp_factor ||
            c->down * info->v_samp_factor != j->max_v_samp_factor || c->across == 3 || c->across > FACTOR_MAX ||
            c->down > FACTOR_MAX)
            return sonic_fail(SONIC_ERROR_FORMAT,
                              "Save the picture again with common subsampling: this file's is %d of %d by %d of %d.",
                              info->h_samp_factor, j->max_h_samp_factor, info->v_samp_factor, j->max_v_samp_factor);
        c->width_px = (int32_t)((j->image_width + (JDIMENSION)c->across - 1) / (JDIMENSION)c->across);
        c->height_px = (int32_t)((j->image_height + (JDIMENSION)c->down - 1) / (JDIMENSION)c->down);
        c->plane.width_px = (c->width_px + 7) / 8 * 8;
        c->plane.height_px = (c->height_px + 7) / 8 * 8;
    }
    return SONIC_OK;
}

static size_t plane_bytes(const sonic_plane *plane)
{
    return (size_t)plane->width_px * (size_t)plane->height_px * sizeof(float);
}

static sonic_status reserve(file *f)
{
    size_t sum = 0, largest = 0;
    for (int32_t i = 0; i < f->components.count; i++) {
        const size_t bytes = plane_bytes(&f->components.component[i].plane);
        sum += sonic_arena_piece(bytes);
        largest = bytes > largest ? bytes : largest;
    }
    sonic_status status = sonic_arena_create(&f->arena, sum + sonic_arena_piece(largest));
    if (status != SONIC_OK)
        return status;
    for (int32_t i = 0; i < f->components.count; i++)
        f->components.component[i].plane.data =
            sonic_arena_take(f->arena, plane_bytes(&f->components.component[i].plane));
    f->spare.data = sonic_arena_take(f->arena, largest);
    return SONIC_OK;
}

SONIC_WIDE
static void restore_block(float *restrict out, ptrdiff_t stride, const JCOEF *restrict coefficients,
                          const float *restrict steps, const sonic_block *transposed)
{
    sonic_block block;
    for (int k = 0; k < 64; k++)
        block.v[k / 8][k % 8] = (float)coefficients[k] * steps[k];
    sonic_block_inverse(&block, &block, transposed);
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++)
            out[y * stride + x] = block.v[y][x];
}

static int32_t read_component(file *f, jvirt_barray_ptr array, int32_t i)
{
    const jpeg_component_info *info = &f->reader.jpeg.comp_info[i];
    const sonic_plane *plane = &f->components.component[i].plane;
    sonic_block transposed;
    if (!info->quant_table || (int32_t)info->width_in_blocks * 8 < plane->width_px ||
        (int32_t)info->height_in_blocks * 8 < plane->height_px)
        return 0;
    for (int k = 0; k < 64; k++)
        f->grids[i].steps[k] = info->quant_table->quantval[k] ? info->quant_table->quantval[k] : 1;
    sonic_block_transpose(&transposed, &sonic_block_cosine);
    for (int32_t y = 0; y < plane->height_px; y += 8) {
        JBLOCKARRAY row =
            f->reader.jpeg.mem->access_virt_barray((j_common_ptr)&f->reader.jpeg, array, (JDIMENSION)(y / 8), 1, FALSE);
        for (int32_t x = 0; x < plane->width_px; x += 8)
            restore_block(plane->data + (ptrdiff_t)y * plane->width_px + x, plane->width_px, row[0][x / 8],
                          f->grids[i].steps, &transposed);
    }
    return 1;
}

static sonic_status damaged(const file *f)
{
    if (f->reader.too_many_scans)
        return sonic_fail(SONIC_ERROR_FORMAT, "Save the picture again: the JPEG file has more than %d scans.",
                          SONIC_JPEG_SCANS_MAX);
    return sonic_fail(SONIC_ERROR_FORMAT, "Save the picture again: the JPEG file is damaged (%s).",
                      f->reader.text[0] ? f->reader.text : "data is missing");
}

/* What is read after a longjmp lives in *f. */
static sonic_status read_planes(file *f, sonic_image rgb, const uint8_t *bytes, size_t size)
{
    if (setjmp(f->reader.escape))
        return damaged(f);
    sonic_jpeg_reader_open(&f->reader, bytes, size);
    jpeg_read_header(&f->reader.jpeg, TRUE);
    sonic_status status = check(&f->reader.jpeg, rgb);
    if (status == SONIC_OK)
        status = measure(f);
    if (status == SONIC_OK)
        status = reserve(f);
    if (status != SONIC_OK)
        return status;
    jvirt_barray_ptr *arrays = jpeg_read_coefficients(&f->reader.jpeg);
    for (int32_t i = 0; i < f->components.count; i++)
        if (!arrays || !read_component(f, arrays[i], i))
            return damaged(f);
    return f->reader.errors.num_warnings ? damaged(f) : SONIC_OK;
}

static sonic_status repair_components(file *f)
{
    sonic_status status = SONIC_OK;
    for (int32_t i = 0; i < f->components.count && status == SONIC_OK; i++) {
        sonic_plane *plane = &f->components.component[i].plane;
        f->spare.width_px = plane->width_px;
        f->spare.height_px = plane->height_px;
        status = sonic_repair_plane(&f->spare, plane, &f->grids[i]);
        if (status == SONIC_OK)
            memcpy(plane->data, f->spare.data, plane_bytes(plane));
    }
    return status;
}

sonic_status sonic_repair_jpeg(sonic_image rgb, const uint8_t *bytes, size_t size)
{
    if (!sonic_jpeg_is(bytes, size))
        return sonic_fail(SONIC_ERROR_FORMAT, "Give the bytes of a JPEG file: these are of another format.");
    file *f = calloc(1, sizeof *f);
    if (!f)
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: there is not enough memory to read a JPEG file.");
    sonic_jpeg_reader_prepare(&f->reader);
    sonic_status status = read_planes(f, rgb, bytes, size);
    jpeg_destroy_decompress(&f->reader.jpeg); /* frees the coefficients */
    if (status == SONIC_OK)
        status = repair_components(f);
    if (status == SONIC_OK)
        sonic_components_to_rgb(rgb, &f->components);
    sonic_arena_free(f->arena);
    free(f);
    return status;
}
