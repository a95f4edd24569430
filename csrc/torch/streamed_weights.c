#include "torch/streamed_weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "torch/copy_stream.h"
#include "torch/device.h"

enum { PARTS_MAX = 256, WEIGHTS_MAX = 64, PART_NAME_BYTES = 64, BUFFERS = 2, ALIGNMENT = 128 /* values */ };

typedef struct part {
    char name[PART_NAME_BYTES];
    int64_t values;                     /* of all its weights */
    int32_t next;                       /* the part that followed; -1: not known */
    sonic_tensor *weights[WEIGHTS_MAX]; /* that were asked for, in that order */
    int64_t offsets[WEIGHTS_MAX];       /* of each in a buffer, in values */
    int32_t count;
    int64_t used; /* values of these weights */
} part;

typedef struct buffer {
    sonic_tensor *memory; /* [values of the largest part] */
    int32_t part, filled; /* whose weights it holds, -1: none; how many of them */
    sonic_event *copied; /* when what was copied in the copies' queue is there; NULL: the operators' queue is past it */
} buffer;

struct sonic_streamed_weights {
    sonic_scope *scope;
    sonic_tensor *like;
    int64_t values; /* of the largest part */
    part *parts;    /* [part_count] */
    int32_t part_count, current, current_buffer;
    buffer buffers[BUFFERS];
    sonic_copy_stream *stream; /* NULL: the device has one queue */
};

/* Parts */

/* Bytes of "down_blocks.0.resnets.1" or "mid_block.resnets.1" at the beginning of a name; 0: it is in no part. */
static size_t part_length(const char *name, size_t length)
{
    static const char *const roots[] = {"mid_block.", "down_blocks.", "up_blocks."};
    int32_t dots = 0;
    for (int32_t i = 0; i < 3; i++)
        if (length > strlen(roots[i]) && memcmp(name, roots[i], strlen(roots[i])) == 0)
            dots = i == 0 ? 3 : 4;
    for (size_t at = 0; dots && at < length; at++)
        if (name[at] == '.' && --dots == 0)
            return at < PART_NAME_BYTES ? at : 0;
    return 0;
}

static int32_t find_part(const sonic_streamed_weights *s, const char *name, size_t length)
{
    size_t bytes = part_length(name, length);
    for (int32_t i = 0; bytes && i < s->part_count; i++)
        if (memcmp(s->parts[i].name, name, bytes) == 0 && !s->parts[i].name[bytes])
            return i;
    return -1;
}

