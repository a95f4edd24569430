#include "gate/jpeg_reader.h"

#include <string.h>

static void on_error(j_common_ptr common)
{
    sonic_jpeg_reader *r = common->client_data;
    common->err->format_message(common, r->text);
    longjmp(r->escape, 1);
}

static void on_message(j_common_ptr common, int level)
{
    if (level < 0)
        common->err->num_warnings++;
}

static void ignore_message(j_common_ptr common) { (void)common; }

/* libjpeg calls this several times a scan. A small file can claim thousands of scans of many pixels. */
static void on_progress(j_common_ptr common)
{
    sonic_jpeg_reader *r = common->client_data;
    if (r->jpeg.input_scan_number <= SONIC_JPEG_SCANS_MAX)
        return;
    r->too_many_scans = 1;
    longjmp(r->escape, 1);
}

void sonic_jpeg_reader_prepare(sonic_jpeg_reader *r)
{
    memset(r, 0, sizeof *r);
    r->jpeg.err = jpeg_std_error(&r->errors);
    r->errors.error_exit = on_error;
    r->errors.emit_message = on_message;
    r->errors.output_message = ignore_message;
    r->jpeg.client_data = r;
    r->progress.progress_monitor = on_progress;
}

void sonic_jpeg_reader_open(sonic_jpeg_reader *r, const uint8_t *bytes, size_t size)
{
    jpeg_create_decompress(&r->jpeg);
    r->jpeg.progress = &r->progress;
    jpeg_mem_src(&r->jpeg, bytes, (unsigned long)size);
}
