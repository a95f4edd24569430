"""What a list of 100,000 rows costs `sonic batch` beside the videos: time of the processor and memory, step by step.

    python -m bench.batch_rows [--rows 100000] [--recordings 1000]

One portrait, so many recordings in turn, a seed for each row; workers are stood in for by answers that cost nothing, so
what remains is the parent's own work: reading the list and the options, keys, table, schedule, report. Nothing is
rendered. Memory is the peak above that of the program with its libraries.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from sonic_nodes.batch.journal import DONE, Journal
from sonic_nodes.batch.pool import Event
from sonic_nodes.batch.runner import run_jobs
from sonic_nodes.commands import batch, batch_checks, cli
from sonic_nodes.commands.batch_display import Display
from sonic_nodes.commands.batch_job import PictureTask, RenderTask, SoundTask
from sonic_nodes.memory.host import peak_resident_bytes

PICTURE = {"verdict": "ok", "score": 90.0, "advice": [], "height": 512, "width": 512, "pixels": 1 << 18}
VIDEO = {"status": "done", "bytes": 1, "sha256": "0" * 64, "seconds": 1.0, "duration_s": 2.0, "frames": 50, "notes": []}
ANSWERS = {PictureTask: PICTURE | {"thumbnail": ""}, SoundTask: {"duration_s": 2.0}, RenderTask: VIDEO}
PLAN = {"seconds": 1.0, "peak_bytes": 1 << 30, "title": "a plan"}


class Answering:
    """A pool of one worker that has answered when it is asked."""

    def __init__(self):
        self.idle, self.busy, self.events = [0], [], []

    def __len__(self) -> int:
        return 1

    def submit(self, number: int, task: object) -> None:
        self.events.append(Event("result", number, dict(ANSWERS.get(type(task), PLAN))))

    def wait(self, timeout_s: float) -> list[Event]:
        events, self.events = self.events, []
        return events


class Unwritten(Journal):
    """Keeps no promise about the disk: a write that is flushed costs what the disk asks for."""

    def write(self, event: str, key: str, output: str, **facts) -> None:
        if event == DONE:
            self.ends[key, output] = {"event": event, **facts}


def make_list(folder: Path, rows: int, recordings: int) -> None:
    (folder / "face.png").write_bytes(b"x" * 100_000)
    for number in range(recordings):
        (folder / f"voice{number}.wav").write_bytes(b"%d" % number * 20_000)
    lines = (f"face.png,voice{n % recordings}.wav,{n // 1000}/{n}.mp4,{n}" for n in range(rows))
    (folder / "list.csv").write_text("portrait,speech,output,seed\n" + "\n".join(lines), "utf-8")


class Laps:
    def __init__(self):
        self.last, self.base, self.total = time.process_time(), peak_resident_bytes(), 0.0

    def end(self, title: str) -> None:
        spent = time.process_time() - self.last
        self.total += spent
        print(f"{title:<10}{spent:8.1f} s{(peak_resident_bytes() - self.base) / 1e6:10.0f} MB", flush=True)
        self.last = time.process_time()


def measure(folder: Path) -> None:
    command = ["batch", str(folder / "list.csv"), "--out", str(folder / "out")]
    options = cli.build_parser().parse_args(command)
    pool, laps = Answering(), Laps()
    places = batch.places_of(options)
    listing = batch.listing_of(options, places)
    laps.end("list")
    batch.make_folders(places, listing)
    prepared = batch_checks.prepared_jobs(listing, options, places)
    laps.end("options")
    with Unwritten(places.reserved) as journal:
        batch_checks.checked(prepared, pool, journal, options)
        prepared.table()
        laps.end("checks")
        display = Display(prepared, places.reserved)
        run_jobs(prepared.waiting, pool, journal, 2, display)
        laps.end("jobs")
        display.report("done")
        laps.end("report")
    size = os.path.getsize(os.path.join(places.reserved, "report.html")) / 1e6
    print(f"{len(prepared.jobs)} rows: {laps.total:.1f} s of the processor; the report has {size:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--recordings", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_list(Path(folder), options.rows, options.recordings)
        measure(Path(folder))


if __name__ == "__main__":
    main()
