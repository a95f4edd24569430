"""float32 that is float32: unless it is told otherwise, PyTorch lets convolutions on NVIDIA cards round to TF32, which
has 10 bits of precision; hosts allow that, or bfloat16 on CPUs, for matrix products as well."""

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
