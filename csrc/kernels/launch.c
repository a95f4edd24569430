#include "kernels/launch.h"

#include "kernels/arguments.h"
#include "kernels/library.h"

/* The part of the driver's interface in use, as its documentation has it ("CUDA Driver API"): results are numbers, 0 is
 * success; handles are pointers; a device is a number. Pointers to functions are kept as data until they are called. */
typedef int (*init_function)(unsigned flags);
typedef int (*device_get_function)(int *device, int ordinal);
typedef int (*retain_function)(void **context, int device);
typedef int (*push_function)(void *context);
typedef int (*pop_function)(void **context);
typedef int (*load_function)(void **module, const void *image);
typedef int (*unload_function)(void *module);
typedef int (*find_function)(void **function, void *module, const char *name);
typedef int (*launch_function)(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                               unsigned block_y, unsigned block_z, unsigned shared_bytes, void *stream,
                               void **arguments, void **extra);

enum { TYPES = 3 }; /* of numbers: float32, float16, bfloat16 */

typedef struct image {
    sonic_device device;
    void *context, *module; /* module NULL: none is loaded */
    void *functions[SONIC_KERNEL_COUNT];
} image;

static struct {
    void *init, *device_get, *retain, *push, *pop, *load, *unload, *find, *launch;
    bool ready;
} driver;

static image images[SONIC_DEVICES_MAX][TYPES];
static int64_t launches[SONIC_KERNEL_COUNT]; /* counted for tests and reports; threads may lose one another's counts */

static const char *const names[SONIC_KERNEL_COUNT] = {"group_norm_sums", "group_norm_apply", "geglu", "layer_norm",
                                                      "add_scaled"};

/* Converts a data pointer to a function's: the same size on every system that has a driver. */
#define CALL(type, name) (*(type *)&driver.name)

const char *sonic_kernel_name(sonic_kernel kernel) { return names[kernel]; }

int64_t sonic_kernel_launches(sonic_kernel kernel) { return launches[kernel]; }

static sonic_status failed(const char *what, int code)
{
    return sonic_fail(SONIC_ERROR_DEVICE,
                      "Update the graphics driver, or restart the computer: %s failed with CUDA error %d.", what, code);
}

sonic_status sonic_kernels_use_driver(void *library)
{
    const sonic_library_function functions[] = {
        {"cuInit", &driver.init},
        {"cuDeviceGet", &driver.device_get},
        {"cuDevicePrimaryCtxRetain", &driver.retain},
        {"cuCtxPushCurrent_v2", &driver.push},
        {"cuCtxPopCurrent_v2", &driver.pop},
        {"cuModuleLoadData", &driver.load},
        {"cuModuleUnload", &driver.unload},
        {"cuModuleGetFunction", &driver.find},
        {"cuLaunchKernel", &driver.launch},
    };
    sonic_kernels_unload();
    driver.ready = false;
    sonic_status status =
        sonic_library_functions(library, functions, sizeof functions / sizeof *functions, "Update the graphics driver");
    if (status)
        return status;
    int code = CALL(init_function, init)(0);
    if (code)
        return failed("starting the driver", code);
    driver.ready = true;
    return SONIC_OK;
}

static image *image_of(sonic_device device, sonic_dtype dtype)
{
    if (device.type < 0 || device.index < 0 || device.index >= SONIC_DEVICES_MAX || (int)dtype < 0 ||
        (int)dtype >= TYPES)
        return NULL;
    return &images[device.index][dtype];
}

static void unload(image *i)
{
    void *previous;
    if (i->module && CALL(push_function, push)(i->context) == 0) {
        CALL(unload_function, unload)(i->module);
        CALL(pop_function, pop)(&previous);
    }
    i->module = NULL;
}

void sonic_kernels_unload(void)
{
    for (int d = 0; d < SONIC_DEVICES_MAX; d++)
        for (int t = 0; t < TYPES; t++)
            unload(&images[d][t]);
}

/* In the device's context. */
static sonic_status load_functions(image *i, const void *data)
{
    int code = CALL(load_function, load)(&i->module, data);
    if (code) {
        i->module = NULL;
        return failed("loading the kernels", code);
    }
    for (int k = 0; k < SONIC_KERNEL_COUNT; k++) {
        code = CALL(find_function, find)(&i->functions[k], i->module, names[k]);
        if (code)
            return failed(names[k], code);
    }
    return SONIC_OK;
}

sonic_status sonic_kernels_load(sonic_device device, sonic_dtype dtype, const void *data)
{
    image *i = image_of(device, dtype);
    void *previous;
    int card = 0, code;
    if (!driver.ready || !i)
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Load kernels after the driver, for one of %d devices in float32, "
                          "float16 or bfloat16.",
                          SONIC_DEVICES_MAX);
    unload(i);
    code = CALL(device_get_function, device_get)(&card, device.index);
    code = code ? code : CALL(retain_function, retain)(&i->context, card);
    code = code ? code : CALL(push_function, push)(i->context);
    if (code)
        return failed("using the card", code);
    sonic_status status = load_functions(i, data);
    CALL(pop_function, pop)(&previous);
    if (status)
        unload(i);
    i->device = device;
    return status;
}

bool sonic_kernels_are_loaded(sonic_device device, sonic_dtype dtype)
{
    const image *i = image_of(device, dtype);
    return i && i->module && i->device.type == device.type;
}

sonic_status sonic_kernel_launch(sonic_kernel kernel, sonic_device device, sonic_dtype dtype, const void *arguments,
                                 int64_t grid_x, int64_t grid_y)
{
    const image *i = image_of(device, dtype);
    void *stream, *previous, *parameters[1] = {(void *)arguments};
    if (!sonic_kernels_are_loaded(device, dtype) || grid_x < 1 || grid_x > INT32_MAX || grid_y < 1 ||
        grid_y > SONIC_KERNEL_GRID_Y)
        return sonic_fail(SONIC_ERROR_INTERNAL, "%s was launched where it cannot run", names[kernel]);
    sonic_status status = st_current_stream(device, &stream);
    if (status)
        return status;
    int code = CALL(push_function, push)(i->context);
    if (code == 0) {
        code = CALL(launch_function, launch)(i->functions[kernel], (unsigned)grid_x, (unsigned)grid_y, 1,
                                             KERNEL_THREADS, 1, 1, 0, stream, parameters, NULL);
        CALL(pop_function, pop)(&previous);
    }
    launches[kernel] += code == 0;
    return code ? failed(names[kernel], code) : SONIC_OK;
}
