#include "torch/operator_outcome.h"

#include <stdbool.h>
#include <stdio.h> /* snprintf */

#include "core/thread_local.h"

static SONIC_THREAD_LOCAL sonic_operator_outcome *current, uncollected;

void sonic_operator_outcome_begin(sonic_operator_outcome *outcome)
{
    outcome->status = SONIC_OK;
    outcome->text[0] = 0;
    outcome->outer = current;
    current = outcome;
}

sonic_status sonic_operator_outcome_end(sonic_operator_outcome *outcome)
{
    current = outcome->outer;
    return outcome->status;
}

sonic_operator_outcome *sonic_operator_outcome_claim(void)
{
    sonic_operator_outcome *outcome = current ? current : &uncollected;
    current = NULL;
    return outcome;
}

void sonic_operator_outcome_report(sonic_operator_outcome *outcome, sonic_status status)
{
    bool collected = outcome != &uncollected;
    if (status && !(collected && outcome->status))
        snprintf(outcome->text, sizeof outcome->text, "%s", sonic_last_error());
    if (!collected || !outcome->status)
        outcome->status = status;
    current = collected ? outcome : NULL;
}

const sonic_operator_outcome *sonic_operator_outcome_uncollected(void) { return &uncollected; }
