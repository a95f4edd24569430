/* jpeg_reader.h - libjpeg's decoder with a limit on scans; errors jump to `escape` instead of ending the process. */
#ifndef SONIC_GATE_JPEG_READER_H
#define SONIC_GATE_JPEG_READER_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jpeglib.h>

/* Files with more scans are refused: a decoder visits every pixel once a scan. */
#define SONIC_JPEG_SCANS_MAX 100

typedef struct sonic_jpeg_reader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors; /* num_warnings: damaged places */
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    char text[JMSG_LENGTH_MAX]; /* message of the error that jumped */
    int32_t too_many_scans;     /* 1 when the jump came from more than SONIC_JPEG_SCANS_MAX scans */
} sonic_jpeg_reader;

/* Zeroes the reader and sets its error handlers: after it jpeg_destroy_decompress is safe. */
void sonic_jpeg_reader_prepare(sonic_jpeg_reader *reader);

/* Starts reading; call after setjmp(reader->escape). The bytes are borrowed. */
void sonic_jpeg_reader_open(sonic_jpeg_reader *reader, const uint8_t *bytes, size_t size);

#endif
