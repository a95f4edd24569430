"""`sonic batch`: many videos from a list. Inputs are checked before the first video; the journal decides what is left
to do, so the same command goes on after any end."""

from __future__ import annotations

import argparse
import json
import os
from contextlib import ExitStack

from ..batch.addresses import INPUTS, Remote
from ..batch.journal import Journal
from ..batch.manifest import SOUNDS, Listing, Places, files_below, read_list, read_pairs
from ..batch.pool import ProcessPool
from ..batch.runner import INPUT, OUTPUT, PROGRAM, Pool, run_jobs
from ..batch.template import Template
from ..batch.webhook import Webhook, checked_address
from ..engines.devices import accelerators
from ..errors import InputError, OutputError, ResourceError, UsageError
from ..interrupts import complete
from ..media.fetch import is_url
from ..media.file_names import output_problem
from ..media.temporary import sweep_again
from ..printable import printable
from .batch_checks import Prepared, checked, prepared_jobs, weights_of
from .batch_display import Display
from .batch_job import Slot, Worker
from .batch_options import MAX_WORKERS, row_columns
from .batch_remote import fetch_inputs, look_at_outputs, places_elsewhere
from .check import SUFFIXES
from .streams import say

STATE = "sonic-batch"
MAX_RETRIES = 10


def run(options: argparse.Namespace, template: Template | None = None) -> int:
    """template: what forks the workers, where the system has forks; it is killed with them."""
    check_numbers(options)
    secret = os.environ.get("SONIC_WEBHOOK_SECRET", "").encode()
    if options.webhook:
        checked_address(options.webhook)
    places = places_of(options)
    listing = listing_of(options, places)
    make_folders(places, listing)
    with ExitStack() as stack:
        journal = stack.enter_context(Journal(places.reserved))
        if journal.ignored:
            say(f"sonic: {journal.ignored} lines of the journal are no records and were ignored.")
        look_at_outputs(places.remote, journal)
        fetch_inputs(places.remote)
        pool = pool_of(options, places, template)
        stack.callback(pool.kill)
        prepared = prepared_jobs(listing, options, places)
        checked(prepared, pool, journal, options)
        say("\n".join(prepared.table()))
        display = Display(prepared, places.reserved)
        stack.callback(display.close)
        refuse_bad(prepared, options, display)
        if options.check_only or options.plan_only:
            return finished(prepared, display, options, "checked")
        if options.webhook:
            display.webhook = Webhook(options.webhook, secret)
        work(prepared, pool, journal, options, display)
        pool.kill()
        return finished(prepared, display, options, "done")


def check_numbers(options: argparse.Namespace) -> None:
    if options.workers is not None and not 1 <= options.workers <= MAX_WORKERS:
        raise UsageError(f"Choose --workers from 1 to {MAX_WORKERS}: it is {options.workers}.")
    if not 0 <= options.retries <= MAX_RETRIES:
        raise UsageError(f"Choose --retries from 0 to {MAX_RETRIES}: it is {options.retries}.")
    if len(options.source) > 2:
        raise UsageError("Name one list, or pictures and recordings: more than two sources were given.")
    if options.ray:
        from .batch_cluster import checked_ray

        checked_ray(options)


def places_of(options: argparse.Namespace) -> Places:
    is_elsewhere = is_url(options.out)
    for option, path in (("--out", None if is_elsewhere else options.out), ("--state", options.state)):
        if path and (problem := output_problem(path)):
            raise OutputError(f"Choose another name for {option}: {path!r} {problem}.")
    folder = os.path.dirname(os.path.abspath(options.source[0]))
    root = os.path.abspath(options.root) if options.root else folder
    if is_elsewhere:
        return places_elsewhere(options, folder, root)
    out = os.path.abspath(options.out)
    state = os.path.abspath(options.state or os.path.join(out, STATE))
    return Places(folder, root, out, state, Remote(os.path.join(state, INPUTS), options.allow_url))


def listing_of(options: argparse.Namespace, places: Places) -> Listing:
    if len(options.source) == 1:
        return read_list(options.source[0], places, row_columns())
    return read_pairs(files_below(options.source[0], SUFFIXES), files_below(options.source[1], SOUNDS), places)


def make_folders(places: Places, listing: Listing) -> None:
    folders = {places.out, places.reserved, os.path.join(places.reserved, "logs")}
    try:
        for folder in sorted(folders | {os.path.dirname(row.output) for row in listing.rows}):
            os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"Choose a folder in which you may write: {error.filename!r} cannot be made ({error.strerror})."
        ) from None


def pool_of(options: argparse.Namespace, places: Places, template: Template | None) -> Pool:
    logs = os.path.join(places.reserved, "logs")
    if options.ray:
        from .batch_cluster import ray_pool

        return ray_pool(options, weights_of(options), logs, lambda text: say(f"sonic: {text}"))
    return ProcessPool(Worker, slots_of(options), os.path.join(logs, "worker-{}.log"), template)


def slots_of(options: argparse.Namespace) -> list[Slot]:
    """One worker a graphics card; on the CPU as many as asked for, which share the processors."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cards = []
    if options.engine == "sonic" and options.device in (None, "auto", "all"):
        kind, count = accelerators()
        cards = [f"{kind}:{number}" for number in range(count)]
    count = options.workers or len(cards) or max(1, processors // 2)
    threads = max(1, processors // count)
    return [Slot(threads, cards[number % len(cards)] if cards else None) for number in range(count)]


def refuse_bad(prepared: Prepared, options: argparse.Namespace, display: Display) -> None:
    if not prepared.bad:
        return
    lines = [f"row {bad.number}: {bad.text}" for bad in prepared.bad[:20]]
    say("\n".join(lines + [f"and {len(prepared.bad) - 20} more"] * (len(prepared.bad) > 20)))
    if not options.skip_bad:
        display.report("stopped")
        raise InputError(
            f"Correct the list, or add --skip-bad to make the other {len(prepared.jobs)} videos: "
            f"{len(prepared.bad)} rows cannot be used."
        )


def work(prepared: Prepared, pool: Pool, journal: Journal, options: argparse.Namespace, display: Display):
    """Makes what is left. Whatever ends it, the report says how far it came."""
    folders = {os.path.dirname(job.path) for job in prepared.jobs}
    try:
        with display.bar():
            run_jobs(prepared.waiting, pool, journal, options.retries, display)
    except BaseException:
        pool.kill()
        complete()  # a signal would keep the report from its name
        display.report("stopped")
        raise
    finally:
        for folder in folders:
            sweep_again(folder)


def finished(prepared: Prepared, display: Display, options: argparse.Namespace, state: str) -> int:
    """Prints the report. The exit code is that of the worst that happened to a row."""
    path = display.report(state)
    summary = display.summary() | {"report": path}
    if options.json:
        print(json.dumps(summary))
    else:
        print(printable(path))
    kinds = {job.result.get("kind") for job in prepared.jobs if job.state == "failed"}
    if kinds - {INPUT, OUTPUT, PROGRAM}:
        return ResourceError.exit_code
    if OUTPUT in kinds:
        return OutputError.exit_code
    return InputError.exit_code if kinds or prepared.bad else 0
