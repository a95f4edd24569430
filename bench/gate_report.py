"""Tables and limits of bench/gate.py."""

from collections import defaultdict

import numpy as np


class Lines:
    """Measured values with their limits."""

    def __init__(self):
        self.lines = []

    def at_least(self, what, value, limit):
        self.lines.append((what, value, f">= {limit}", value is None or value >= limit))

    def at_most(self, what, value, limit):
        self.lines.append((what, value, f"<= {limit}", value is None or value <= limit))

    def none(self, what, rows):
        self.lines.append((what, float(len(rows)), "none", not rows))
        for row in rows[:5]:
            print(f"{what}: {row['photo']} {row['family']} {row['name']}, score {row['score']}")

    def report(self) -> int:
        """Prints all and marks missed limits; the exit status. A value without variants to measure is no miss."""
        print()
        for what, value, limit, kept in self.lines:
            print(f"{'ok    ' if kept else 'MISSED'} {what:42} {'-' if value is None else f'{value:.4f}':>10}  {limit}")
        return int(not all(kept for *_, kept in self.lines))


def auc(bad, good):
    """Share of pairs in which the bad one scores lower; ties count half; None without pairs."""
    bad, good = ([v for v in values if v is not None] for values in (bad, good))
    if not bad or not good:
        return None
    _, places, counts = np.unique(np.r_[bad, good], return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    n = len(bad)
    return 1 - (ranks[:n].sum() - n * (n + 1) / 2) / (n * len(good))


def share(rows, label, predicate):
    """Share of the rows with that label for which the predicate holds; None without rows."""
    chosen = [predicate(r) for r in rows if r["label"] == label]
    return float(np.mean(chosen)) if chosen else None


def print_groups(rows):
    """One line a variant: how often it was flagged and rejected, and the reasons of good ones."""
    groups = defaultdict(list)
    for r in rows:
        groups[r["family"], r["name"], r["label"]].append(r)
    print(f"{'family':12}{'variant':22}{'label':9}{'found':>6}{'rejected':>9}{'score':>7}")
    for (family, name, label), found in groups.items():
        flagged, rejected = (
            np.mean([r["verdict"] in kinds for r in found]) for kinds in (("warn", "reject"), ("reject",))
        )
        why = sorted({reason for r in found for reason in r["reasons"]}) if label == "good" else []
        score = np.median([r["score"] for r in found])
        print(f"{family:12}{name:22}{label:9}{flagged:6.2f}{rejected:9.2f}{score:7.1f}  {' '.join(why)}")
