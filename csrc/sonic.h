/* sonic.h - shared by every stage of the pipeline: status codes, the last error, views of images and audio.
 *
 * Conventions
 *   sonic_<noun>_<verb>; outputs first, then inputs, then parameters. A function returns sonic_status or cannot fail.
 *   Shapes are written [rows, columns, channels], units are part of names (_px, _ms, _hz, _s).
 *   Who allocates frees: handles are opaque, created by _create and freed by _free (which accepts NULL).
 *   C gets no paths: callers pass buffers, and name the file when they report an error.
 *
 * Threads
 *   Every function may be called from any thread, and from several at once on different objects.
 *   The text of the last error belongs to the calling thread.
 *   Loops inside use sonic_parallel_for (core/parallel.h); its threads sleep between calls. */
#ifndef SONIC_H
#define SONIC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Numbered with gaps and never renumbered: the numbers appear in logs and in the exit codes of scripts. */
typedef enum sonic_status {
    SONIC_OK = 0,
    SONIC_ERROR_ARGUMENT = 10,  /* a value is outside its range */
    SONIC_ERROR_SHAPE = 20,     /* an array does not have the required shape */
    SONIC_ERROR_MEMORY = 30,    /* an allocation failed */
    SONIC_ERROR_TORCH = 40,     /* libtorch refused an operator */
    SONIC_ERROR_FORMAT = 50,    /* malformed data */
    SONIC_ERROR_DEVICE = 60,    /* a graphics card, its driver or its compiler refused */
    SONIC_ERROR_CANCELLED = 70, /* the progress callback cancelled */
    SONIC_ERROR_INTERNAL = 90   /* a bug in this code */
} sonic_status;

/* Text of the calling thread's last failure: the remedy, then what was wrong, with the value. Never NULL. */
const char *sonic_last_error(void);

/* Stores the text (printf format, truncated to 511 bytes) and returns `status`, so that a check is one line. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
sonic_status
sonic_fail(sonic_status status, const char *format, ...);

/* 8-bit image, rows top to bottom, channels interleaved. */
typedef struct sonic_image {
    uint8_t *data;
    int32_t width_px, height_px, channels;
    ptrdiff_t stride; /* bytes from one row to the next */
} sonic_image;

/* A pixel of an image with transparent parts counts as part of it from this alpha on: below, more than half of its
 * colour is background that the reader put under it. */
#define SONIC_ALPHA_OPAQUE 128

/* Mono audio. */
typedef struct sonic_sound {
    const float *samples; /* [count], -1..1 */
    int64_t count;
    int32_t rate_hz;
} sonic_sound;

/* Called between units of work; a return other than 0 ends the job with SONIC_ERROR_CANCELLED. May be NULL. */
typedef int (*sonic_progress_fn)(void *context, int64_t done, int64_t total);

#ifdef __cplusplus
}
#endif
#endif