static int64_t aligned(int64_t values) { return (values + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

static bool waits(const sonic_tensor *weight, const sonic_tensor *like)
{
    return st_is_on_host(weight) && st_dtype(weight) == st_dtype(like) && st_shape(weight).dims > 1 &&
           st_is_dense(weight);
}

static void add_to_part(sonic_streamed_weights *s, const char *name, size_t length, int64_t values)
{
    int32_t found = find_part(s, name, length);
    size_t bytes = part_length(name, length);
    if (!bytes || (found < 0 && s->part_count == PARTS_MAX))
        return;
    if (found < 0) {
        found = s->part_count++;
        memcpy(s->parts[found].name, name, bytes);
        s->parts[found].next = -1;
    }
    part *p = &s->parts[found];
    p->values += aligned(values);
    s->values = p->values > s->values ? p->values : s->values;
}

static void list_parts(sonic_streamed_weights *s, const sonic_operator_call *call, const char *prefix)
{
    const char *names = call->names;
    size_t skipped = strlen(prefix);
    for (int32_t i = 0; i < call->count && *names; i++) {
        size_t length = strcspn(names, "\n");
        if (length > skipped && memcmp(names, prefix, skipped) == 0 && waits(call->tensors[i], s->like))
            add_to_part(s, names + skipped, length - skipped, st_count(call->tensors[i]));
        names += length + (names[length] == '\n');
    }
}

sonic_status sonic_streamed_weights_create(sonic_streamed_weights **out, const sonic_operator_call *call,
                                           const char *prefix, sonic_tensor *like)
{
    *out = NULL;
    if (!like || st_computes_on_host(call->scope, like) || !st_has_values(call->scope, like))
        return SONIC_OK;
    sonic_streamed_weights *s = calloc(1, sizeof *s);
    part *parts = s ? calloc(PARTS_MAX, sizeof *parts) : NULL;
    if (!parts) {
        free(s);
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory for the list of the network's weights.");
    }
    s->scope = call->scope, s->like = like, s->parts = parts, s->current = -1;
    for (int32_t i = 0; i < BUFFERS; i++)
        s->buffers[i].part = -1;
    list_parts(s, call, prefix);
    if (s->part_count > 0)
        s->stream = sonic_copy_stream_create(like);
    else
        sonic_streamed_weights_free(s), s = NULL;
    *out = s;
    return SONIC_OK;
}

void sonic_streamed_weights_free(sonic_streamed_weights *s)
{
    char text[1024]; /* of a failure before, which one here must not replace */
    if (!s)
        return;
    snprintf(text, sizeof text, "%s", sonic_last_error());
    for (int32_t i = 0; i < BUFFERS; i++) {
        if (sonic_event_hold(s->like, s->buffers[i].copied))
            sonic_fail(SONIC_ERROR_TORCH, "%s", text);
        sonic_event_free(s->buffers[i].copied);
        st_release(s->buffers[i].memory);
    }
    sonic_copy_stream_free(s->stream);
    free(s->parts);
    free(s);
}

/* Buffers */

static bool has_memory(sonic_streamed_weights *s, sonic_scope *scope)
{
    for (int32_t i = 0; i < BUFFERS && !s->scope->status; i++)
        if (!s->buffers[i].memory)
            s->buffers[i].memory = st_empty(s->scope, st_shape1(s->values), st_dtype(s->like), s->like);
    sonic_scope_fail(scope, s->scope->status);
    return !scope->status;
}

static int32_t buffer_of(const sonic_streamed_weights *s, int32_t part)
{
    for (int32_t i = 0; i < BUFFERS; i++)
        if (s->buffers[i].part == part)
            return i;
    return -1;
}

/* The part's weights up to `count`, in the current queue. */
static void fill(sonic_streamed_weights *s, sonic_scope *scope, buffer *b, int32_t count)
{
    const part *p = &s->parts[b->part];
    for (; b->filled < count && !scope->status; b->filled++)
        st_put(scope, b->memory, p->offsets[b->filled], p->weights[b->filled]);
}

/* The part's weights in the copies' queue, after what the operators' queue holds now: it may read the buffer. */
static void load(sonic_streamed_weights *s, sonic_scope *scope, buffer *b, int32_t index)
{
    b->part = index, b->filled = 0;
    sonic_event *done = s->stream && s->parts[index].count > 0 ? sonic_event_record(s->like) : NULL;
    if (!done)
        return; /* copied when they are asked for */
    if (!sonic_scope_fail(scope, sonic_copy_stream_enter(s->stream))) {
        sonic_scope_fail(scope, sonic_event_hold(s->like, done));
        fill(s, scope, b, s->parts[index].count);
        sonic_event_free(b->copied); /* an earlier one of the same queue */
        b->copied = sonic_event_record(s->like);
        sonic_scope_fail(scope, sonic_copy_stream_leave(s->stream));
        if (!scope->status && !b->copied)
            sonic_scope_fail(scope, sonic_fail(SONIC_ERROR_TORCH, "Restart the computer, or choose another plan: the "
                                                                  "graphics card's driver did not say when weights "
                                                                  "have arrived."));
    }
    sonic_event_free(done);
}

/* The operators that follow are those of the part `index`. */
static void enter(sonic_streamed_weights *s, sonic_scope *scope, int32_t index)
{
    int32_t at = buffer_of(s, index);
    if (s->current >= 0)
        s->parts[s->current].next = index;
    if (at < 0) {
        at = BUFFERS - 1 - s->current_buffer;
        load(s, scope, &s->buffers[at], index);
    }
    s->current = index, s->current_buffer = at;
    sonic_scope_fail(scope, sonic_event_hold(s->like, s->buffers[at].copied));
    sonic_event_free(s->buffers[at].copied);
    s->buffers[at].copied = NULL;
    int32_t next = s->parts[index].next;
    if (next >= 0 && buffer_of(s, next) < 0)
        load(s, scope, &s->buffers[BUFFERS - 1 - at], next);
}

/* The number of the weight in its part, -1: the part has no room for it. */
static int32_t number_of(part *p, sonic_tensor *weight)
{
    for (int32_t i = 0; i < p->count; i++)
        if (p->weights[i] == weight)
            return i;
    if (p->count == WEIGHTS_MAX || p->used + aligned(st_count(weight)) > p->values)
        return -1;
    p->weights[p->count] = weight, p->offsets[p->count] = p->used;
    p->used += aligned(st_count(weight));
    return p->count++;
}

sonic_tensor *sonic_streamed_weights_bring(sonic_streamed_weights *s, sonic_scope *scope, const char *name,
                                           sonic_tensor *weight)
{
    int32_t index = waits(weight, s->like) ? find_part(s, name, strlen(name)) : -1;
    if (scope->status || index < 0 || !has_memory(s, scope))
        return scope->status ? NULL : st_copy_to_device_of(scope, weight, s->like);
    if (index != s->current)
        enter(s, scope, index);
    buffer *b = &s->buffers[s->current_buffer];
    int32_t number = scope->status ? -1 : number_of(&s->parts[index], weight);
    if (number < 0)
        return scope->status ? NULL : st_copy_to_device_of(scope, weight, s->like);
    fill(s, scope, b, number + 1);
    return scope->status ? NULL : st_at(scope, b->memory, s->parts[index].offsets[number], weight);
}
