/* unet_constants.h - computes once per run what does not change from step to step. */
#ifndef SONIC_MODELS_UNET_UNET_CONSTANTS_H
#define SONIC_MODELS_UNET_UNET_CONSTANTS_H

#include "models/unet/unet_types.h"

/* Fills `out` with tensors of `outer`. SONIC_ERROR_SHAPE or SONIC_ERROR_ARGUMENT for conditions that do not fit. */
sonic_status sonic_unet_prepare(sonic_unet_constants *out, sonic_scope *outer, const sonic_unet *unet,
                                const sonic_unet_conditions *conditions);

/* Calls `visit` with each constant's name and address, in the order of the struct. Operators return and find the
 * constants this way. */
void sonic_unet_constants_each(sonic_unet_constants *constants,
                               void (*visit)(void *context, const char *name, sonic_tensor **tensor), void *context);

#endif
