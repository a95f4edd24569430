"""Lists of many rows: memory and time that grow with the rows alone, and Ctrl-C that does not wait for them."""

import signal
import subprocess
import sys
import time
import tracemalloc

import pytest

from bench.batch_rows import Answering, make_list
from sonic_nodes.batch.journal import Journal
from sonic_nodes.commands import batch, batch_checks, cli
from sonic_nodes.commands.batch_display import Display
from tests.commands.test_batch import FAST, ROOT
from tests.tools.signal_matrix import environment

BYTES_A_ROW, SECONDS_A_ROW = 5000, 0.002  # bench/batch_rows.py: 3300 bytes at the peak, 0.2 ms of the processor


def prepared(folder, rows):
    """Prepared of a list of so many rows."""
    folder.mkdir()
    make_list(folder, rows, 100)
    command = ["batch", str(folder / "list.csv"), "--out", str(folder / "out")]
    options = cli.build_parser().parse_args(command)
    places = batch.places_of(options)
    listing = batch.listing_of(options, places)
    batch.make_folders(places, listing)
    found = batch_checks.prepared_jobs(listing, options, places)
    with Journal(places.reserved) as journal:
        batch_checks.checked(found, Answering(), journal, options)
    return found


def test_a_row_costs_little_time_however_many_there_are(tmp_path):
    prepared(tmp_path / "first", 10)  # what is loaded once
    started = time.process_time()
    found = prepared(tmp_path / "rows", 5000)
    assert len(found.jobs) == 5000 and time.process_time() - started < 5000 * SECONDS_A_ROW
    assert any("5000 are left" in line for line in found.table())


def test_a_row_takes_little_memory(tmp_path):
    prepared(tmp_path / "first", 10)
    tracemalloc.start()
    try:
        found = prepared(tmp_path / "rows", 2000)
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(found.jobs) == 2000 and kept < 2000 * BYTES_A_ROW, kept / 2000
    path = Display(found, str(tmp_path)).report("done")
    with open(path, encoding="utf-8") as file:
        assert sum(line.startswith('<tr class="waiting">') for line in file) == 2000


@pytest.mark.posix("signals of POSIX")
def test_ctrl_c_while_a_long_list_is_checked(tmp_path):
    make_list(tmp_path, 60_000, 100)
    command = [sys.executable, "-m", "sonic_nodes", "batch", str(tmp_path / "list.csv"), "--out", str(tmp_path / "out")]
    env = environment() | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([*command, *FAST], cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300  # the list is read, the rows' options are next
    while not (tmp_path / "out/sonic-batch/journal.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.poll() is None
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 130 and time.monotonic() - started < 10, said
    assert "Traceback" not in said
