"""The networks of csrc/models, each called with tensors by name."""

import torch

from ..extension.native import call

METER = ("convolution_flops", "product_flops", "attention_flops", "moved_bytes", "live_bytes", "peak_bytes")


def run(
    network: str,
    inputs: dict[str, torch.Tensor],
    weights: dict[str, torch.Tensor],
    numbers=(),
    probes=(),
    check_finite: bool = False,
    meter: bool | str = False,
) -> list[torch.Tensor]:
    """What the operator `network` of csrc/torch/operators.h returns, then the outputs of the layers named in `probes`.

    weights       by the names of the weight file, all of one dtype and device: the network computes in that dtype
    meter         before the layers' outputs, one tensor more: what the call cost, by METER; with tensors of the meta
                  device what it would
                  cost on the CPU or, where meter is "gpu", on a GPU
    check_finite  fail with the name of the first layer whose output holds NaN or infinity (slow: for looking into a
                  fault)
    Raises RuntimeError with the C text.
    """
    metered = "?#gpu" if meter == "gpu" else "?#"
    asked = [*(["?!"] if check_finite else []), *([metered] if meter else []), *(f"?{probe}" for probe in probes)]
    names = [*inputs, *weights, *asked]
    return call(network, (*inputs.values(), *weights.values()), "\n".join(names), numbers)
