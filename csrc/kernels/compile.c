#include "kernels/compile.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernels/library.h"
#include "kernels/texts.h" /* made by setup.py: the files of this folder that the card's compiler reads */

/* NVRTC's interface in use, as its documentation has it: results are numbers, 0 is success. */
typedef int (*version_function)(int *major, int *minor);
typedef int (*create_function)(void **program, const char *source, const char *name, int header_count,
                               const char *const *headers, const char *const *header_names);
typedef int (*compile_function)(void *program, int option_count, const char *const *options);
typedef int (*size_function)(void *program, size_t *bytes);
typedef int (*read_function)(void *program, char *out);
typedef int (*destroy_function)(void **program);

typedef struct compiler {
    void *version, *create, *compile, *log_size, *log, *image_size, *image, *destroy;
} compiler;

#define CALL(type, address) (*(type *)&(address))

enum { HEADERS = sizeof kernel_texts / sizeof *kernel_texts };

static sonic_status open_compiler(compiler *c, void *library)
{
    const sonic_library_function functions[] = {
        {"nvrtcVersion", &c->version},        {"nvrtcCreateProgram", &c->create},
        {"nvrtcCompileProgram", &c->compile}, {"nvrtcGetProgramLogSize", &c->log_size},
        {"nvrtcGetProgramLog", &c->log},      {"nvrtcGetCUBINSize", &c->image_size},
        {"nvrtcGetCUBIN", &c->image},         {"nvrtcDestroyProgram", &c->destroy},
    };
    return sonic_library_functions(library, functions, sizeof functions / sizeof *functions,
                                   "Update PyTorch, which brings the compiler of the graphics card");
}

/* What size and read give, as text or as bytes; NULL: nothing, or no memory. */
static char *contents(void *program, void *size, void *read, size_t *bytes)
{
    *bytes = 0;
    if (CALL(size_function, size)(program, bytes) || *bytes == 0)
        return NULL;
    char *data = malloc(*bytes + 1);
    if (!data || CALL(read_function, read)(program, data)) {
        free(data);
        return NULL;
    }
    data[*bytes] = 0;
    return data;
}

static sonic_status compile(const compiler *c, void *program, const char *architecture, int32_t value,
                            sonic_kernel_image *image)
{
    char target[64], type[32];
    size_t log_bytes;
    snprintf(target, sizeof target, "--gpu-architecture=%s", architecture);
    snprintf(type, sizeof type, "-DSONIC_VALUE=%d", (int)value);
    const char *options[] = {target, type, "--std=c++17", "--fmad=true", "--ptxas-options=-v"};
    int code = CALL(compile_function, c->compile)(program, sizeof options / sizeof *options, options);
    image->log = contents(program, c->log_size, c->log, &log_bytes);
    if (code == 0)
        image->data = contents(program, c->image_size, c->image, &image->bytes);
    if (!image->data)
        return sonic_fail(SONIC_ERROR_DEVICE, "Update PyTorch: its compiler refused the kernels for %.20s (error %d).",
                          architecture, code);
    return SONIC_OK;
}

sonic_status sonic_kernels_compile(void *library, const char *architecture, int32_t value, sonic_kernel_image *image)
{
    const sonic_kernel_image none = {NULL, 0, NULL};
    const char *texts[HEADERS], *names[HEADERS];
    compiler c;
    void *program = NULL;
    *image = none;
    sonic_status status = open_compiler(&c, library);
    if (status)
        return status;
    for (int i = 0; i < HEADERS; i++)
        names[i] = kernel_texts[i].name, texts[i] = kernel_texts[i].text;
    int code = CALL(create_function, c.create)(&program, kernel_program, "kernels.cu", HEADERS, texts, names);
    if (code)
        return sonic_fail(SONIC_ERROR_DEVICE, "Update PyTorch: its compiler does not start (error %d).", code);
    status = compile(&c, program, architecture, value, image);
    CALL(destroy_function, c.destroy)(&program);
    return status;
}

sonic_status sonic_kernels_compiler_version(void *library, int32_t *major, int32_t *minor)
{
    compiler c;
    int numbers[2] = {0, 0};
    sonic_status status = open_compiler(&c, library);
    if (!status)
        CALL(version_function, c.version)(&numbers[0], &numbers[1]);
    *major = numbers[0], *minor = numbers[1];
    return status;
}

const char *sonic_kernels_source(int32_t part)
{
    return part >= 0 && part < HEADERS ? kernel_texts[part].text : part == HEADERS ? kernel_program : NULL;
}

void sonic_kernel_image_free(sonic_kernel_image *image)
{
    free(image->data);
    free(image->log);
    image->data = image->log = NULL;
    image->bytes = 0;
}
