/* glibc_compat.c - lets a wheel that was linked on a new Linux load on an old one.
 *
 * A linker binds each function to the newest symbol version of the machine's glibc: exp@GLIBC_2.29, dlsym@GLIBC_2.34.
 * The names below replace those references in the binary and in its static libraries: each jumps to GLIBC_2.2.5, the
 * oldest version on x86-64, which every glibc still has. The other symbols need at most 2.27; PyTorch's own wheels need
 * 2.28. tests/packaging/test_wheel.py fails when a name is missing here. The linker drops what nothing calls.
 *
 * Wheels only: `make build` is for one machine. */
#if defined(SONIC_STATIC) && defined(__x86_64__) && defined(__linux__)
#include <features.h> /* __GLIBC_PREREQ */
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
#include <sys/single_threaded.h>
#include <sys/stat.h>

#define OLD(name)                                                                                                      \
    __asm__(".pushsection .text." #name ",\"ax\",@progbits\n"                                                          \
            ".globl " #name "\n.hidden " #name "\n.type " #name ",@function\n"                                         \
            ".symver old_" #name "," #name "@GLIBC_2.2.5\n" #name ": jmp old_" #name "@PLT\n"                          \
            ".size " #name ", . - " #name "\n.popsection")

/* 2.29 and 2.35: the new versions do not set errno; the values are the same. */
OLD(exp);
OLD(exp2);
OLD(hypot);
OLD(hypotf);
OLD(log);
OLD(log2);
OLD(pow);

/* 2.34 merged libdl and libpthread into libc. PyTorch loads the old libraries. */
OLD(dladdr);
OLD(dlclose);
OLD(dlopen);
OLD(dlsym);
OLD(pthread_attr_setstacksize);
OLD(pthread_create);
OLD(pthread_getspecific);
OLD(pthread_key_create);
OLD(pthread_key_delete);
OLD(pthread_mutex_trylock);
OLD(pthread_once);
OLD(pthread_setspecific);
OLD(pthread_sigmask);

/* Until 2.33 stat was a macro for this; 1 is the layout of struct stat on x86-64. */
int old_xstat(int layout, const char *path, struct stat *status);
__asm__(".symver old_xstat,__xstat@GLIBC_2.2.5");
int stat(const char *path, struct stat *status) { return old_xstat(1, path, status); }

/* While this is not 0 libstdc++ counts references without atomics; 0 is always correct. */
char __libc_single_threaded = 0;

#endif
#endif
typedef int sonic_glibc_compat; /* a C file must not be empty */
