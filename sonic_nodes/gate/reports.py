"""The forms of `sonic check`'s results. Each takes one row after the other, so that memory does not grow with their
number."""

from __future__ import annotations

import csv
import json
import os
from abc import abstractmethod
from contextlib import AbstractContextManager, ExitStack
from typing import TextIO

from ..media.files import whole_file
from . import page
from .result import Row

COLUMNS = ("path", "verdict", "score", "passed", "jpeg_quality", "reasons", "advice")
REPAIR_COLUMNS = ("repaired", "repair_file", "repair_reason", "repair_score_after")


class Report(AbstractContextManager):
    """with report: report.add(row), ..."""

    @abstractmethod
    def add(self, row: Row) -> None:
        """Writes one row."""

    def __exit__(self, kind, error, traceback) -> None:
        pass


class _Printed(Report):
    def __init__(self, out: TextIO):
        self.out = out
        if hasattr(out, "reconfigure"):
            out.reconfigure(errors="backslashreplace")  # names that the terminal's encoding does not have


class TextReport(_Printed):
    def add(self, row: Row) -> None:
        verdict = row.verdict
        print(f"{verdict['verdict']:<10} {verdict['score']:5.1f}  {printable(verdict['path'])}", file=self.out)
        for reason in verdict["reasons"]:
            print(f"{'':18}{printable(reason['advice'])}", file=self.out)
        if "repair" in verdict:
            print(f"{'':18}{said_of(verdict['repair'])}", file=self.out)


def said_of(repair: dict) -> str:
    if not repair["file"]:
        return repair["reason"]
    return f"{repair['reason']} Score {repair['score_before']:.0f} before, {repair['score_after']:.0f} after: {printable(repair['file'])}"


def printable(text: str) -> str:
    """A name may hold anything, also what a terminal obeys."""
    return text if text.isprintable() else repr(text)


class JsonReport(_Printed):
    """One array."""

    before = "[\n"

    def add(self, row: Row) -> None:
        self.out.write(self.before + json.dumps(row.verdict, indent=1))
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

    def add(self, row: Row) -> None:
        reasons = row.verdict["reasons"]
        texts = {"reasons": " ".join(r["name"] for r in reasons), "advice": " ".join(r["advice"] for r in reasons)}
        self.table.writerow(
            row.verdict | texts | {f"repair_{key}": value for key, value in row.verdict.get("repair", {}).items()}
        )


class HtmlReport(Report):
    """One file with everything in it (page.py), in place when it is whole."""

    def __init__(self, path: str | os.PathLike, profile: str):
        self.path, self.profile, self.counts = path, profile, dict.fromkeys(page.VERDICTS, 0)

    def __enter__(self):
        with ExitStack() as stack:
            self.file = stack.enter_context(whole_file(self.path))
            self.stack = stack.pop_all()
        self.write(page.head(self.profile))
        return self

    def add(self, row: Row) -> None:
        self.counts[row.verdict["verdict"]] += 1
        self.write(page.row(row))

    def write(self, text: str) -> None:
        self.file.write(text.encode("utf-8", "backslashreplace"))

    def __exit__(self, kind, error, traceback) -> None:
        if kind is None:
            self.write(page.tail(self.counts))
        self.stack.__exit__(kind, error, traceback)
