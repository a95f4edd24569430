#include "core/arena.h"

#include <stdlib.h>

/* Under AddressSanitizer (GCC defines a macro, clang a feature) the arena is poisoned except for the blocks in use, and
 * each block is followed by a red zone: an access past the end of a block, or to a released one, ends the process. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(SANITIZED)
#define SANITIZED
#endif

#ifdef SANITIZED
#include <sanitizer/asan_interface.h> /* ASAN_POISON_MEMORY_REGION, ASAN_UNPOISON_MEMORY_REGION */
#define POISON(address, size) ASAN_POISON_MEMORY_REGION(address, size)
#define UNPOISON(address, size) ASAN_UNPOISON_MEMORY_REGION(address, size)
enum { RED_ZONE = SONIC_ARENA_ALIGNMENT };
#else
#define POISON(address, size) ((void)(address), (void)(size))
#define UNPOISON(address, size) ((void)(address), (void)(size))
enum { RED_ZONE = 0 };
#endif

struct sonic_arena {
    unsigned char *base; /* aligned */
    void *memory;        /* what malloc returned */
    size_t capacity, used;
};

size_t sonic_arena_piece(size_t size)
{
    return (size + SONIC_ARENA_ALIGNMENT - 1) / SONIC_ARENA_ALIGNMENT * SONIC_ARENA_ALIGNMENT + RED_ZONE;
}

sonic_status sonic_arena_create(sonic_arena **out, size_t capacity)
{
    *out = NULL;
    sonic_arena *arena = calloc(1, sizeof *arena);
    void *memory =
        arena && capacity < SIZE_MAX - SONIC_ARENA_ALIGNMENT ? malloc(capacity + SONIC_ARENA_ALIGNMENT) : NULL;
    if (!memory) {
        free(arena);
        return sonic_fail(SONIC_ERROR_MEMORY,
                          "Close other programs or use a smaller picture: %zu bytes of memory are not free.", capacity);
    }
    uintptr_t address = (uintptr_t)memory;
    arena->memory = memory;
    arena->base =
        (unsigned char *)memory + (SONIC_ARENA_ALIGNMENT - address % SONIC_ARENA_ALIGNMENT) % SONIC_ARENA_ALIGNMENT;
    arena->capacity = capacity;
    POISON(arena->base, capacity);
    *out = arena;
    return SONIC_OK;
}

void sonic_arena_free(sonic_arena *arena)
{
    if (!arena)
        return;
    UNPOISON(arena->base, arena->capacity);
    free(arena->memory);
    free(arena);
}

void *sonic_arena_take(sonic_arena *arena, size_t size)
{
    if (size > arena->capacity || sonic_arena_piece(size) > arena->capacity - arena->used)
        return NULL;
    void *block = arena->base + arena->used;
    arena->used += sonic_arena_piece(size);
    UNPOISON(block, size);
    return block;
}

size_t sonic_arena_mark(const sonic_arena *arena) { return arena->used; }

void sonic_arena_rewind(sonic_arena *arena, size_t mark)
{
    if (mark > arena->used)
        return;
    POISON(arena->base + mark, arena->used - mark);
    arena->used = mark;
}
