"""bench/parity.py on every device and in every precision."""

import pytest

from bench import parity


@pytest.mark.parametrize("dtype", parity.DTYPES)
def test_parity_holds(dtype, device, golden_dir, capsys):
    assert parity.main(["--golden", str(golden_dir), "--device", device, "--dtype", dtype]) == 0, (
        capsys.readouterr().out
    )
