"""How long a call of the UNet takes while its weights are brought to the card (csrc/torch/streamed_weights.h)."""

import math
import re
from collections import Counter

from ..weights.streamed import is_streamed, part_of
from .estimate import Model

PCIE_BYTES_PER_S = 12e9  # from pinned memory, PCIe 4.0 with 8 lanes or 3.0 with 16
PART = re.compile(r"(down_blocks|mid_block|up_blocks)\.(?:(\d+)\.)?(\w+)\.(\d+)")
SECTIONS = ("down_blocks", "mid_block", "up_blocks")
KINDS = ("resnets", "attentions", "downsamplers", "upsamplers")  # of a block; the last two come after all layers


def order(part: str) -> tuple[int, int, int, int]:
    """Sorts parts as the network uses them."""
    section, block, kind, index = PART.match(part).groups()
    return SECTIONS.index(section), int(block or 0), int(index) if KINDS.index(kind) < 2 else 99, KINDS.index(kind)


def parts(m: Model) -> list[tuple[int, int]]:
    """(bytes, level) of each part in the order of use. Level n has a 4^n-th of the pixels."""
    counts: Counter[str] = Counter()
    for name, shape in m["unet"].table:
        if is_streamed(name, shape):
            counts[part_of(name)] += m["unet"].dtype.itemsize * math.prod(shape)
    last = max((order(part)[1] for part in counts), default=0)
    levels = {"down_blocks": lambda block: block, "mid_block": lambda _: last, "up_blocks": lambda block: last - block}
    return [(counts[part], levels[part.split(".")[0]](order(part)[1])) for part in sorted(counts, key=order)]


def call_seconds(m: Model, computing: float) -> float:
    """Of a call whose operators alone take `computing` seconds. While a part computes, the next one is copied, beside
    the last the first one of the next call: each takes the longer of both. A part's share of the operators' time is
    that of its multiply-adds, each weight's being one for each pixel of its level."""
    found = parts(m)
    work = [count / 4**level for count, level in found]
    copied = [count / PCIE_BYTES_PER_S for count, _ in found]
    copied_next = copied[1:] + copied[:1]
    return sum(max(computing * w / sum(work), c) for w, c in zip(work, copied_next, strict=True))
