"""Output formats of `sonic check`. Each writes result by result, so memory does not grow with their number."""

from __future__ import annotations

import csv
import json
import os
from abc import abstractmethod
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import TextIO

from ..errors import OutputError
from ..media.files import atomic_write, unwritable
from . import page
from .result import Result

COLUMNS = ("path", "verdict", "score", "passed", "jpeg_quality", "reasons", "advice")
REPAIR_COLUMNS = ("repaired", "repair_file", "repair_reason", "repair_score_after")


class Report(AbstractContextManager):
    """with report: report.add(result), ..."""

    @abstractmethod
    def add(self, result: Result) -> None:
        """Writes one result."""

    def __exit__(self, kind, error, traceback) -> None:
        pass


class _Printed(Report):
    def __init__(self, out: TextIO):
        self.out = out
        if hasattr(out, "reconfigure"):
            out.reconfigure(errors="backslashreplace")  # names that the terminal cannot encode


class TextReport(_Printed):
    def add(self, result: Result) -> None:
        verdict = result.verdict
        print(f"{verdict['verdict']:<10} {verdict['score']:5.1f}  {printable(verdict['path'])}", file=self.out)
        for reason in verdict["reasons"]:
            print(f"{'':18}{printable(reason['advice'])}", file=self.out)
        if "repair" in verdict:
            print(f"{'':18}{repair_line(verdict['repair'])}", file=self.out)


def repair_line(repair: dict) -> str:
    if not repair["file"]:
        return repair["reason"]
    scores = f"Score {repair['score_before']:.0f} before, {repair['score_after']:.0f} after"
    return f"{repair['reason']} {scores}: {printable(repair['file'])}"


def printable(text: str) -> str:
    """Text without control characters: a file name may hold any."""
    return text if text.isprintable() else repr(text)


class JsonReport(_Printed):
    """One array of verdicts."""

    before = "[\n"

    def add(self, result: Result) -> None:
        self.out.write(self.before + json.dumps(result.verdict, indent=1))
        self.before = ",\n"

    def __exit__(self, kind, error, traceback) -> None:
        if kind is None:
            self.out.write("\n]\n")


class CsvReport(_Printed):
    def __init__(self, out: TextIO, with_repair: bool = False):
        super().__init__(out)
        self.columns = COLUMNS + REPAIR_COLUMNS if with_repair else COLUMNS

    def __enter__(self):
        self.table = csv.DictWriter(self.out, self.columns, extrasaction="ignore", lineterminator="\n")
        self.table.writeheader()
        return self

    def add(self, result: Result) -> None:
        reasons = result.verdict["reasons"]
        texts = {"reasons": " ".join(r["name"] for r in reasons), "advice": " ".join(r["advice"] for r in reasons)}
        self.table.writerow(
            result.verdict | texts | {f"repair_{key}": value for key, value in result.verdict.get("repair", {}).items()}
        )


class HtmlReport(Report):
    """One self-contained file (page.py); it replaces an older one only when it is complete."""

    def __init__(self, path: str | os.PathLike, profile: str):
        self.path, self.profile, self.counts = path, profile, dict.fromkeys(page.VERDICTS, 0)

    def __enter__(self):
        with ExitStack() as stack:
            self.file = stack.enter_context(atomic_write(self.path, is_last=True))
            self.stack = stack.pop_all()
        self.write(page.head(self.profile))
        return self

    def add(self, result: Result) -> None:
        self.counts[result.verdict["verdict"]] += 1
        self.write(page.table_row(result))

    def write(self, text: str) -> None:
        try:
            self.file.write(text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise unwritable(os.path.abspath(self.path), error) from None

    def __exit__(self, kind, error, traceback) -> None:
        if kind is None:
            self.write(page.tail(self.counts))
            self.stack.__exit__(None, None, None)
        else:
            with suppress(OutputError):  # the error came from elsewhere, or is one of this report already
                self.stack.__exit__(kind, error, traceback)
