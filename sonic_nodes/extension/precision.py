"""How products are rounded inside our calls, whatever the host allows.

float32 is float32: unless it is told otherwise, PyTorch lets convolutions on NVIDIA cards round to TF32, which has 10
bits of precision; hosts allow that, or bfloat16 on CPUs, for matrix products as well. Products of float16 are summed in
float32, unless a call asks for sums in float16 (models/sampler.py). The settings are those of the process: products of
other threads meanwhile are rounded in the same way."""

import threading

# Of torch.backends: (backend, operators) of its functions for fp32_precision.
KINDS = (("cuda", "conv"), ("cuda", "matmul"), ("mkldnn", "conv"), ("mkldnn", "matmul"))
EXACT = ("ieee", "none")


class ExactFloat32:
    """In the block, no float32 operator of this process rounds its operands; then each setting is as it was."""

    def __init__(self, torch):
        self.read, self.write = torch._C._get_fp32_precision_getter, torch._C._set_fp32_precision_setter

    def __enter__(self):
        self.before = [(kind, value) for kind in KINDS if (value := self.read(*kind)) not in EXACT]
        for kind, _ in self.before:
            self.write(*kind, "ieee")

    def __exit__(self, *_):
        for kind, value in self.before:
            self.write(*kind, value)


class Float16Sums:
    """In the block, cuBLAS may sum products of float16 matrices in float16 if `wanted`, else not; then the setting is
    as it was. A PyTorch without the setting always sums in float32. Where blocks of several threads overlap, the latest
    decides, and the end of the last one brings the setting back."""

    lock = threading.Lock()
    blocks = 0  # that have begun and not ended
    of_host = None

    def __init__(self, torch, wanted: bool):
        self.products, self.wanted = torch.backends.cuda.matmul, wanted

    def __enter__(self):
        with Float16Sums.lock:
            self.before = float16_sums(self.products)
            if not Float16Sums.blocks:
                Float16Sums.of_host = self.before
            Float16Sums.blocks += 1
            self._set(self.wanted)

    def __exit__(self, *_):
        with Float16Sums.lock:
            Float16Sums.blocks -= 1
            self._set(self.before if Float16Sums.blocks else Float16Sums.of_host)

    def _set(self, value: bool | None):
        if self.before is not None and value != float16_sums(self.products):
            self.products.allow_fp16_accumulation = value


def float16_sums(products) -> bool | None:
    """Whether torch.backends.cuda.matmul allows them; None where PyTorch cannot be asked."""
    try:
        return products.allow_fp16_accumulation
    except AttributeError:
        return None
