#include "matting/matting_operators.h"

#include "matting/person_mask.h"

/* tensors: input [batch, 3, 256, 256] named "input", weights. Returns [batch, 1, 256, 256]. */
static void sonic_person_mask_operator(sonic_operator_call *call)
{
    sonic_operator_return(call, sonic_person_mask_run(call->scope, call, sonic_operator_tensor(call, "input")));
}

const sonic_operator sonic_matting_operators[] = {
    {"person_mask", sonic_person_mask_operator},
    {NULL, NULL},
};
