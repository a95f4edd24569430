"""bench/parity.py with kernels of our own on the driver that stands in: every network and whole clips."""

import torch

from bench import parity
from sonic_nodes.extension.native import _sonic

# Each stage, in float32, with the kernels that must have run in it.
STEP = {"group_norm_sums", "group_norm_apply", "geglu", "layer_norm"}
USED = {"unet": STEP, "sampling": STEP | {"add_scaled"}}


def check_table(golden_dir, device: str) -> None:
    """With the kernels of float32 loaded for `device`."""
    table = parity.Parity(golden_dir, device, torch.float32, check_finite=False)
    for stage in parity.STAGES:
        before = _sonic.kernels_launches()
        stage(table)
        ran = {name for name, count in _sonic.kernels_launches().items() if count > before[name]}
        assert ran == USED.get(stage.__name__, set()), stage.__name__
    assert len(table.rows) >= 51
    assert [row for row in table.rows if not row.holds] == []


def test_the_parity_table_holds_with_kernels(card, golden_dir):
    check_table(golden_dir, "cpu")
