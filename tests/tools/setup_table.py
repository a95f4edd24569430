"""How setup ends on each of 120 machines made of stand-in programs, as a table.

    .venv/bin/python -m tests.tools.setup_table

Exits with 1 if it ends otherwise on one of them than it should.
"""

import sys
from collections import Counter

from tests.packaging.machines import KINDS, NETWORKS, USERS, try_kind

COLUMNS = [(user, network) for user in USERS for network in NETWORKS]


def row(kinds) -> tuple[list[str], set[str]]:
    """One line's cells, and the packages that are installed or asked for on it."""
    cells, named = [], set()
    for kind in kinds:
        ended, packages, _ = try_kind(kind)
        named.add(" ".join(packages))
        cells.append(ended if ended == kind.outcome() else f"WRONG: {ended}")
    return cells, named - {""}


def main() -> int:
    grouped: dict[tuple[str, str], list] = {}
    for kind in KINDS:  # users and networks in the order of COLUMNS
        grouped.setdefault((kind.compiler, kind.python), []).append(kind)
    width = 24
    print(f"{'compiler':13}{'Python':14}" + "".join(f"{user + ', ' + network:{width}}" for user, network in COLUMNS))
    ends: Counter[str] = Counter()
    for (compiler, python), kinds in grouped.items():
        cells, packages = row(kinds)
        ends.update(cells)
        print(f"{compiler:13}{python:14}" + "".join(f"{cell:{width}}" for cell in cells))
        for names in sorted(packages):
            print(f"{'':27}packages: {names}")
    print(f"\n{sum(ends.values())} machines: " + ", ".join(f"{count} {name}" for name, count in ends.most_common()))
    return any(name.startswith("WRONG") for name in ends)


if __name__ == "__main__":
    sys.exit(main())
