"""Values that no widget and no node of this pack makes, by the type of the input that a link brings them to."""

import math
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

NAN, INF = math.nan, math.inf


class Hostile:
    """Answers every question with an error of its own."""

    def __getattribute__(self, name):
        raise ZeroDivisionError(name)

    __bool__ = __len__ = __iter__ = __float__ = __int__ = __index__ = __repr__ = __eq__ = __hash__ = __getattribute__


class HostileNumber(float):
    def __float__(self):
        raise ZeroDivisionError

    __int__ = __repr__ = __str__ = __format__ = __le__ = __ge__ = __eq__ = __hash__ = __float__


class HostileText(str):
    def __eq__(self, other):
        raise ZeroDivisionError

    def __hash__(self):
        raise ZeroDivisionError

    __repr__ = __len__ = __hash__


class Text(str, Enum):
    ODD = "odd"


class Subclass(torch.Tensor):
    """As packs define them: the functions of torch return the subclass."""


class Deaf(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        raise ZeroDivisionError


class Hollow(torch.nn.Module):
    """A real network, whose weights have no shape yet."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.LazyLinear(4)


SCALARS = {
    "none": None,
    "nan": NAN,
    "inf": INF,
    "-inf": -INF,
    "1e308": 1e308,
    "5e-324": 5e-324,
    "half": 0.5,
    "minus one": -1,
    "zero": 0,
    "two": 2,
    "2**63": 2**63,
    "2**64": 2**64,
    "-2**70": -(2**70),
    "10**5000": 10**5000,
    "true": True,
    "false": False,
    "numpy nan": np.float32(NAN),
    "numpy int": np.int64(-1),
    "numpy bool": np.bool_(True),
    "array": np.array(1.0),
    "two in an array": np.array([1, 2]),
    "fraction": Fraction(10**400, 3),
    "decimal": Decimal("NaN"),
    "complex": 1 + 2j,
    "number as text": "7",
    "wide digits": "\uff17\uff17",
    "nan as text": "nan",
    "word": "x",
    "empty text": "",
    "long text": "9" * 100_000,
    "surrogate": "\ud800",
    "nul": "a\0b",
    "way up": "../../etc/passwd",
    "device": "/dev/zero",
    "enum": Text.ODD,
    "bytes": b"7",
    "list": [1],
    "empty list": [],
    "nested list": [[[1.0]]],
    "dict": {},
    "type": int,
    "function": len,
    "object": object(),
    "hostile": Hostile(),
    "hostile number": HostileNumber(1.0),
    "hostile text": HostileText("x"),
    "tensor": torch.tensor(1.0),
    "empty tensor": torch.zeros(0),
    "meta number": torch.empty((), device="meta"),
}


FEW = ("none", "nan", "-2**70", "true", "word", "array", "list", "dict", "hostile", "hostile text", "meta number")
FEW_SCALARS = {name: SCALARS[name] for name in FEW}


def escaped(tensor: torch.Tensor, transform) -> torch.Tensor:
    """A wrapper of torch.func that outlives the call that made it."""
    kept = []
    transform(lambda x: (kept.append(x), x.sum())[1])(tensor)
    return kept[0]


def freed(tensor: torch.Tensor) -> torch.Tensor:
    copy = tensor.clone()
    copy.untyped_storage().resize_(0)
    return copy


def odd_tensors(good: torch.Tensor) -> dict[str, object]:
    """`good` in forms that are unreadable, unusual or of another size."""
    cut = good[(slice(0, 1),) * good.ndim]
    with FakeTensorMode() as mode:
        fake = mode.from_tensor(good)
    others = {
        f"{dtype}".removeprefix("torch."): good.to(dtype)
        for dtype in (
            torch.float64,
            torch.float16,
            torch.bfloat16,
            torch.float8_e4m3fn,
            torch.uint8,
            torch.int64,
            torch.uint16,
            torch.bool,
            torch.complex64,
        )
    }
    return others | {
        "float4": torch.empty(good.shape, dtype=torch.float4_e2m1fn_x2),
        "bits": torch.empty(good.shape, dtype=torch.bits8),
        "meta": good.to("meta"),
        "fake": fake,
        "sparse": good.to_sparse(),
        "quantized": torch.quantize_per_tensor(good, 0.1, 0, torch.quint8),
        "nested": torch.nested.nested_tensor([good, good]),
        "conjugate": good.to(torch.complex64).conj(),
        "negated view": good.to(torch.complex64).conj().imag,
        "gradient": good.clone().requires_grad_(),
        "parameter": torch.nn.Parameter(good.clone()),
        "subclass": good.as_subclass(Subclass),
        "deaf subclass": good.as_subclass(Deaf),
        "uninitialized": torch.nn.UninitializedParameter(),
        "escaped gradient": escaped(good, torch.func.grad),
        "escaped map": escaped(good[None], torch.func.vmap),
        "freed": freed(good),
        "strides": good.transpose(-1, -2).contiguous().transpose(-1, -2),
        "expanded": cut.expand(good.shape),
        "expanded to terabytes": cut.expand(10**6, *([10**4] * (good.ndim - 1))),
        "transposed": good.transpose(-1, -2),
        "no batch": good[0],
        "one more dimension": good[None],
        "seven dimensions": good[(None,) * (7 - good.ndim)],
        "number": good.sum(),
        "empty batch": good[:0],
        "empty last": good[..., :0],
        "empty middle": good[:, :0],
        "all zero": torch.zeros_like(good),
        "nan": good * NAN,
        "inf": good + INF,
        "1e30": good * 1e30,
        "negative": -good,
        "numpy": good.numpy(),
        "list of tensors": [good],
    }


def odd_images(good: torch.Tensor) -> Iterator[tuple[str, object]]:
    yield from odd_tensors(good).items()
    yield "one channel", good[..., :1]
    yield "two channels", good[..., :2]
    yield "four channels", torch.cat([good, good[..., :1]], -1)
    yield "one pixel", good[:, :1, :1]
    yield "one row", torch.zeros(1, 1, 2000, 3)
    yield "40000 wide", torch.zeros(1, 1, 40000, 3)
    yield "a billion frames", good[:1, :1, :1].expand(10**9, 1, 1, 3)
    yield "a huge frame", good[:1, :1, :1].expand(1, 30_000, 30_000, 3)


def odd_masks(good: torch.Tensor) -> Iterator[tuple[str, object]]:
    yield from odd_tensors(good).items()
    yield "another size", torch.ones(1, 64, 64)
    yield "one pixel", torch.ones(1, 1, 1)
    yield "a row", torch.ones(8)


class Unreadable(dict):
    """Its keys are there, its values are not."""

    def __getitem__(self, key):
        raise KeyError(key)


def odd_audio(good: dict) -> Iterator[tuple[str, object]]:
    wave = good["waveform"]
    yield "empty", {}
    yield "unreadable", Unreadable(good)
    yield "pairs", list(good.items())
    for key in good:
        yield f"without {key}", {name: value for name, value in good.items() if name != key}
    for name, value in odd_tensors(wave).items():
        yield f"waveform {name}", good | {"waveform": value}
    for name, value in FEW_SCALARS.items():
        yield f"waveform {name}", good | {"waveform": value}
    for name, value in SCALARS.items():
        yield f"rate {name}", good | {"sample_rate": value}
    for rate in (1, 3.5, 44100.7, 2**31, 10**30):
        yield f"rate {rate}", good | {"sample_rate": rate}
    yield "64 channels", good | {"waveform": wave.expand(1, 64, -1)}
    yield "no channel", good | {"waveform": wave[:, :0]}
    yield "a million recordings", good | {"waveform": wave.expand(10**6, 1, -1)}
    yield "three recordings", good | {"waveform": wave.expand(3, 1, -1)}


def odd_entries(good: dict) -> Iterator[tuple[str, dict]]:
    """`good` without an entry, and with one entry of another make."""
    yield "empty", {}
    for key, value in good.items():
        yield f"without {key}", {name: other for name, other in good.items() if name != key}
        for name, odd in FEW_SCALARS.items():
            yield f"{key} {name}", good | {key: odd}
        if isinstance(value, np.ndarray):
            for name, odd in odd_arrays(value).items():
                yield f"{key} {name}", good | {key: odd}


def odd_arrays(good: np.ndarray) -> dict[str, object]:
    number = np.zeros(1, good.dtype)
    return {
        "float64": good.astype(np.float64),
        "swapped bytes": good.astype(good.dtype.newbyteorder(">")),
        "objects": good.astype(object),
        "texts": good.astype(str),
        "nan": good * np.float32(NAN),
        "1e30": good * np.float32(1e30),
        "masked": np.ma.masked_array(good, mask=True),
        "no row": good[:0],
        "one row": good[:1],
        "one more dimension": good[None],
        "reversed": good[::-1],
        "a tensor": torch.from_numpy(good),
        "terabytes": np.lib.stride_tricks.as_strided(number, (10**6, 10**6, 3), (0, 0, 0), writeable=False),
    }


def odd_data(good: dict) -> Iterator[tuple[str, object]]:
    yield from odd_entries(good)
    for crop in ((-(2**31), 0, 2**31 - 1, 5), (5, 5, 5, 5), (10**6, 0, 10**6 + 5, 5), (0.5, 0, 9, 9), (0, 0, 9)):
        yield f"crop {crop}", good | {"crop_xyxy": crop}
    for frames in (10**9, -1, good["frames"] + 1, good["frames"] - 0.5):
        yield f"frames {frames}", good | {"frames": frames}
    yield "version 0", good | {"version": 0}
    yield "version 2", good | {"version": 2}
    yield "the other pack's", {"audio_tensor_list": [], "ref_tensor_list": []}


def odd_latents(good: dict) -> Iterator[tuple[str, object]]:
    yield from odd_entries(good)
    for name, value in odd_entries(good["sonic"]):
        yield f"sonic {name}", good | {"sonic": value}
    for name, value in odd_tensors(torch.zeros(1, 4, 8, 8)).items():
        yield f"samples {name}", {"samples": value}
        yield f"our samples {name}", good | {"samples": value}


def odd_networks() -> Iterator[tuple[str, object]]:
    """In place of a CLIP_VISION or a VAE of ComfyUI."""
    yield "of one layer", SimpleNamespace(patcher=SimpleNamespace(model=torch.nn.Linear(2, 2)))
    yield "without shapes", SimpleNamespace(patcher=SimpleNamespace(model=Hollow()))
    yield "without a patcher", SimpleNamespace(model=torch.nn.Linear(2, 2))
    yield "whose network is a text", SimpleNamespace(patcher=SimpleNamespace(model="x"))
    yield "that raises", SimpleNamespace(patcher=Hostile())


def odd_models() -> Iterator[tuple[str, object]]:
    calls = ("settings", "plan", "infer", "decode", "describe", "calibrate")
    yield "of the same calls", SimpleNamespace(name="sonic", ignored=(), **dict.fromkeys(calls, len))
    yield "a network", torch.nn.Linear(2, 2)


def odd_values(io_type: str, good) -> Iterator[tuple[str, object]]:
    """(name, value) of everything that may arrive where `good` is expected."""
    yield from SCALARS.items()
    tables = {
        "IMAGE": odd_images,
        "MASK": odd_masks,
        "AUDIO": odd_audio,
        "LATENT": odd_latents,
        "SONIC_PREDATA": odd_data,
    }
    if io_type in tables:
        yield from tables[io_type](good)
    elif io_type in ("CLIP_VISION", "VAE", "MODEL"):
        yield from odd_networks()
    elif io_type == "MODEL_SONIC":
        yield from odd_models()
