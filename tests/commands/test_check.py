"""`sonic check` in a process: results on stdout, progress on the terminal's stderr, a report, and the exit code."""

import json
import os
import subprocess
import sys

import pytest
from PIL import Image

COMMAND = [sys.executable, "-m", "sonic_nodes", "check"]


@pytest.fixture
def folder(tmp_path, sample_dir):
    folder = tmp_path / "pictures"
    folder.mkdir()
    with Image.open(sample_dir / "portrait.jpg") as picture:
        small = picture.convert("RGB").resize((200, 240), Image.Resampling.LANCZOS)
    small.save(folder / "fine.png")
    small.save(folder / "poor.jpg", quality=30)
    (folder / "text.png").write_text("no picture")
    return folder


@pytest.mark.posix("pseudo-terminals")
def test_progress_goes_to_the_terminal_and_results_to_stdout(folder, tmp_path):
    import fcntl
    import struct
    import termios

    try:
        ours, theirs = os.openpty()
    except OSError as error:  # a container without /dev/pts
        pytest.skip(f"this system has no pseudo-terminal ({error})")
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    report = tmp_path / "report.html"
    with subprocess.Popen(
        [*COMMAND, str(folder), "--json", "--html", str(report)], stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        rows = json.loads(process.stdout.read())
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:  # Linux's end of file
            pass
    os.close(ours)
    assert process.returncode == 1 and [row["verdict"] for row in rows] == ["ok", "reject", "unreadable"]
    assert b"picture" in shown and b"0/3" in shown
    assert report.read_bytes().endswith(b"</html>\n") and sorted(os.listdir(tmp_path)) == ["pictures", "report.html"]


def test_parallel_jobs_with_report_and_heat_maps(folder, tmp_path):
    done = subprocess.run(
        [
            *COMMAND,
            str(folder),
            "--jobs",
            "2",
            "--html",
            str(tmp_path / "r.html"),
            "--heat-map",
            str(tmp_path / "maps"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert sorted(os.listdir(tmp_path / "maps")) == ["fine_heat.png", "poor_heat.png"]
    assert "3 pictures: 1 ok, 1 reject, 1 unreadable." in (tmp_path / "r.html").read_text("utf-8")


def test_a_closed_pipe_ends_it_quietly(folder, tmp_path):
    """As in `sonic check PICTURES | head -1`."""
    command = [*COMMAND, *[str(folder)] * 40, "--html", str(tmp_path / "r.html"), "--csv"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
    assert errors == b"" and process.returncode == 141 and os.listdir(tmp_path) == ["pictures"]
