"""What `sonic batch` shows while it works: a bar with the time left, status.json, the webhook, and the report."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator

from tqdm import tqdm

from ..batch.report import Status, write_report
from ..batch.runner import Job, Listener
from .batch_checks import Prepared
from .streams import say

BAR = "{desc} {percentage:3.0f}% |{bar}| {elapsed}, {remaining} left"
ENDED = ("done", "failed")


class Display(Listener):
    """Listens to a run. The bar counts work, not jobs: a long one among short ones does not stop it."""

    def __init__(self, prepared: Prepared, folder: str):
        self.prepared, self.folder, self.webhook = prepared, folder, None
        skipped = sum(job.state == "skipped" for job in prepared.jobs)
        self.status = Status(folder, len(prepared.jobs), skipped)
        self.whole = sum(job.cost for job in prepared.jobs if job.state != "skipped")
        self.running: dict[int, Job] = {}
        self.finished = 0.0
        self.drawn: tqdm | None = None

    @contextlib.contextmanager
    def bar(self) -> Iterator[None]:
        with tqdm(total=self.whole, file=sys.stderr, disable=None, leave=False, bar_format=BAR) as self.drawn:
            self.tick()
            yield

    @property
    def done_cost(self) -> float:
        return self.finished + sum(job.cost * job.share for job in self.running.values())

    def changed(self, job: Job, worker: int | None) -> None:
        self.running = {number: found for number, found in self.running.items() if found is not job}
        if job.state == "running":
            self.running[worker] = job
        if job.state in ENDED:
            self.finished += job.cost
            self.status.counts[job.state] += 1
            self.tell(job)
        if job.state == "failed":
            say(f"sonic: row {job.number} failed. {job.result['error']}")

    def moved(self, job: Job) -> None:
        self.show()

    def tick(self) -> None:
        self.show()
        running = [
            {"row": job.number, "output": job.output, "worker": worker, "share": round(job.share, 3)}
            for worker, job in self.running.items()
        ]
        self.status.write("running", self.done_cost, self.whole, running)

    def show(self) -> None:
        if self.drawn is not None:
            counts = self.status.counts
            self.drawn.set_description_str(f"{sum(counts.values())}/{len(self.prepared.jobs)}", refresh=False)
            self.drawn.update(max(0.0, self.done_cost - self.drawn.n))

    def tell(self, job: Job) -> None:
        if self.webhook is not None:
            facts = {
                name: job.result.get(name) for name in ("error", "kind", "seconds", "duration_s", "sha256", "upload")
            }
            self.webhook.send(
                {"event": job.state, "row": job.number, "output": job.output, "key": job.key, "tries": job.tries}
                | {name: value for name, value in facts.items() if value is not None}
            )

    def summary(self) -> dict:
        """What `--json` prints."""
        states = Counter(job.state for job in self.prepared.jobs)
        return {
            "total": len(self.prepared.jobs),
            **{state: states[state] for state in ("done", "skipped", "failed", "waiting")},
            "bad": len(self.prepared.bad),
            "estimated_seconds": self.prepared.seconds,
            "estimated_peak_bytes": self.prepared.peak_bytes,
            "problems": [{"row": bad.number, "error": bad.text} for bad in self.prepared.bad]
            + [
                {"row": job.number, "error": job.result["error"], "kind": job.result["kind"]}
                for job in self.prepared.jobs
                if job.state == "failed"
            ],
            "webhook_failures": self.webhook.failed if self.webhook else 0,
        }

    def report(self, state: str) -> str:
        """Writes status and report, and returns the report's path."""
        for job in self.running.values():
            job.state = "waiting"
        self.running = {}
        self.close()
        found = self.summary()
        summary = (
            f"{found['total']} videos: {found['done']} made, {found['skipped']} made before, {found['failed']} failed, "
            f"{found['waiting']} waiting; {found['bad']} rows cannot be used."
        )
        self.status.write(state, self.done_cost, self.whole, [], now=True)
        return write_report(self.folder, self.rows(), self.pictures(), summary)

    def close(self) -> None:
        """Waits for messages to the webhook, a bounded time."""
        webhook = self.webhook
        if webhook is not None and not webhook.is_closed:
            webhook.send({"event": "batch", "counts": dict(self.status.counts), "total": len(self.prepared.jobs)})
            webhook.close()
            if webhook.failed:
                say(f"sonic: {webhook.failed} messages did not reach the webhook ({webhook.last_problem}).")

    def pictures(self) -> dict[str, bytes]:
        return {self.shown(path): data for path, data in self.prepared.thumbnails.items() if data}

    def shown(self, path: str) -> str:
        """An input as the report names it: its address, or from the root on, which tells nothing of the machine."""
        if address := self.prepared.places.remote.shown(path):
            return address
        root = self.prepared.places.root
        return path[len(root) + 1 :] if path.startswith(root) and len(path) > len(root) + 1 else path

    def rows(self) -> Iterator[dict]:
        entries = {entry.row.number: entry for entry in self.prepared.entries}
        for job in self.prepared.jobs:
            entry = entries[job.number]
            yield {
                "row": job.number,
                "portrait": self.shown(entry.request.portrait),
                "speech": self.shown(entry.request.speech),
                "output": job.output,
                "status": job.state,
                "verdict": entry.picture["verdict"],
                "score": entry.picture["score"],
                "duration_s": entry.duration_s,
                "seconds": job.result.get("seconds"),
                "consents": [consent.record() for consent in entry.request.marks.consents],
                "error": job.result.get("error"),
                "notes": [*entry.picture["advice"], *(job.result.get("notes") or ())],
            }
        for bad in self.prepared.bad:
            row = self.prepared.listing.get(bad.number)
            yield {
                "row": bad.number,
                "portrait": self.shown(row.portrait) if row else "",
                "speech": self.shown(row.speech) if row else "",
                "output": "",
                "status": "bad",
                "error": bad.text,
            }
