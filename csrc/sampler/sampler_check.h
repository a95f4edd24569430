/* sampler_check.h - whether inputs and settings of the denoising loop fit together. */
#ifndef SONIC_SAMPLER_SAMPLER_CHECK_H
#define SONIC_SAMPLER_SAMPLER_CHECK_H

#include "sampler/sampler_types.h"

/* SONIC_ERROR_ARGUMENT or SONIC_ERROR_SHAPE with a sentence that says what to give instead. */
sonic_status sonic_sampler_check(const sonic_sampler_settings *settings, const sonic_sampler_inputs *inputs,
                                 const sonic_sampler_device *devices, int32_t device_count);

#endif
