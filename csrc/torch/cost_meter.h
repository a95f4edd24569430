/* cost_meter.h - the cost of a computation: multiply-adds, bytes moved by all other operators, and the peak of bytes
 * held by tensors.
 *
 * A cost meter is attached to a root scope and counts every operator and tensor of that scope and of its descendants.
 * Each allocation counts once, however many views it has; the root's operands and an operator's internal workspace do
 * not count. If an operand is on another device than the CPU, tensors on the CPU do not count.
 *
 * A dry run on the meta device, whose tensors have no memory, counts as if they had: this is how cost is estimated.
 * Whether a result shares its operand's memory then follows from the operator, not from the address
 * (cost_meter_shares_memory in internal.h). */
#ifndef SONIC_TORCH_COST_METER_H
#define SONIC_TORCH_COST_METER_H

#include "torch/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sonic_cost_meter sonic_cost_meter;

typedef struct sonic_cost_reading {
    /* 2 per multiply-add of convolutions, matrix products and attention; other operators have none */
    int64_t convolution_flops, product_flops, attention_flops;
    int64_t moved_bytes; /* read and written by all other operators; views move nothing */
    int64_t live_bytes, peak_bytes;
} sonic_cost_reading;

/* Attaches a meter to `root`, which must have no parent and hold exactly the `count` operands. Tensors of the meta
 * device are counted as on a GPU or, without `for_gpu`, as on the CPU, whose kernels lay out their results differently.
 */
sonic_status sonic_cost_meter_create(sonic_cost_meter **out, sonic_scope *root, sonic_tensor *const *operands,
                                     int32_t count, bool for_gpu);
sonic_cost_reading sonic_cost_meter_read(const sonic_cost_meter *meter);
void sonic_cost_meter_free(sonic_cost_meter *meter); /* after its scope is closed */

#ifdef __cplusplus
}
#endif
#endif
