"""The command `sonic check`: a verdict for every file, unreadable ones included."""

from __future__ import annotations

import glob
import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack

from tqdm import tqdm

from ..errors import OutputError, ResourceError, UsageError
from ..gate.reports import CsvReport, HtmlReport, JsonReport, TextReport
from ..gate.result import Outputs, Request, Result
from ..gate.workers import MAX_JOBS, check_sources
from ..media.fetch import is_url
from ..media.file_names import WINDOWS, allowed_stem, output_problem, shown_path, system_path
from ..media.files import is_same_file, new_folders
from ..media.system_errors import reason_of
from ..media.temporary import sweep_again
from .streams import say

FINE, REJECTED, WARNED, UNREADABLE = 0, 1, 2, 3
PATTERN = re.compile("[*?]")
SUFFIXES = {
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".mpo",
    ".png",
    ".webp",
    ".avif",
    ".tif",
    ".tiff",
    ".gif",
    ".bmp",
    ".jp2",
    ".ppm",
    ".pgm",
    ".tga",
    ".qoi",
    ".ico",
    ".psd",
}


def run(options) -> int:
    if not 1 <= options.jobs <= MAX_JOBS:
        raise UsageError(f"Choose --jobs from 1 to {MAX_JOBS}: it is {options.jobs}.")
    if not 0 <= options.min_score <= 100:
        raise UsageError(f"Choose --min-score from 0 to 100: it is {options.min_score}.")
    sources = list(files_of(options.paths))
    if not sources:
        raise UsageError("Name at least one picture: the folders given hold none.")
    if options.html:
        check_html(options.html, sources)
    check_outputs(options)
    request = Request(options.profile, options.min_score, options.allow_url, thumbnails=bool(options.html))
    outcomes, shortage = set(), None
    with ExitStack() as stack:
        enter_folder(stack, options.heat_map, "--heat-map")
        enter_folder(stack, options.repair, "--repair")
        reports = [stack.enter_context(report) for report in reports_of(options)]
        results = check_sources(sources, outputs_of(sources, options), request, options.jobs)
        stack.callback(results.close)
        for result in tqdm(results, total=len(sources), unit="picture", file=sys.stderr, disable=None, leave=False):
            outcomes.add(outcome(result))
            shortage = shortage or result.shortage
            with tqdm.external_write_mode(file=sys.stdout):
                for report in reports:
                    report.add(result)
    if shortage:
        raise ResourceError(shortage)
    return exit_code(outcomes, options.warnings_fail)


def files_of(paths: list[str], windows: bool = WINDOWS) -> Iterator[str]:
    """Files and addresses as given; of a folder all pictures below it, sorted by name. Patterns with * and ? stand for
    the files that they match on Windows, where no shell replaces them and no name holds these characters."""
    for path in paths:
        if is_url(path):
            yield path
        elif windows and PATTERN.search(shown_path(path)):
            yield from files_of(sorted(glob.glob(path.replace("[", "[[]"))) or [path], windows=False)
        elif os.path.isdir(system_path(path)):
            yield from pictures_below(path)
        else:
            yield path


def pictures_below(path: str) -> Iterator[str]:
    """The pictures in a folder and the folders in it. What cannot be listed is said on standard error."""
    root = system_path(path, always=True)  # folders in it may have long paths
    for folder, folders, names in os.walk(root, onerror=say_unlisted):
        folders.sort()
        inner = folder[len(root) :].lstrip("/\\" if WINDOWS else "/")
        shown = os.path.join(path, inner) if inner else path
        yield from (
            os.path.join(shown, name) for name in sorted(names) if os.path.splitext(name)[1].lower() in SUFFIXES
        )


def say_unlisted(error: OSError) -> None:
    name = shown_path(error.filename)
    say(f"sonic: Allow this program to list {name!r} to have its pictures judged ({reason_of(error)}).")


