"""The overhead of an operator of tensor.h over libtorch's kernel, without Python in the loop.

    python -m bench.operator_call [--calls 2000] [--rounds 40] [--only silu,linear]

Each operator runs on tensors of one element, where the kernel is cheapest: some thousand times inside one call of
tensor_operator, each time in a scope of its own, which creates and frees the result. The kernel is libtorch's own
function for the same computation, called in a C++ loop (operator_call.cpp, compiled into a temporary folder): that of
at::cpu::, which does not dispatch, if there is one, else that of at:: in inference mode. The loops alternate; the
smallest processor time of the rounds counts. Exits 1 when an operator is more than 1.5 us above its kernel. Needs a C++
compiler.

On Windows, where only Microsoft's compiler can call libtorch's C++, our own times are printed alone. Its processor time
counts in steps of 15 ms, so there it is the time that passes.
"""

import argparse
import ctypes
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import torch

from sonic_nodes.extension.native import call

LIMIT_US = 1.5
WINDOWS = sys.platform == "win32"
clock = time.perf_counter if WINDOWS else time.process_time
SOURCE = Path(__file__).with_suffix(".cpp")


def cases():
    x, matrix, image = torch.ones(1), torch.ones(1, 1), torch.ones(1, 1, 1, 1)
    return {
        "silu": ([x], ()),
        "relu": ([x], ()),
        "gelu": ([x], ()),
        "add": ([x, x], ()),
        "mul": ([x, x], ()),
        "mul_scalar": ([x], (2.0,)),
        "linear": ([matrix, matrix, x], ()),
        "matmul": ([matrix, matrix], ()),
        "conv2d": ([image, image, x], (1, 0, 1)),
        "layer_norm": ([matrix, x, x], (1e-5,)),
        "group_norm": ([image, x, x], (1, 1e-5)),
        "softmax": ([matrix], (1,)),
        "attention": ([image] * 3, (0,)),
        "mean": ([matrix], (1,)),
        "cat": ([x, x], (0,)),
        "to_dtype": ([x], (1,)),
        "clone": ([x], ()),
        "view": ([matrix], (1,)),
        "reshape": ([matrix], (1,)),
        "slice": ([torch.ones(4)], (0, 1, 2)),
        "permute": ([image], (0, 2, 1, 3)),
        "silu_in_place": ([x * 0], ()),
        "gelu_in_place": ([x * 0], ()),
        "mul_in_place": ([x * 0, x], ()),
        "add_in_place": ([x * 0, x], ()),
        "add_scaled_in_place": ([x * 0, x], (0.5,)),
        "add_product_in_place": ([x * 0, x, x], (0.5,)),
        "lerp_in_place": ([x * 0, x], (0.5,)),
        "add_linear_in_place": ([matrix * 0, matrix, matrix], ()),
    }


def compile_kernels(folder) -> ctypes.CDLL:
    torch_folder, library = Path(torch.__file__).parent, Path(folder) / "operator_call.so"
    compiler = (sysconfig.get_config_var("CXX") or "c++").split()[0]
    command = [
        compiler,
        "-std=c++20",
        "-O2",
        "-shared",
        "-fPIC",
        f"-I{torch_folder / 'include'}",
        str(SOURCE),
        "-o",
        str(library),
        f"-L{torch_folder / 'lib'}",
        "-ltorch_cpu",
        "-lc10",
    ]
    subprocess.run(command, check=True)
    kernels = ctypes.CDLL(str(library))
    kernels.kernel_seconds.restype, kernels.kernel_seconds.argtypes = ctypes.c_double, [ctypes.c_char_p, ctypes.c_long]
    return kernels


def our_seconds(name, tensors, numbers, calls) -> float:
    start = clock()
    call("tensor_operator", tensors, f"op={name}*{calls}", numbers)
    return clock() - start


def measured(kernels, name, tensors, numbers, a) -> tuple[float, float]:
    """Microseconds of one call: ours, the kernel's."""
    ours, theirs = [], []
    for _ in range(a.rounds):
        ours.append(our_seconds(name, tensors, numbers, a.calls))
        theirs.append(kernels.kernel_seconds(name.encode(), a.calls))
    return min(ours) / a.calls * 1e6, min(theirs) / a.calls * 1e6


def print_ours(chosen: dict, a) -> int:
    print(f"{'microseconds a call':22}{'ours':>8}")
    for name, (tensors, numbers) in chosen.items():
        best = min(our_seconds(name, tensors, numbers, a.calls) for _ in range(a.rounds))
        print(f"{name:22}{best / a.calls * 1e6:8.2f}", flush=True)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", default="", help="operators, separated by commas")
    a = parser.parse_args()
    torch.set_num_threads(1)
    chosen = {name: case for name, case in cases().items() if not a.only or name in a.only.split(",")}
    if WINDOWS:
        return print_ours(chosen, a)
    worst = 0.0
    print(f"{'microseconds a call':22}{'ours':>8}{'kernel':>8}{'overhead':>9}")
    with tempfile.TemporaryDirectory() as folder:
        kernels = compile_kernels(folder)
        for name, (tensors, numbers) in chosen.items():
            ours, kernel = measured(kernels, name, tensors, numbers, a)
            worst = max(worst, ours - kernel)
            mark = "" if ours - kernel <= LIMIT_US else "   above the limit"
            print(f"{name:22}{ours:8.2f}{kernel:8.2f}{ours - kernel:9.2f}{mark}")
    print(f"worst {worst:.2f}, limit {LIMIT_US}")
    return 0 if worst <= LIMIT_US else 1


if __name__ == "__main__":
    sys.exit(main())
