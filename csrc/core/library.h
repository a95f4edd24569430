/* library.h - functions of shared libraries, by name. */
#ifndef SONIC_CORE_LIBRARY_H
#define SONIC_CORE_LIBRARY_H

#ifdef __cplusplus
extern "C" {
#endif

/* The address of the function `name` in an open library (a handle of dlopen or LoadLibrary) or, except on Windows, in
 * one that it needs; NULL: there is none. */
void *sonic_library_symbol(void *library, const char *name);

/* The same for the library of that file name, if this process has loaded it; NULL: it has not. */
void *sonic_loaded_symbol(const char *file, const char *name);

#ifdef __cplusplus
}
#endif
#endif
