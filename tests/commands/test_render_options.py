"""Every option of `sonic render` with a range: both ends, their neighbours, and what the help says."""

import argparse
import math
import os
import subprocess
import sys

import pytest

from sonic_nodes.commands.cli import build_parser, main
from sonic_nodes.commands.render_options import UNBOUNDED, RenderRequest, engine_limits, option_of
from sonic_nodes.engines import ENGINES
from sonic_nodes.engines.settings import Choice, PrepareSettings, Range, SharedSettings, limits, plain

SHARED = {
    "--min-resolution": (PrepareSettings, "min_resolution"),
    "--seed": (SharedSettings, "seed"),
    "--face": (PrepareSettings, "face_index"),
    "--expand-ratio": (PrepareSettings, "expand_ratio"),
    "--start": (PrepareSettings, "start"),
    "--duration": (PrepareSettings, "duration"),
}
OPTIONS = {option: (limits(*field), ["draft"]) for option, field in SHARED.items()} | {
    option_of(name): (limit, [engine])
    for engine, entry in ENGINES.items()
    for name, limit in engine_limits(entry).items()
}
RANGES = {option: found for option, found in OPTIONS.items() if isinstance(found[0], Range)}
INPUTS = ["render", "portrait.png", "speech.wav", "-o", "out.mp4"]


def request_of(*arguments) -> RenderRequest:
    return RenderRequest.of(build_parser().parse_args([*INPUTS, *arguments]))


def value_of(request: RenderRequest, option: str):
    name = SHARED.get(option, (None, option.removeprefix("--").replace("-", "_")))[1]
    owners = (request.prepare, request.settings, request.options, request)
    return next(getattr(owner, name) for owner in owners if hasattr(owner, name))


@pytest.fixture(scope="module")
def help_text():
    """Of `sonic render`, as one line; in a terminal that is wide enough for every word."""
    command, wide = [sys.executable, "-m", "sonic_nodes", "render", "--help"], {**os.environ, "COLUMNS": "1000"}
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=wide)
    return " ".join(shown.stdout.split())


def test_all_ranges_are_covered():
    assert set(RANGES) == set(SHARED) | {
        "--opening",
        "--sway",
        "--blink",
        "--audio-strength",
        "--steps",
        "--dynamic-scale",
        "--motion-scale",
        "--appearance-guidance",
        "--audio-guidance",
    }


@pytest.mark.parametrize("option", RANGES)
def test_both_ends_are_allowed(option):
    limit, (engine,) = RANGES[option]
    for value in (limit.low, limit.high):
        assert value_of(request_of("--engine", engine, option, repr(value)), option) == value
    assert value_of(request_of("--engine", engine), option) == limit.default


@pytest.mark.parametrize("option", RANGES)
def test_the_numbers_next_to_the_range_are_refused(option, capsys):
    limit, (engine,) = RANGES[option]
    below, above = limit.low - 1, limit.high + 1
    if isinstance(limit.default, float):
        below, above = math.nextafter(limit.low, -math.inf), math.nextafter(limit.high, math.inf)
    for value in (below, above):
        assert main([*INPUTS, "--engine", engine, f"{option}={value!r}"]) == 2
        expected = f"sonic: Choose {option} between {plain(limit.low)} and {plain(limit.high)}: it is {value}.\n"
        assert capsys.readouterr().err == expected
    with pytest.raises(SystemExit) as stop:
        main([*INPUTS, "--engine", engine, option, "many"])
    assert stop.value.code == 2 and f"argument {option}: invalid" in capsys.readouterr().err


@pytest.mark.parametrize("option", OPTIONS)
def test_help_says_the_range_and_the_default(option, help_text):
    limit, _ = OPTIONS[option]
    if isinstance(limit, Range) and isinstance(limit.default, int):
        expected = f"{option} N {limit.help}; {plain(limit.low)} to {plain(limit.high)} ({plain(limit.default)})"
    elif option in SHARED and limit.high >= UNBOUNDED:
        expected = f"{option} N {limit.help} ({plain(limit.default)})"
    elif isinstance(limit, Range):
        expected = f"{option} {plain(limit.low)}-{plain(limit.high)} {limit.help} ({plain(limit.default)})"
    elif isinstance(limit, Choice):
        expected = f"{option} {{{','.join(limit.options)}}} {limit.help} ({limit.default})"
    else:
        expected = f"{option} {limit.metavar} {limit.help}"
    assert expected in help_text


def test_options_of_all_engines_are_refused_by_name():
    for engine, entry in ENGINES.items():
        for other in ENGINES.keys() - {engine}:
            for name, limit in engine_limits(entry).items():
                text = repr(limit.default) if isinstance(limit, Range) else str(limit.default)
                with pytest.raises(Exception, match=f"^Leave out {option_of(name)}, or choose --engine {engine}"):
                    request_of("--engine", other, option_of(name), text)


def test_choices_of_engines_are_the_registry():
    commands = next(a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    engine = next(a for a in commands.choices["render"]._actions if "--engine" in a.option_strings)
    assert engine.choices == list(ENGINES)


def test_help_does_not_import_torch():
    script = """
import sys
from sonic_nodes.commands import cli
try:
    cli.main(["render", "--help"])
except SystemExit:
    sys.exit("torch" in sys.modules or "numpy" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0
