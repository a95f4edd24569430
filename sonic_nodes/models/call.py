"""Calls the networks of csrc/models, with tensors by name."""

import torch

from ..extension.native import call

METER = ("convolution_flops", "product_flops", "attention_flops", "moved_bytes", "live_bytes", "peak_bytes")


def run_network(
    network: str,
    inputs: dict[str, torch.Tensor],
    weights: dict[str, torch.Tensor],
    numbers=(),
    probes=(),
    check_finite: bool = False,
    meter: bool | str = False,
    float16_sums: bool = False,
) -> list[torch.Tensor]:
    """The outputs of the operator `network` (csrc/torch/operators.h), then those of the layers named in `probes`.

    weights       by the names in the weight file, all of one dtype and device: the network computes in that dtype
    meter         True adds the cost of the call, a tensor with the entries of METER, before the layers' outputs. For
                  tensors of the meta device it is the estimated cost on the CPU or, with meter "gpu", on a GPU
    float16_sums  a card may sum products of float16 matrices in float16 (extension/precision.py)
    check_finite  fail at the first layer whose output holds NaN or infinity, and name it (slow)
    Raises RuntimeError with the message from C.
    """
    metered = "?#gpu" if meter == "gpu" else "?#"
    requests = [*(["?!"] if check_finite else []), *([metered] if meter else []), *(f"?{probe}" for probe in probes)]
    names = [*inputs, *weights, *requests]
    return call(network, (*inputs.values(), *weights.values()), "\n".join(names), numbers, float16_sums)
