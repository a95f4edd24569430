"""The count of what did not run under Wine, tools/wine/share.py, on results that are made up."""

from pathlib import Path

import pytest

from tools.wine import share, suite

ROOT = Path(__file__).resolve().parents[2]


def test_the_files_that_are_left_out_exist_and_ask_the_sources():
    left_out = share.files_left_out(ROOT)
    assert {share.pattern_of(name) for name in left_out} == set(share.NOT_THE_PRODUCT)
    assert not set(share.PRODUCT) & set(left_out) and all((ROOT / name).is_file() for name in share.PRODUCT)
    parts = suite.parts(ROOT)
    assert {"tests/e2e", "tests/core", "tests/models", "tests/test_errors.py"} <= set(parts)
    assert "tests/packaging" not in parts and len(set(parts)) == len(parts)


def results(passed: int, skipped: dict[str, int]) -> dict:
    found = {f"tests/face/test_find.py::test_{i}": ("PASSED", "") for i in range(passed)}
    for reason, count in skipped.items():
        found |= {f"tests/nodes/test_nodes.py::{reason}[{i}]": ("SKIPPED", f"({reason})") for i in range(count)}
    return found


COLLECTED = {"tests/face/test_find.py": 90, "tests/nodes/test_nodes.py": 10, "tests/packaging/test_pack.py": 500}


@pytest.mark.parametrize(
    ("passed", "skipped", "left_out"),
    [
        (100, {}, 0.0),
        (97, {"not for Windows: pipes": 3}, 0.03),
        (90, {"openssl is absent": 2}, 0.10),  # 8 have no case there
        (0, {}, 1.0),
        (105, {}, 0.0),  # Windows has more cases
        (90, {"diffusers is not installed: no comparison": 10}, 0.0),  # on Linux neither
    ],
)
def test_all_that_did_not_run_counts(passed, skipped, left_out):
    found = share.Share(COLLECTED, results(passed, skipped))
    assert found.whole == 100 - found.skipped_anywhere and found.left_out == pytest.approx(left_out)
    text = "\n".join(found.lines())
    assert "600 tests on Linux" in text and "-500 tests/packaging" in text and f"{left_out:.1%} did not run" in text
    assert all(f": {reason}" in text for reason in skipped)


def test_what_only_windows_lacks_is_not_skipped_anywhere():
    for reason in ("openssl makes the certificate, and is not installed", "not for Windows: pipes", "set COMFYUI_DIR"):
        assert not share.ANYWHERE.search(reason), reason


def test_without_a_count_of_linux_the_share_is_of_what_windows_collected():
    found = share.Share({}, results(95, {"not for Windows: pipes": 5}))
    assert found.whole == 100 and found.left_out == pytest.approx(0.05)
    assert share.Share({}, {}).left_out == 1.0


def test_counts_of_pytest_are_read():
    printed = "tests/face/test_find.py: 12\ntests/nodes/test_nodes.py: 3\n\n15 tests collected in 2.1s\n"
    assert dict(share.COUNT.findall(printed)) == {"tests/face/test_find.py": "12", "tests/nodes/test_nodes.py": "3"}


def test_the_test_that_ended_the_process_is_known(tmp_path):
    log = tmp_path / "tests-nodes.log"
    for end in ("Windows fatal exception: access violation\n", "\n", "Timeout (0:05:00)!\n"):
        log.write_text(f"tests/nodes/test_a.py::test_one[a b] PASSED [ 1%]\ntests/nodes/test_a.py::test_two[c d] {end}")
        assert suite.running_test(log) == "tests/nodes/test_a.py::test_two[c d]"
        log.write_text(f"{log.read_text()}tests/nodes/test_a.py::test_two[c d] ERROR (it ended the process)\n")
        assert suite.results_in(log)["tests/nodes/test_a.py::test_two[c d]"][0] == "ERROR"
    log.write_text("collecting ... collected 3 items\n")
    assert suite.running_test(log) is None


def test_logs_of_several_runs_are_read_and_a_run_that_ended_early_is_an_error(tmp_path):
    whole, cut = tmp_path / "tests-face.log", tmp_path / "tests-core.log"
    whole.write_text("tests/face/test_find.py::test_one PASSED [ 50%]\n== 1 passed in 2.00s ==\n", "utf-8")
    cut.write_text("tests/core/test_progress.py::test_one PASSED [ 50%]\nWindows fatal exception\n", "utf-8")
    assert suite.results_in(whole) == {"tests/face/test_find.py::test_one": ("PASSED", "")}
    assert ("ERROR", "") in suite.results_in(cut).values()
