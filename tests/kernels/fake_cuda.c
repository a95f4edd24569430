/* The driver and the compiler of a card, as far as csrc/kernels calls them: an image is a text, and a launch runs the
 * kernel in C (host_kernels.c), at once, in host memory.
 *
 * Tests plant failures and read the log by the functions at the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int host_kernel_run_0(const char *name, const void *arguments, long long grid_x, long long grid_y);
int host_kernel_run_1(const char *name, const void *arguments, long long grid_x, long long grid_y);
int host_kernel_run_2(const char *name, const void *arguments, long long grid_x, long long grid_y);

enum { NAME = 32, LOG = 4096, FAILURE = 719 }; /* CUDA's number for a failed launch */

typedef struct module {
    int value;
    struct function {
        char name[NAME];
        struct module *module;
    } functions[8];
    int count;
} module;

static struct {
    char failing[64]; /* the function that fails */
    int depth;        /* contexts pushed and not popped */
    int modules;      /* loaded and not unloaded */
    long long launches;
    void (*around)(int enter); /* makes device memory readable for a kernel */
} state;

static int fails(const char *function) { return strcmp(state.failing, function) == 0; }

int cuInit(unsigned flags) { return (void)flags, fails("cuInit") ? FAILURE : 0; }
int cuDeviceGet(int *device, int ordinal) { return *device = ordinal, fails("cuDeviceGet") ? FAILURE : 0; }

int cuDevicePrimaryCtxRetain(void **context, int device)
{
    static char contexts[16];
    *context = &contexts[device];
    return fails("cuDevicePrimaryCtxRetain") ? FAILURE : 0;
}

int cuCtxPushCurrent_v2(void *context)
{
    if (!context || fails("cuCtxPushCurrent_v2"))
        return FAILURE;
    state.depth++;
    return 0;
}

int cuCtxPopCurrent_v2(void **context)
{
    *context = NULL;
    state.depth--;
    return 0;
}

int cuModuleLoadData(void **out, const void *image)
{
    int value;
    if (state.depth != 1 || fails("cuModuleLoadData") || sscanf(image, "fake image %d", &value) != 1)
        return FAILURE;
    module *m = calloc(1, sizeof *m);
    m->value = value;
    state.modules++;
    *out = m;
    return 0;
}

int cuModuleUnload(void *m)
{
    state.modules--;
    free(m);
    return 0;
}

int cuModuleGetFunction(void **function, void *of, const char *name)
{
    module *m = of;
    if (fails("cuModuleGetFunction") || m->count == 8)
        return FAILURE;
    struct function *f = &m->functions[m->count++];
    snprintf(f->name, sizeof f->name, "%s", name);
    f->module = m;
    *function = f;
    return 0;
}

int cuLaunchKernel(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                   unsigned block_y, unsigned block_z, unsigned shared_bytes, void *stream, void **arguments,
                   void **extra)
{
    static int (*const runs[3])(const char *, const void *, long long,
                                long long) = {host_kernel_run_0, host_kernel_run_1, host_kernel_run_2};
    const struct function *f = function;
    (void)stream, (void)extra;
    if (state.depth != 1 || fails("cuLaunchKernel") || grid_z * block_y * block_z != 1 || block_x != 256 ||
        shared_bytes)
        return FAILURE;
    if (state.around)
        state.around(1);
    int known = runs[f->module->value](f->name, arguments[0], grid_x, grid_y);
    if (state.around)
        state.around(0);
    state.launches++;
    return known ? 0 : FAILURE;
}

/* The compiler: the image names the type of numbers that its options ask for. */
typedef struct program {
    char image[64], log[LOG];
} program;

int nvrtcVersion(int *major, int *minor) { return *major = 99, *minor = 1, 0; }

int nvrtcCreateProgram(program **out, const char *source, const char *name, int count, const char *const *headers,
                       const char *const *names)
{
    (void)source, (void)name, (void)count, (void)headers, (void)names;
    if (fails("nvrtcCreateProgram"))
        return 1;
    return *out = calloc(1, sizeof **out), 0;
}

int nvrtcCompileProgram(program *p, int count, const char *const *options)
{
    int value = -1;
    for (int i = 0; i < count; i++)
        sscanf(options[i], "-DSONIC_VALUE=%d", &value);
    snprintf(p->log, sizeof p->log, "%s", fails("nvrtcCompileProgram") ? "planted failure" : "");
    snprintf(p->image, sizeof p->image, "fake image %d", value);
    return fails("nvrtcCompileProgram") ? 6 : 0;
}

int nvrtcGetProgramLogSize(program *p, size_t *bytes) { return *bytes = strlen(p->log) + 1, 0; }
int nvrtcGetProgramLog(program *p, char *out) { return memcpy(out, p->log, strlen(p->log) + 1), 0; }
int nvrtcGetCUBINSize(program *p, size_t *bytes) { return *bytes = strlen(p->image) + 1, 0; }
int nvrtcGetCUBIN(program *p, char *out) { return memcpy(out, p->image, strlen(p->image) + 1), 0; }
int nvrtcDestroyProgram(program **p) { return free(*p), *p = NULL, 0; }

/* For tests */
void fake_fail(const char *function) { snprintf(state.failing, sizeof state.failing, "%s", function); }
int fake_contexts(void) { return state.depth; }
int fake_modules(void) { return state.modules; }
long long fake_launches(void) { return state.launches; }
void fake_around(void (*around)(int enter)) { state.around = around; }
