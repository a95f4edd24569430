#include "core/arena.h"

#include <stdlib.h>

struct sonic_arena {
    unsigned char *base; /* aligned */
    void *block;         /* what malloc returned */
    size_t capacity, used;
};

size_t sonic_arena_piece(size_t size)
{
    return (size + SONIC_ARENA_ALIGNMENT - 1) / SONIC_ARENA_ALIGNMENT * SONIC_ARENA_ALIGNMENT;
}

sonic_status sonic_arena_create(sonic_arena **out, size_t capacity)
{
    *out = NULL;
    sonic_arena *arena = calloc(1, sizeof *arena);
    void *block =
        arena && capacity < SIZE_MAX - SONIC_ARENA_ALIGNMENT ? malloc(capacity + SONIC_ARENA_ALIGNMENT) : NULL;
    if (!block) {
        free(arena);
        return sonic_fail(SONIC_ERROR_MEMORY,
                          "Close other programs or use a smaller picture: %zu bytes of memory are not free.", capacity);
    }
    uintptr_t address = (uintptr_t)block;
    arena->block = block;
    arena->base =
        (unsigned char *)block + (SONIC_ARENA_ALIGNMENT - address % SONIC_ARENA_ALIGNMENT) % SONIC_ARENA_ALIGNMENT;
    arena->capacity = capacity;
    *out = arena;
    return SONIC_OK;
}

void sonic_arena_free(sonic_arena *arena)
{
    if (!arena)
        return;
    free(arena->block);
    free(arena);
}

void *sonic_arena_take(sonic_arena *arena, size_t size)
{
    if (size > arena->capacity || sonic_arena_piece(size) > arena->capacity - arena->used)
        return NULL;
    void *piece = arena->base + arena->used;
    arena->used += sonic_arena_piece(size);
    return piece;
}

size_t sonic_arena_mark(const sonic_arena *arena) { return arena->used; }

void sonic_arena_rewind(sonic_arena *arena, size_t mark)
{
    if (mark <= arena->used)
        arena->used = mark;
}
