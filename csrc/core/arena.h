/* arena.h - scratch memory that is sized before the work starts, handed out in aligned blocks and released at once.
 * A job that does not fit fails in sonic_arena_create, before it has begun. Under AddressSanitizer a red zone follows
 * each block. */
#ifndef SONIC_CORE_ARENA_H
#define SONIC_CORE_ARENA_H

#include "sonic.h"

typedef struct sonic_arena sonic_arena;

#define SONIC_ARENA_ALIGNMENT 64

/* Bytes that a block of `size` bytes occupies; an arena's capacity is the sum over its blocks. */
size_t sonic_arena_piece(size_t size);

/* SONIC_ERROR_MEMORY names the requested number of bytes. */
sonic_status sonic_arena_create(sonic_arena **out, size_t capacity);
void sonic_arena_free(sonic_arena *arena);

/* A block aligned to 64 bytes, uninitialised; NULL when the arena was sized too small (a bug of the caller). */
void *sonic_arena_take(sonic_arena *arena, size_t size);

/* sonic_arena_rewind releases every block taken since sonic_arena_mark. */
size_t sonic_arena_mark(const sonic_arena *arena);
void sonic_arena_rewind(sonic_arena *arena, size_t mark);

#endif
