"""How much of the whole suite the run under Wine is: what was counted, what was left out and why."""

import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from . import environment

# What asks the sources or the machine that builds, which are the same or absent on Windows.
NOT_THE_PRODUCT = {
    "tests/packaging/test_*.py": "set-up, build and files of releases, on the Linux machine that makes them",
    "tests/test_*.py": "the text of the sources",
    "tests/core/test_headers.py": "whether each header of csrc/ compiles alone",
    "tests/models/test_constants.py": "compares with the text of csrc/",
    "tests/kernels/test_*.py": "compiles the card's kernels for the CPU, with this machine's compiler",
    "tests/gpu/test_*.py": "compiles a GPU for this machine's PyTorch",
}
PRODUCT = ("tests/test_errors.py",)  # of the files that a pattern above leaves out
MOST_LEFT_OUT = 0.04
# Reasons of skipped tests that a Linux with the same packages, rights and an installed wheel has, too.
ANYWHERE = re.compile(
    r"^(diffusers|transformers)\b.* not installed|^torchvision is not installed|this Pillow|^JPEG has no alpha"
    r"|superuser|the sources are not here|^set COMFYUI_DIR to a ComfyUI checkout"
)
COUNT = re.compile(r"^(tests/\S+\.py): (\d+)$", re.MULTILINE)  # of `pytest --collect-only`, doubly quiet


def pattern_of(file: str) -> str | None:
    """The pattern in NOT_THE_PRODUCT that leaves a file out."""
    found = (name for name in NOT_THE_PRODUCT if fnmatch(file, name) and file.count("/") == name.count("/"))
    return None if file in PRODUCT else next(found, None)


def collected_here() -> dict[str, int]:
    """{file: tests} of the checkout on this Linux; nothing where the extension is not built, which tests import."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=environment.ROOT, env=os.environ, capture_output=True, text=True, check=False)
    return {} if done.returncode else {name: int(count) for name, count in COUNT.findall(done.stdout)}


@dataclass(frozen=True)
class Share:
    """Counts of tests."""

    collected: dict[str, int]  # per file on Linux, or none
    results: dict[str, tuple[str, str]]  # {test: (result, reason)} under Wine

    @property
    def not_the_product(self) -> Counter:
        """{pattern: tests}."""
        found = Counter()
        for file, count in self.collected.items():
            if pattern := pattern_of(file):
                found[pattern] += count
        return found

    @property
    def skipped(self) -> Counter:
        """{reason: tests} of what did not run there."""
        return Counter(
            reason.strip("()") or "no reason" for result, reason in self.results.values() if result == "SKIPPED"
        )

    @property
    def skipped_anywhere(self) -> int:
        return sum(count for reason, count in self.skipped.items() if ANYWHERE.search(reason))

    @property
    def whole(self) -> int:
        """Tests that could be about Windows: what Linux collects, but for NOT_THE_PRODUCT and what skips anywhere."""
        counted = sum(self.collected.values()) - self.not_the_product.total() or len(self.results)
        return counted - self.skipped_anywhere

    @property
    def ran(self) -> int:
        return len(self.results) - self.skipped.total()

    @property
    def left_out(self) -> float:
        """The part of `whole` that did not run under Wine, for whatever reason."""
        return max(0.0, 1 - self.ran / self.whole) if self.whole else 1.0

    def lines(self) -> list[str]:
        made = [f"{sum(self.collected.values())} tests on Linux (0: type make build to have them counted)"]
        made += [f"{-n:6} {name}: {NOT_THE_PRODUCT[name]}" for name, n in self.not_the_product.items()]
        made += [f"{self.whole:6} are left, {self.ran} of them ran under Wine"]
        for reason, n in self.skipped.most_common():
            is_anywhere = ANYWHERE.search(reason)
            made.append(f"{-n if is_anywhere else n:6} skipped{' anywhere' if is_anywhere else ''}: {reason}")
        other = self.whole + self.skipped_anywhere - len(self.results)
        made += [f"{other:6} that Windows has no such cases for, or more of"] if other else []
        return [*made, f"{self.left_out:6.1%} did not run, {MOST_LEFT_OUT:.0%} may"]


def files_left_out(folder: Path) -> list[str]:
    """Paths in the folder that NOT_THE_PRODUCT names."""
    found = (path.relative_to(folder).as_posix() for path in folder.glob("tests/**/test_*.py"))
    return sorted(name for name in found if pattern_of(name))
