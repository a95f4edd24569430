/* glibc_compat.c - lets a wheel that was linked on a new Linux load on an old one.
 *
 * A linker binds each function to the newest symbol version of the machine's glibc: exp@GLIBC_2.29, dlsym@GLIBC_2.34.
 * The names below replace those references in the binary and in its static libraries: each jumps to the oldest version,
 * GLIBC_2.2.5 on x86-64 and GLIBC_2.17 on Arm, which every glibc still has. The other symbols need at most 2.27;
 * PyTorch's own wheels need 2.28. tests/packaging fails when a name is missing here. The linker drops what nothing
 * calls.
 *
 * Wheels only: `make build` is for one machine. */
#if defined(SONIC_STATIC) && (defined(__x86_64__) || defined(__aarch64__)) && defined(__linux__)
#include <features.h> /* __GLIBC_PREREQ */
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
#include <sys/single_threaded.h>
#include <sys/stat.h>

#ifdef __x86_64__
#define OLDEST "GLIBC_2.2.5"
#define JUMP(name) "jmp " name "@PLT\n"
#define STAT_LAYOUT 1
#else
#define OLDEST "GLIBC_2.17"
#define JUMP(name) "b " name "\n" /* the linker puts a stub of the PLT there */
#define STAT_LAYOUT 0
#endif

#define OLD(name)                                                                                                      \
    __asm__(".pushsection .text." #name ",\"ax\",%progbits\n.p2align 2\n"                                              \
            ".globl " #name "\n.hidden " #name "\n.type " #name ",%function\n"                                         \
            ".symver old_" #name "," #name "@" OLDEST "\n" #name ": " JUMP("old_" #name) ".size " #name ", . - " #name \
                                                                                         "\n.popsection")

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

/* Until 2.33 stat was a macro for this; the number names the layout of struct stat. */
int old_xstat(int layout, const char *path, struct stat *status);
__asm__(".symver old_xstat,__xstat@" OLDEST);
int stat(const char *path, struct stat *status) { return old_xstat(STAT_LAYOUT, path, status); }

/* While this is not 0 libstdc++ counts references without atomics; 0 is always correct. */
char __libc_single_threaded = 0;

/* The same for libstdc++, where newer headers call what older libraries lack: 3.4.26, 3.4.29 and CXXABI 1.3.13, of gcc
 * 9 and 11. Each does what it did before through a function that gcc 7 had. PyTorch's own wheels need 3.4.25. */
#define NEW(name) __asm__(name)
#define OLD_CXX(name, symbol) __asm__(".symver " #name "," symbol)

/* std::bad_alloc, of which std::bad_array_new_length is one. */
void old_throw_bad_alloc(void);
OLD_CXX(old_throw_bad_alloc, "_ZSt17__throw_bad_allocv@GLIBCXX_3.4");
void new_throw_bad_array_new_length(void) NEW("_ZSt28__throw_bad_array_new_lengthv");
void new_throw_bad_array_new_length(void) { old_throw_bad_alloc(); }

/* std::stringstream(std::ios::in | std::ios::out), whose values are 8 and 16. */
void old_stringstream(void *self, int mode);
OLD_CXX(old_stringstream,
        "_ZNSt7__cxx1118basic_stringstreamIcSt11char_traitsIcESaIcEEC1ESt13_Ios_Openmode@GLIBCXX_3.4.21");
void new_stringstream(void *self) NEW("_ZNSt7__cxx1118basic_stringstreamIcSt11char_traitsIcESaIcEEC1Ev");
void new_stringstream(void *self) { old_stringstream(self, 8 | 16); }

/* std::exception_ptr: one pointer. A copy that is never destroyed holds one reference more. */
void old_exception_copy(void **self, void *const *other);
void old_exception_destroy(void **self);
OLD_CXX(old_exception_copy, "_ZNSt15__exception_ptr13exception_ptrC1ERKS0_@CXXABI_1.3.3");
OLD_CXX(old_exception_destroy, "_ZNSt15__exception_ptr13exception_ptrD1Ev@CXXABI_1.3.3");
void new_exception_addref(void **self) NEW("_ZNSt15__exception_ptr13exception_ptr9_M_addrefEv");
void new_exception_release(void **self) NEW("_ZNSt15__exception_ptr13exception_ptr10_M_releaseEv");

void new_exception_addref(void **self)
{
    void *copy;
    old_exception_copy(&copy, self);
}

void new_exception_release(void **self) { old_exception_destroy(self); }

#endif
#endif
typedef int sonic_glibc_compat; /* a C file must not be empty */
