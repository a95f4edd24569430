"""The options of `sonic render`, apart from its work so that `sonic --help` stays quick.

Limits and defaults are those of engines/settings.py. An engine's options have no default in the parser, so that those
of the other engine are noticed and refused.
"""

from __future__ import annotations

import argparse
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..engines import ENGINES
from ..engines.settings import Choice, Limits, PrepareSettings, Range, SharedSettings, all_limits, limits, plain
from ..errors import UsageError
from ..weights.files import TERMS
from .mark_options import add_marks

if TYPE_CHECKING:
    from ..provenance.marks import Marks
    from ..provenance.signing import Signer

DEFAULT_ENGINE = "draft"
UNBOUNDED = 1e10  # upper limits that only keep numbers finite: help does not print them
WITHOUT_OPTION = {"length"}  # settings that the command line leaves at their default


def add_parser(commands):
    render = commands.add_parser(
        "render",
        help="make PORTRAIT speak SPEECH",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Make PORTRAIT speak SPEECH. Ask the person shown for consent;\n"
        "the video file is marked as AI-generated.",
        epilog="The draft engine needs no weights. The Sonic engine does (`sonic models --help` lists the files):\n"
        f"{TERMS}",
    )
    render.set_defaults(refuse=render.error)
    add = render.add_argument
    add(
        "portrait",
        metavar="PORTRAIT",
        help="picture of a face, in any format that Pillow opens; or, for the draft engine, a video clip: its frames "
        "get a new mouth and stay as they are elsewhere",
    )
    add("speech", metavar="SPEECH", help="recording: any sound or video file that PyAV opens")
    add("-o", "--output", metavar="OUT.mp4", help="video to write (H.264 and AAC, 25 frames a second)")
    add("--json", action="store_true", help="print a report as JSON on standard output")
    add("--frames", metavar="DIR", help="also write every frame as PNG into DIR, which must hold none")
    add_options(render)


def add_options(parser):
    """Those that each job of `sonic batch` may have, too."""
    add = parser.add_argument
    engines = "; ".join(f"{name}: {entry.help}" for name, entry in ENGINES.items())
    add("--engine", choices=list(ENGINES), default=DEFAULT_ENGINE, help=f"{engines} ({DEFAULT_ENGINE})")
    for option, settings, name in (
        ("--min-resolution", PrepareSettings, "min_resolution"),
        ("--seed", SharedSettings, "seed"),
        ("--face", PrepareSettings, "face_index"),
        ("--expand-ratio", PrepareSettings, "expand_ratio"),
        ("--start", PrepareSettings, "start"),
        ("--duration", PrepareSettings, "duration"),
        ("--crop", PrepareSettings, "crop"),
        ("--face-order", PrepareSettings, "face_order"),
        ("--clip-end", PrepareSettings, "clip_end"),
    ):
        limit = limits(settings, name)
        add(option, default=limit.default, **facts_of(option, limit))
    add(
        "--face-mask",
        metavar="MASK",
        help="picture of PORTRAIT's size, white on the face: for statues and drawings, where no face is found",
    )
    add(
        "--background",
        metavar="BACKGROUND",
        help="green, #rrggbb, blur, a picture, or transparent (OUT.webm: VP9, OUT.mov: ProRes 4444)",
    )
    add("--no-interpolate", action="store_true", help="write 12.5 frames a second instead of 25")
    add("--paste-back", action="store_true", help="put the speaking face back into the whole picture")
    add("--lossless", action="store_true", help="encode without loss: a large file that not every player opens")
    add_marks(parser)
    for name, entry in ENGINES.items():
        add_engine(parser.add_argument_group(f"{name} engine"), entry)


def add_engine(group, entry):
    for name, limit in engine_limits(entry).items():
        group.add_argument(option_of(name), **facts_of(option_of(name), limit))
    if entry.has_plan:
        group.add_argument(
            "--plan-only",
            action="store_true",
            default=None,
            help="print how much memory and time the run would take, and stop",
        )


def engine_limits(entry) -> dict[str, Limits]:
    """{name: limits} of an engine's own options."""
    found = all_limits(entry.options) | all_limits(entry.settings)
    return {name: limit for name, limit in found.items() if name not in WITHOUT_OPTION}


