/* old_glibc.c - lets a wheel that was linked on a new Linux load on an old one.
 *
 * A linker binds each function to the newest version that the machine's glibc has: exp@GLIBC_2.29, dlsym@GLIBC_2.34. The functions
 * here stand between the binary, the static libraries in it included, and glibc, and ask for the version of 2002 that every glibc on
 * x86-64 still has. What remains then needs 2.27, which is older than what PyTorch's own wheels need (2.28). Only names that the link
 * has been seen to ask for are here; tests/packaging/test_wheel.py fails when another one appears.
 *
 * `make build` serves one machine and leaves this out.
 */
#define _GNU_SOURCE /* Dl_info */
#if defined(SONIC_STATIC) && defined(__x86_64__) && defined(__linux__)
#include <features.h>
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>

#define OLD(name) __asm__(".symver old_" #name "," #name "@GLIBC_2.2.5")

OLD(exp);
double old_exp(double x);
double exp(double x) { return old_exp(x); }

OLD(hypotf);
float old_hypotf(float x, float y);
float hypotf(float x, float y) { return old_hypotf(x, y); }

/* The C and the thread library were several files once; PyTorch brings all of them into the process. */
OLD(dlsym);
void *old_dlsym(void *library, const char *name);
void *dlsym(void *library, const char *name) { return old_dlsym(library, name); }

OLD(dladdr);
int old_dladdr(const void *address, Dl_info *info);
int dladdr(const void *address, Dl_info *info) { return old_dladdr(address, info); }

OLD(pthread_key_create);
int old_pthread_key_create(pthread_key_t *key, void (*destroy)(void *));
int pthread_key_create(pthread_key_t *key, void (*destroy)(void *)) { return old_pthread_key_create(key, destroy); }

OLD(pthread_key_delete);
int old_pthread_key_delete(pthread_key_t key);
int pthread_key_delete(pthread_key_t key) { return old_pthread_key_delete(key); }

OLD(pthread_getspecific);
void *old_pthread_getspecific(pthread_key_t key);
void *pthread_getspecific(pthread_key_t key) { return old_pthread_getspecific(key); }

OLD(pthread_setspecific);
int old_pthread_setspecific(pthread_key_t key, const void *value);
int pthread_setspecific(pthread_key_t key, const void *value) { return old_pthread_setspecific(key, value); }

/* stat was a macro around this until 2.33; 1 is the layout of struct stat on x86-64. */
OLD(__xstat);
int old___xstat(int layout, const char *path, struct stat *status);
int stat(const char *path, struct stat *status) { return old___xstat(1, path, status); }

/* libstdc++ counts references without atomics while this is not 0; with 0 it always uses them, which is always right. */
char __libc_single_threaded = 0;

#endif
#endif
typedef int sonic_old_glibc; /* a file of C may not be empty */
