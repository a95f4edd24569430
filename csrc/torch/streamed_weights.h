/* streamed_weights.h - weights that wait in pinned host memory and are on a card only while they are used.
 *
 * A network uses them part by part: "down_blocks.0.resnets.1", then "down_blocks.0.attentions.1", ... Two buffers on
 * the card, each as large as the largest part, take turns: while the operators of one part run, the next part's weights
 * are copied into the other buffer, in a queue of their own (copy_stream.h). An event says when the part before, which
 * was in that buffer, is done; another one, when the copies have arrived. The host waits for neither.
 *
 * What a part uses, and which part follows it, is what happened the last time; what is asked for unexpectedly is copied
 * in the queue of the operators. So the first call of a network copies as it goes, and a device without a second queue
 * always does. */
#ifndef SONIC_TORCH_STREAMED_WEIGHTS_H
#define SONIC_TORCH_STREAMED_WEIGHTS_H

#include "torch/operators.h"

/* *out is NULL where no weight of `call` waits in host memory while `like`, a weight, is on a card. Those of another
 * dtype than `like`, outside the parts, or with gaps in their memory are copied when they are asked for. `prefix`: of
 * their names in call->names. Borrows the weights and `like`; the buffers belong to call->scope. */
sonic_status sonic_streamed_weights_create(sonic_streamed_weights **out, const sonic_operator_call *call,
                                           const char *prefix, sonic_tensor *like);
/* What was queued may still read the buffers; whatever gets their memory next is queued after it. */
void sonic_streamed_weights_free(sonic_streamed_weights *streamed);

/* `weight`, which is called `name` and waits in host memory, on the card: valid until a weight of another part is asked
 * for. Belongs to `scope`; NULL when it has failed. */
sonic_tensor *sonic_streamed_weights_bring(sonic_streamed_weights *streamed, sonic_scope *scope, const char *name,
                                           sonic_tensor *weight);

#endif
