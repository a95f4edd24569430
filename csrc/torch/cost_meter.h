/* cost_meter.h - what a computation costs: multiply-adds issued, bytes moved by what multiplies nothing, and bytes of
 * tensors held at once.
 *
 * A meter hangs on a root scope and sees every operator and tensor of that scope and of those opened under it. Counted
 * are results and whatever else is made there, each memory once however many views it has; the operands that the meter
 * starts with do not count, nor what an operator needs inside itself. Where operands lie on another device than the
 * CPU, only tensors off the CPU count.
 *
 * Tensors of the meta device have no memory and are counted as if they had: that is how a computation is foretold.
 * Whether a result shows its operand's memory then follows from the operator instead of the address
 * (meter_shares_memory). */
#ifndef SONIC_TORCH_COST_METER_H
#define SONIC_TORCH_COST_METER_H

#include "torch/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sonic_cost_meter sonic_cost_meter;

typedef struct sonic_cost_reading {
    /* 2 for each multiply-add; norms, activations and sums are not counted */
    int64_t convolution_flops, product_flops, attention_flops;
    int64_t moved_bytes; /* that all other operators read and write; views move nothing */
    int64_t live_bytes, peak_bytes;
} sonic_cost_reading;

/* Hangs a meter on `root`, which must have been opened without a parent and hold the `count` operands alone. Tensors of
 * the meta device are counted as they would be on a GPU or, without `for_gpu`, on the CPU: kernels there lay out their
 * results differently. */
sonic_status sonic_cost_meter_create(sonic_cost_meter **out, sonic_scope *root, sonic_tensor *const *operands,
                                     int32_t count, bool for_gpu);
sonic_cost_reading sonic_cost_meter_read(const sonic_cost_meter *meter);
void sonic_cost_meter_free(sonic_cost_meter *meter); /* after its scope was closed */

#ifdef __cplusplus
}
#endif
#endif
