#include "gate/jpeg.h"

#include <stdlib.h>
#include <string.h>

#include "gate/double_compression.h"
#include "gate/jpeg_reader.h"

int32_t sonic_jpeg_is(const uint8_t *bytes, size_t size)
{
    return size > 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

static void read_table(sonic_quality_estimate *out, const jpeg_component_info *component, const sonic_jpeg_reader *r,
                       int32_t chroma)
{
    const JQUANT_TBL *table =
        component->quant_table ? component->quant_table : r->jpeg.quant_tbl_ptrs[component->quant_tbl_no & 3];
    if (!table)
        return;
    uint16_t steps[64];
    for (int i = 0; i < 64; i++)
        steps[i] = table->quantval[i];
    *out = sonic_quality_of_table(steps, chroma);
}

static sonic_status read_headers(sonic_jpeg_facts *out, sonic_jpeg_reader *r)
{
    jpeg_read_header(&r->jpeg, TRUE);
    const struct jpeg_decompress_struct *j = &r->jpeg;
    if ((uint64_t)j->image_width * j->image_height > SONIC_JPEG_PIXELS_MAX)
        return sonic_fail(SONIC_ERROR_FORMAT, "Make the picture smaller: it has %u x %u pixels.", j->image_width,
                          j->image_height);
    out->width_px = (int32_t)j->image_width;
    out->height_px = (int32_t)j->image_height;
    out->components = j->num_components;
    out->progressive = j->progressive_mode != 0;
    out->horizontal = out->vertical = 1;
    read_table(&out->luma, &j->comp_info[0], r, 0);
    if (j->num_components >= 3) {
        read_table(&out->chroma, &j->comp_info[1], r, 1);
        out->horizontal =
            j->comp_info[1].h_samp_factor ? j->comp_info[0].h_samp_factor / j->comp_info[1].h_samp_factor : 1;
        out->vertical =
            j->comp_info[1].v_samp_factor ? j->comp_info[0].v_samp_factor / j->comp_info[1].v_samp_factor : 1;
    }
    return SONIC_OK;
}

static void tally_row(sonic_double_compression_counts *counts, const JBLOCK *blocks, JDIMENSION width)
{
    for (JDIMENSION x = 0; x < width; x++)
        for (int m = 0; m < SONIC_DCT_MODES; m++) {
            int n = abs(blocks[x][sonic_dct_mode[m][0] * 8 + sonic_dct_mode[m][1]]);
            counts->count[m][n < SONIC_DOUBLE_COMPRESSION_LEVELS ? n : SONIC_DOUBLE_COMPRESSION_LEVELS - 1]++;
        }
}

static void read_coefficients(sonic_jpeg_facts *out, sonic_double_compression_counts *counts, sonic_jpeg_reader *r)
{
    jvirt_barray_ptr *arrays = jpeg_read_coefficients(&r->jpeg);
    const jpeg_component_info *luma = &r->jpeg.comp_info[0];
    if (!arrays || !luma->quant_table)
        return;
    for (int m = 0; m < SONIC_DCT_MODES; m++)
        counts->step[m] = luma->quant_table->quantval[sonic_dct_mode[m][0] * 8 + sonic_dct_mode[m][1]];
    for (JDIMENSION y = 0; y < luma->height_in_blocks; y++) {
        JBLOCKARRAY row = r->jpeg.mem->access_virt_barray((j_common_ptr)&r->jpeg, arrays[0], y, 1, FALSE);
        tally_row(counts, row[0], luma->width_in_blocks);
    }
    out->scans = r->jpeg.input_scan_number;
    out->coefficients = 1;
}

/* What is read after a longjmp must not live in registers: facts and counts belong to the caller. */
static sonic_status read_all(sonic_jpeg_facts *out, sonic_double_compression_counts *counts, sonic_jpeg_reader *r,
                             const uint8_t *bytes, size_t size, int32_t with_coefficients)
{
    if (setjmp(r->escape)) {
        if (r->too_many_scans)
            return sonic_fail(SONIC_ERROR_FORMAT, "Save the picture again: the JPEG file has more than %d scans.",
                              SONIC_JPEG_SCANS_MAX);
        return out->width_px
                   ? SONIC_OK
                   : sonic_fail(SONIC_ERROR_FORMAT,
                                "Save the picture again: the JPEG file's headers cannot be read (%s).", r->text);
    }
    sonic_jpeg_reader_open(r, bytes, size);
    sonic_status status = read_headers(out, r);
    if (status == SONIC_OK && with_coefficients &&
        (int64_t)out->width_px * out->height_px <= SONIC_JPEG_COEFFICIENT_PIXELS_MAX)
        read_coefficients(out, counts, r);
    return status;
}

sonic_status sonic_jpeg_read(sonic_jpeg_facts *out, const uint8_t *bytes, size_t size, int32_t with_coefficients)
{
    memset(out, 0, sizeof *out);
    if (!sonic_jpeg_is(bytes, size))
        return sonic_fail(SONIC_ERROR_FORMAT, "Give the bytes of a JPEG file: these are of another format.");
    sonic_jpeg_reader *r = malloc(sizeof *r);
    sonic_double_compression_counts *counts = calloc(1, sizeof *counts);
    sonic_status status = SONIC_ERROR_MEMORY;
    if (r && counts) {
        sonic_jpeg_reader_prepare(r);
        status = read_all(out, counts, r, bytes, size, with_coefficients);
        out->warnings = (int32_t)r->errors.num_warnings + (with_coefficients && status == SONIC_OK && r->text[0]);
        jpeg_destroy_decompress(&r->jpeg);
    } else {
        sonic_fail(status, "Close other programs: there is not enough memory to read a JPEG file.");
    }
    if (status == SONIC_OK && out->coefficients && out->luma.quality >= SONIC_DOUBLE_COMPRESSION_LAST_QUALITY)
        sonic_double_compression_find(&out->primary, counts);
    free(counts);
    free(r);
    return status;
}
