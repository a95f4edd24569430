#include "sonic.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/thread_local.h"

static SONIC_THREAD_LOCAL char last_error[512];

const char *sonic_last_error(void) { return last_error; }

sonic_status sonic_fail(sonic_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_error, sizeof last_error, format, arguments);
    va_end(arguments);
    return status;
}
