#include "torch/weights.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct entry {
    const char *name; /* not terminated; NULL: a free slot */
    size_t length;
    sonic_tensor *tensor;
} entry;

struct sonic_weights {
    size_t slots; /* a power of two, at least twice the count */
    entry table[];
};

enum { NAME_MAX_BYTES = 160 };

/* FNV-1a, 64 bit (Fowler, Noll, Vo). */
static uint64_t hash(const char *name, size_t length)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)name[i]) * 1099511628211u;
    return h ^ h >> 32;
}

static entry *slot(const sonic_weights *weights, const char *name, size_t length)
{
    size_t i = (size_t)hash(name, length) & (weights->slots - 1);
    entry *table = (entry *)weights->table;
    while (table[i].name && (table[i].length != length || memcmp(table[i].name, name, length) != 0))
        i = (i + 1) & (weights->slots - 1);
    return &table[i];
}

static size_t slots_for(int32_t count)
{
    size_t slots = 4;
    while (slots < 2 * (size_t)count)
        slots *= 2;
    return slots;
}

sonic_status sonic_weights_create_part(sonic_weights **out, sonic_tensor *const *tensors, int32_t count,
                                       const char *names, const char *prefix)
{
    size_t slots = slots_for(count), skipped = strlen(prefix);
    sonic_weights *weights = *out = calloc(1, sizeof *weights + slots * sizeof(entry));
    if (!weights)
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory for the names of %d tensors.", count);
    weights->slots = slots;
    for (int32_t i = 0; i < count && *names; i++) {
        size_t length = strcspn(names, "\n");
        if (length >= skipped && memcmp(names, prefix, skipped) == 0)
            *slot(weights, names + skipped, length - skipped) = (entry){names + skipped, length - skipped, tensors[i]};
        names += length + (names[length] == '\n');
    }
    return SONIC_OK;
}

sonic_status sonic_weights_create(sonic_weights **out, sonic_tensor *const *tensors, int32_t count, const char *names)
{
    return sonic_weights_create_part(out, tensors, count, names, "");
}

void sonic_weights_free(sonic_weights *weights) { free(weights); }

static sonic_tensor *find(const sonic_weights *weights, char name[NAME_MAX_BYTES], const char *format,
                          va_list arguments)
{
    int length = vsnprintf(name, NAME_MAX_BYTES, format, arguments);
    return length > 0 && length < NAME_MAX_BYTES ? slot(weights, name, (size_t)length)->tensor : NULL;
}

sonic_tensor *sonic_weights_find(const sonic_weights *weights, const char *format, ...)
{
    char name[NAME_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    sonic_tensor *tensor = find(weights, name, format, arguments);
    va_end(arguments);
    return tensor;
}

sonic_tensor *sonic_weights_get(sonic_scope *scope, const sonic_weights *weights, const char *format, ...)
{
    char name[NAME_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    sonic_tensor *tensor = find(weights, name, format, arguments);
    va_end(arguments);
    if (!tensor)
        sonic_scope_fail(scope,
                         sonic_fail(SONIC_ERROR_ARGUMENT,
                                    "Use the weight file that belongs to this network: it has no tensor '%s'.", name));
    return tensor;
}