def check_outputs(options) -> None:
    """UsageError when two outputs are one file; Windows does not distinguish upper and lower case."""
    named = {"--html": options.html, "--heat-map": options.heat_map, "--repair": options.repair}
    taken: dict[str, str] = {}
    for option, path in named.items():
        if not path or not (option == "--html" or is_file_name(path)):
            continue
        name = os.path.normcase(os.path.abspath(path))
        if name in taken:
            raise UsageError(f"Choose another name for {option}: {path!r} is the file of {taken[name]} as well.")
        taken[name] = option


def enter_folder(stack: ExitStack, out: str | None, option: str) -> None:
    """Makes the folder `out`. On an error left-overs of the workers, which the pool has killed, are removed from it,
    and the folder itself when it is new and empty."""
    if not out:
        return
    if problem := output_problem(out):
        raise OutputError(f"Choose another name for {option}: {out!r} {problem}.")
    if is_file_name(out):
        return
    try:
        stack.enter_context(new_folders(out))
    except (OSError, ValueError) as error:
        raise OutputError(
            f"Choose a folder that can be made for {option}, or a name ending in .png: {out!r} is neither ({error})."
        ) from None
    stack.push(lambda kind, *_: sweep_again(out) if kind else None)


def is_file_name(out: str) -> bool:
    return out.lower().endswith(".png")


def outputs_of(sources: list[str], options) -> Iterator[Outputs]:
    heat_maps = output_paths(sources, options.heat_map, "--heat-map", "heat")
    repaired = output_paths(sources, options.repair, "--repair", "repaired")
    return (Outputs(*paths) for paths in zip(heat_maps, repaired, strict=True))


def output_paths(sources: list[str], out: str | None, option: str, ending: str) -> list[str | None]:
    """The path of each source's output: `out` itself when it ends in .png, else NAME_ending.png in the folder `out`.
    None without `out`."""
    if not out:
        return [None] * len(sources)
    if is_file_name(out):
        if len(sources) > 1:
            raise UsageError(f"Name a folder for {option}: {out!r} is one file, and there are {len(sources)} pictures.")
        if is_same_file(out, sources[0]):
            raise UsageError(f"Choose another name for {option}: {out!r} is the picture itself.")
        return [out]
    pictures = {name.lower() for name in os.listdir(system_path(out))} & {
        os.path.basename(source).lower() for source in sources
    }
    taken = dict.fromkeys(pictures, 1)
    return [os.path.join(out, free_name(source, ending, taken)) for source in sources]


def free_name(source: str, ending: str, taken: dict[str, int]) -> str:
    """NAME_ending.png, numbered when sources have the same name. taken: {name in lower case: last number}."""
    name = source.partition("?")[0].rstrip("/").rpartition("/")[2] if is_url(source) else os.path.basename(source)
    stem = allowed_stem(os.path.splitext(name)[0][:80])
    plain = name = f"{stem}_{ending}.png"
    number = taken.get(plain.lower(), 0)
    while name.lower() in taken:
        number += 1
        name = f"{stem}_{ending}_{number}.png"
    taken[name.lower()] = 1
    taken[plain.lower()] = max(number, 1)
    return name


def check_html(path: str, sources: list[str]) -> None:
    if not path.lower().endswith((".html", ".htm")):
        raise UsageError(f"Name the report with .html at its end: its name is {path!r}.")
    if any(is_same_file(path, source) for source in sources):
        raise UsageError(f"Choose another name for the report: {path!r} is one of the pictures.")


def reports_of(options) -> Iterator:
    if options.json:
        yield JsonReport(sys.stdout)
    elif options.csv:
        yield CsvReport(sys.stdout, bool(options.repair))
    elif not options.html:
        yield TextReport(sys.stdout)
    if options.html:
        yield HtmlReport(options.html, options.profile)


def outcome(result: Result) -> str:
    """The verdict, or "reject" for a score below --min-score."""
    verdict = result.verdict["verdict"]
    return verdict if verdict == "unreadable" or result.verdict["passed"] else "reject"


def exit_code(outcomes: set[str], warnings_fail: bool) -> int:
    if "reject" in outcomes:
        return REJECTED
    if "unreadable" in outcomes:
        return UNREADABLE
    return WARNED if warnings_fail and "warn" in outcomes else FINE
