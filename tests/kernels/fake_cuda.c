/* The driver and the compiler of a card, as far as csrc/kernels calls them: an image is a text, and a launch runs the
 * kernel in C (host_kernels.c), at once, in host memory. Each launch is logged with the bytes that a card would move.
 *
 * Tests plant failures and read the log by the functions at the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/arguments.h"

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
    char failing[64];                    /* the function that fails */
    int depth;                           /* contexts pushed and not popped */
    int modules;                         /* loaded and not unloaded */
    int only_logs;                       /* kernels do not run */
    void *(*host_address)(const void *); /* of a device address; NULL: they are the same */
    long long launches;
    char *log; /* a line for each launch */
    size_t log_bytes, log_room;
} state;

/* What is known of a kernel: the size of its arguments, and with how many pointers they begin. */
static const struct kernel {
    const char *name;
    size_t bytes;
    int pointers;
} kernels[] = {
    {"group_norm_sums", sizeof(group_norm_arguments), 6},
    {"group_norm_apply", sizeof(group_norm_arguments), 6},
    {"geglu", sizeof(geglu_arguments), 1},
    {"layer_norm", sizeof(layer_norm_arguments), 5},
    {"add_scaled", sizeof(add_scaled_arguments), 3},
};

static const struct kernel *kernel_called(const char *name)
{
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        if (strcmp(kernels[i].name, name) == 0)
            return &kernels[i];
    return NULL;
}

/* The elements of activations that a launch moves to and from memory. */
static long long elements(const char *name, const void *arguments, long long grid_x, long long grid_y)
{
    const group_norm_arguments *n = arguments;
    const geglu_arguments *g = arguments;
    const layer_norm_arguments *l = arguments;
    const add_scaled_arguments *a = arguments;
    if (strcmp(name, "group_norm_sums") == 0)
        return grid_y * n->tokens * n->channels;
    if (strcmp(name, "group_norm_apply") == 0)
        return 2 * grid_y * n->tokens * n->channels;
    if (strcmp(name, "geglu") == 0)
        return 3 * grid_x * g->width;
    if (strcmp(name, "add_scaled") == 0)
        return 3 * a->rows * a->channels;
    return (l->before ? 3 : 2) * l->rows * l->channels;
}

static void write_log(const char *name, int value, const void *arguments, long long grid_x, long long grid_y)
{
    char line[128];
    long long bytes = elements(name, arguments, grid_x, grid_y) * (value == 0 ? 4 : 2);
    size_t length = (size_t)snprintf(line, sizeof line, "%s %lld\n", name, bytes);
    if (state.log_bytes + length + 1 > state.log_room) {
        state.log_room = 2 * state.log_room + sizeof line;
        state.log = realloc(state.log, state.log_room);
    }
    memcpy(state.log + state.log_bytes, line, length + 1);
    state.log_bytes += length;
}

static int fails(const char *function) { return strcmp(state.failing, function) == 0; }

int cuDriverGetVersion(int *version) { return *version = 12080, fails("cuDriverGetVersion") ? FAILURE : 0; }
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
    union {
        group_norm_arguments largest;
        void *pointers[6];
    } own;
    const struct kernel *kernel = kernel_called(f->name);
    if (!kernel)
        return FAILURE;
    memcpy(&own, arguments[0], kernel->bytes);
    for (int i = 0; state.host_address && i < kernel->pointers; i++)
        own.pointers[i] = state.host_address(own.pointers[i]);
    write_log(f->name, f->module->value, &own, grid_x, grid_y);
    state.launches++;
    return state.only_logs || runs[f->module->value](f->name, &own, grid_x, grid_y) ? 0 : FAILURE;
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

/* The driver's other library, NVML */
int nvmlInit_v2(void) { return fails("nvmlInit_v2") ? 9 : 0; }
int nvmlShutdown(void) { return 0; }

int nvmlSystemGetDriverVersion(char *out, unsigned room)
{
    snprintf(out, room, "570.86.10");
    return fails("nvmlSystemGetDriverVersion") ? 9 : 0;
}

/* For tests */
void fake_fail(const char *function) { snprintf(state.failing, sizeof state.failing, "%s", function); }
int fake_contexts(void) { return state.depth; }
int fake_modules(void) { return state.modules; }
long long fake_launches(void) { return state.launches; }
void fake_only_logs(int on) { state.only_logs = on; }
void fake_host_address(void *(*host_address)(const void *)) { state.host_address = host_address; }
const char *fake_log(void) { return state.log ? state.log : ""; }
void fake_clear_log(void)
{
    state.log_bytes = 0;
    if (state.log)
        state.log[0] = 0;
}
