"""Every network on every device and in every precision: the table of bench/parity.py."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import parity  # noqa: E402


@pytest.mark.parametrize("dtype", parity.DTYPES)
def test_parity_holds(dtype, device, golden_dir, capsys):
    assert parity.main(["--golden", str(golden_dir), "--device", device, "--dtype", dtype]) == 0, (
        capsys.readouterr().out
    )
