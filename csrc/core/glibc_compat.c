/* old_glibc.c - lets a wheel that was linked on a new Linux load on an old one.
 *
 * A linker binds each function to the newest version that the machine's glibc has: exp@GLIBC_2.29, dlsym@GLIBC_2.34.
 * The names below stand between the binary, the static libraries in it included, and glibc: each jumps to the version
 * of 2002 that every glibc on x86-64 still has. What remains asks for 2.27, which is older than what PyTorch's own
 * wheels ask for (2.28); tests/packaging/test_wheel.py fails when a name appears that is missing here. What nothing
 * calls, the linker drops.
 *
 * `make build` serves one machine and leaves this out.
 */
#if defined(SONIC_STATIC) && defined(__x86_64__) && defined(__linux__)
#include <features.h>
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
#include <sys/single_threaded.h>
#include <sys/stat.h>

#define OLD(name)                                                                                                      \
    __asm__(".pushsection .text." #name ",\"ax\",@progbits\n"                                                          \
            ".globl " #name "\n.hidden " #name "\n.type " #name ",@function\n"                                         \
            ".symver old_" #name "," #name "@GLIBC_2.2.5\n" #name ": jmp old_" #name "@PLT\n"                          \
            ".size " #name ", . - " #name "\n.popsection")

/* 2.29 and 2.35: these leave errno alone; the values are the same. */
OLD(exp);
OLD(exp2);
OLD(hypot);
OLD(hypotf);
OLD(log);
OLD(log2);
OLD(pow);

/* 2.34, when glibc's files became one. PyTorch brings the old ones into the process. */
OLD(dladdr);
OLD(dlclose);
OLD(dlopen);
OLD(dlsym);
OLD(pthread_getspecific);
OLD(pthread_key_create);
OLD(pthread_key_delete);
OLD(pthread_mutex_trylock);
OLD(pthread_once);
OLD(pthread_setspecific);

/* stat was a macro around this until 2.33; 1 is the layout of struct stat on x86-64. */
int old_xstat(int layout, const char *path, struct stat *status);
__asm__(".symver old_xstat,__xstat@GLIBC_2.2.5");
int stat(const char *path, struct stat *status) { return old_xstat(1, path, status); }

/* libstdc++ counts references without atomics while this is not 0; with 0 it always uses them, which is always right.
 */
char __libc_single_threaded = 0;

#endif
#endif
typedef int sonic_old_glibc; /* a file of C may not be empty */
