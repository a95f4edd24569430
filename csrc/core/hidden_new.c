/* hidden_new.c - C++'s operators new and delete for macOS, hidden in our file.
 *
 * Zig links its own libc++ into the file for macOS. That library defines these operators weak and visible: they would
 * be exports beside PyInit__sonic, and the loader would bind all libraries of the process, libtorch's too, to whichever
 * definition it met first. Strong definitions that are hidden stand in the way of both. Zig's linker knows no list of
 * exports. What C++ cannot hide, because libc++'s headers declare the operators visible, C can: by their names.
 *
 * As the C++ standard says (new.delete), but without new_handler, which nothing in the process sets for us: a failure
 * throws std::bad_alloc, which csrc/opencv catches. The forms with nothrow call these. */
#if defined(SONIC_STATIC) && defined(__APPLE__) && defined(__clang__)
#include <stddef.h>
#include <stdlib.h>

#define OPERATOR(name) __asm__("_" name) __attribute__((visibility("hidden")))

_Noreturn void throw_bad_alloc(void) __asm__("__ZSt17__throw_bad_allocv");

void *new_block(size_t bytes) OPERATOR("_Znwm");
void *new_array(size_t bytes) OPERATOR("_Znam");
void *new_aligned(size_t bytes, size_t alignment) OPERATOR("_ZnwmSt11align_val_t");
void *new_array_aligned(size_t bytes, size_t alignment) OPERATOR("_ZnamSt11align_val_t");
void delete_block(void *block) OPERATOR("_ZdlPv");
void delete_array(void *block) OPERATOR("_ZdaPv");
void delete_sized(void *block, size_t bytes) OPERATOR("_ZdlPvm");
void delete_array_sized(void *block, size_t bytes) OPERATOR("_ZdaPvm");
void delete_aligned(void *block, size_t alignment) OPERATOR("_ZdlPvSt11align_val_t");
void delete_array_aligned(void *block, size_t alignment) OPERATOR("_ZdaPvSt11align_val_t");
void delete_sized_aligned(void *block, size_t bytes, size_t alignment) OPERATOR("_ZdlPvmSt11align_val_t");
void delete_array_sized_aligned(void *block, size_t bytes, size_t alignment) OPERATOR("_ZdaPvmSt11align_val_t");

/* Two blocks of no bytes have two addresses, so each has a byte. */
void *new_block(size_t bytes)
{
    void *block = malloc(bytes ? bytes : 1);
    if (!block)
        throw_bad_alloc();
    return block;
}

void *new_aligned(size_t bytes, size_t alignment)
{
    void *block = NULL;
    if (posix_memalign(&block, alignment < sizeof block ? sizeof block : alignment, bytes ? bytes : 1) != 0)
        throw_bad_alloc();
    return block;
}

void *new_array(size_t bytes) { return new_block(bytes); }
void *new_array_aligned(size_t bytes, size_t alignment) { return new_aligned(bytes, alignment); }

void delete_block(void *block) { free(block); }
void delete_array(void *block) { free(block); }

void delete_sized(void *block, size_t bytes)
{
    (void)bytes;
    free(block);
}

void delete_array_sized(void *block, size_t bytes) { delete_sized(block, bytes); }
void delete_aligned(void *block, size_t alignment) { delete_sized(block, alignment); }
void delete_array_aligned(void *block, size_t alignment) { delete_sized(block, alignment); }

void delete_sized_aligned(void *block, size_t bytes, size_t alignment)
{
    (void)alignment;
    delete_sized(block, bytes);
}

void delete_array_sized_aligned(void *block, size_t bytes, size_t alignment)
{
    delete_sized_aligned(block, bytes, alignment);
}
#endif
typedef int sonic_hidden_new; /* a C file must not be empty */
