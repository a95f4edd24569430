"""Begins `sonic batch`: PyTorch's start takes longer than all else before the first video, so the process that forks
the workers loads it while this one does, too."""

from __future__ import annotations

import argparse

from ..batch.template import Template, is_possible, quick_imports
from ..interrupts import deferred


def run(options: argparse.Namespace) -> int:
    template = None
    try:
        with deferred(), quick_imports():
            if is_possible() and not options.ray:
                template = Template(f"{__package__}.batch_job")
            from .batch import run as work
        return work(options, template)
    finally:
        if template:
            template.kill()