@functools.cache  # a batch asks for each of its rows
def engine_names(entry) -> tuple[str, ...]:
    return (*engine_limits(entry), *(["plan_only"] if entry.has_plan else []))


def option_of(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def facts_of(option: str, limit: Limits) -> dict:
    """Arguments of add_argument: type, metavar and help. A range that is too wide for a metavar stands in the help."""
    if isinstance(limit, Choice):
        return {"choices": limit.options, "help": f"{limit.help} ({limit.default})"}
    if not isinstance(limit, Range):
        return {"metavar": limit.metavar, "help": limit.help}
    low, high = plain(limit.low), plain(limit.high)
    kind = {"type": number_within(option, limit), "metavar": "N"}
    if isinstance(limit.default, int):
        return kind | {"help": f"{limit.help}; {low} to {high} ({plain(limit.default)})"}
    if limit.high >= UNBOUNDED:
        return kind | {"help": f"{limit.help} ({plain(limit.default)})"}
    return kind | {"metavar": f"{low}-{high}", "help": f"{limit.help} ({plain(limit.default)})"}


def number_within(option: str, limit: Range):
    """An argparse type. A number out of range is a UsageError, which the command prints without its usage text."""

    def number(text: str):
        value = type(limit.default)(text)
        limit.check(option, value)
        return value

    number.__name__ = "whole number" if isinstance(limit.default, int) else "number"
    return number


@dataclass(frozen=True)
class RenderRequest:
    """What `sonic render` was asked for, complete and checked."""

    portrait: str
    speech: str
    output: str | None  # None: plan_only
    engine: str
    options: object  # ENGINES[engine].options
    settings: object  # ENGINES[engine].settings
    prepare: PrepareSettings
    seed: int
    face_mask: str | None
    interpolate: bool
    paste_back: bool
    frames: str | None  # folder for PNG files
    lossless: bool
    plan_only: bool
    background: str | None
    marks: Marks
    signer: Signer | None

    @classmethod
    def of(cls, options: argparse.Namespace) -> RenderRequest:
        """Raises UsageError for options of another engine: a run of an hour must not ignore them."""
        from .chosen_marks import marks_of, signer_of_options

        entry = ENGINES[options.engine]
        refuse_foreign(options)
        plan_only = bool(entry.has_plan and options.plan_only)
        if options.output is None and not plan_only:
            options.refuse("the following arguments are required: -o/--output")
        return cls(
            portrait=options.portrait,
            speech=options.speech,
            output=options.output,
            engine=options.engine,
            options=given(entry.options, options),
            settings=given(entry.settings, options),
            prepare=PrepareSettings(
                min_resolution=options.min_resolution,
                expand_ratio=options.expand_ratio,
                face_index=options.face,
                on_mismatch="refuse",
                start=options.start,
                duration=options.duration,
                crop=options.crop,
                face_order=options.face_order,
                clip_end=options.clip_end,
            ),
            seed=options.seed,
            face_mask=options.face_mask,
            interpolate=not options.no_interpolate,
            paste_back=options.paste_back,
            frames=options.frames,
            lossless=options.lossless,
            plan_only=plan_only,
            background=options.background,
            marks=marks_of(options),
            signer=signer_of_options(options),
        )


def given(settings: type, options: argparse.Namespace):
    """An object of `settings` with the options that were given; the others keep their default."""
    values = {name: getattr(options, name, None) for name in all_limits(settings)}
    return settings(**{name: value for name, value in values.items() if value is not None})


def refuse_foreign(options: argparse.Namespace):
    for name, entry in ENGINES.items():
        foreign = [n for n in engine_names(entry) if n not in engine_names(ENGINES[options.engine])]
        wrong = [option_of(n) for n in foreign if getattr(options, n) is not None]
        if wrong:
            raise UsageError(
                f"Leave out {', '.join(wrong)}, or choose --engine {name}: "
                f"{'they have' if len(wrong) > 1 else 'it has'} no effect with --engine {options.engine}."
            )
