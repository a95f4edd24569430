/* arena.h - scratch memory that is sized before the work starts, handed out in aligned pieces and released at once.
 * A job that will not fit fails in sonic_arena_create, before it has begun. */
#ifndef SONIC_CORE_ARENA_H
#define SONIC_CORE_ARENA_H

#include "sonic.h"

typedef struct sonic_arena sonic_arena;

#define SONIC_ARENA_ALIGNMENT 64

/* Bytes that a piece of `size` bytes occupies; add these up to size an arena. */
size_t sonic_arena_piece(size_t size);

/* SONIC_ERROR_MEMORY names the number of bytes asked for. */
sonic_status sonic_arena_create(sonic_arena **out, size_t capacity);
void sonic_arena_free(sonic_arena *arena);

/* A piece aligned to 64 bytes, not zeroed; NULL when the arena was sized too small (a bug of the caller). */
void *sonic_arena_take(sonic_arena *arena, size_t size);

/* Gives back everything taken since sonic_arena_mark. */
size_t sonic_arena_mark(const sonic_arena *arena);
void sonic_arena_rewind(sonic_arena *arena, size_t mark);

#endif
