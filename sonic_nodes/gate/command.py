"""The command `sonic check`: verdicts on files and folders, one row for each, whatever they hold."""
from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from tqdm import tqdm

from ..errors import UsageError
from .check import check_file, unreadable

FINE, REJECTED, WARNED, UNREADABLE = 0, 1, 2, 3
SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".avif", ".tif", ".tiff", ".gif", ".bmp", ".jp2", ".ppm", ".pgm",
            ".tga", ".qoi", ".ico", ".psd"}
COLUMNS = ("path", "verdict", "score", "passed", "jpeg_quality", "reasons", "advice")


def run(options) -> int:
    if not 1 <= options.jobs <= 256:
        raise UsageError(f"Choose --jobs from 1 to 256: it is {options.jobs}.")
    if not 0 <= options.min_score <= 100:
        raise UsageError(f"Choose --min-score from 0 to 100: it is {options.min_score}.")
    paths = list(files_of(options.paths))
    if not paths:
        raise UsageError("Name at least one picture: the folders given hold none.")
    check = partial(check_file, profile=options.profile, min_score=options.min_score)
    results = list(tqdm(verdicts(paths, check, options.jobs), total=len(paths), unit="picture", file=sys.stderr, disable=None, leave=False))
    write(results, options)
    return exit_code(results, options.warnings_fail)


def files_of(paths: list[str]) -> Iterator[str]:
    """Files as they are named, folders with every picture below them in the order of names."""
    for path in paths:
        if not os.path.isdir(path):
            yield path
            continue
        for folder, folders, names in os.walk(path):
            folders.sort()
            yield from (os.path.join(folder, name) for name in sorted(names) if os.path.splitext(name)[1].lower() in SUFFIXES)


def verdicts(paths: list[str], check, jobs: int) -> Iterator[dict]:
    """In the order of paths. Processes are started afresh: libtorch's threads do not survive a fork."""
    if jobs == 1 or len(paths) == 1:
        yield from map(check, paths)
        return
    with ProcessPoolExecutor(min(jobs, len(paths)), mp_context=get_context("spawn")) as pool:
        tasks = [pool.submit(check, path) for path in paths]
        for path, task in zip(paths, tasks, strict=True):
            try:
                yield task.result()
            except Exception as error:  # noqa: BLE001 (a worker that died is a row, not the end)
                yield unreadable(path, f"Save the picture again: judging it ended early ({type(error).__name__}).")


def write(results: list[dict], options) -> None:
    if options.json:
        json.dump(results, sys.stdout, indent=1)
        print()
    elif options.csv:
        table = csv.DictWriter(sys.stdout, COLUMNS, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(flat(result) for result in results)
    else:
        for result in results:
            print(f"{result['verdict']:<10} {result['score']:5.1f}  {result['path']}")
            for reason in result["reasons"]:
                print(f"{'':18}{reason['advice']}")


def flat(result: dict) -> dict:
    reasons = result["reasons"]
    return result | {"reasons": " ".join(r["name"] for r in reasons), "advice": " ".join(r["advice"] for r in reasons)}


def exit_code(results: list[dict], warnings_fail: bool) -> int:
    found = {"unreadable" if r["verdict"] == "unreadable" else "reject" if not r["passed"] else r["verdict"] for r in results}
    if "reject" in found:
        return REJECTED
    if "unreadable" in found:
        return UNREADABLE
    return WARNED if warnings_fail and "warn" in found else FINE
