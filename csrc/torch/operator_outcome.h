/* operator_outcome.h - how an operator ended, as a value.
 *
 * libtorch's dispatcher expects a kernel to throw a C++ exception when it fails. An exception crosses only between code
 * of one compiler and one run-time library, and our binary is built by another compiler than libtorch on Windows, where
 * it would end the process. Therefore a kernel always returns, and its failure is kept here for its caller:
 *
 *     sonic_operator_outcome outcome;
 *     sonic_operator_outcome_begin(&outcome);
 *     ... call operators through libtorch's dispatcher, in this thread ...
 *     if (sonic_operator_outcome_end(&outcome))
 *         ... outcome.text says why; the result is to be thrown away ...
 *
 * Outcomes nest: what an operator's progress callback, a signal handler or Python's collector calls meanwhile reports
 * into an outcome of its own. An operator whose outcome is not collected (torch.ops called directly) reports
 * into one that its thread keeps until the next. */
#ifndef SONIC_TORCH_OPERATOR_OUTCOME_H
#define SONIC_TORCH_OPERATOR_OUTCOME_H

#include "sonic.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sonic_operator_outcome {
    sonic_status status; /* of the first operator that failed */
    char text[512];      /* sonic_last_error() at that time, if status is not SONIC_OK */
    struct sonic_operator_outcome *outer;
} sonic_operator_outcome;

/* From here to _end, the operators that this thread calls report into `outcome`. */
void sonic_operator_outcome_begin(sonic_operator_outcome *outcome);
sonic_status sonic_operator_outcome_end(sonic_operator_outcome *outcome);

/* For the kernel: where it will report. Until it has, the operators that it calls report elsewhere. */
sonic_operator_outcome *sonic_operator_outcome_claim(void);
void sonic_operator_outcome_report(sonic_operator_outcome *outcome, sonic_status status);

/* The outcome of the last operator of this thread that was not collected. */
const sonic_operator_outcome *sonic_operator_outcome_uncollected(void);

#ifdef __cplusplus
}
#endif
#endif
