"""Stops commands by a signal at moments spread over a run, and looks at what is left.

    python -m tests.tools.signal_matrix [--moments 12] [--commands render,smooth] [--signals SIGTERM,SIGKILL]

Each command runs once undisturbed, which gives the time it takes; then once for each signal and moment. After a signal
the output folder must hold nothing, or whole outputs alone; after SIGKILL the same once another run has written into
it. Prints a table: what was found after each run.

--preloaded  forks each run from a process that has loaded PyTorch: the moments fall into the work, and a run takes a
             second; without it they fall into the start of the process as well
--grouped    sends the signal to all processes of the command, as a terminal does
"""

from __future__ import annotations

import argparse
import functools
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "sonic_nodes" / "assets" / "sample"
SIGNALS = ("SIGTERM", "SIGHUP", "SIGINT", "SIGKILL")
PATIENCE_S = 60
CHILDREN_S = 10  # processes of a killed command end by themselves
# the same as the command; `models convert` takes networks that are smaller than the published ones
CONVERT = """
import functools, sys
from sonic_nodes.commands import cli
def runner(name, real=cli.runner):
    run = real(name)
    from sonic_nodes.commands import models
    from tests.tools.make_models import SMALL
    models.convert = functools.partial(models.convert, **SMALL)
    return run
cli.runner = runner
sys.exit(cli.main())
"""


@dataclass(frozen=True)
class Command:
    """arguments: of `sonic`, run in a folder that holds `out`; is_whole: of an output's path below `out`."""

    name: str
    arguments: tuple[str, ...]
    is_whole: Callable[[Path], bool]
    keeps_finished: bool = False  # outputs that were finished before the signal stay
    program: tuple[str, ...] = ("-m", "sonic_nodes")


def is_whole_video(path: Path) -> bool:
    """Every frame that the index names can be decoded, and the sound reaches its end."""
    import av

    with av.open(str(path)) as container:
        declared = container.streams.video[0].frames
        sounds = len(container.streams.audio)
        count = {"video": 0, "audio": 0}
        for frame in container.decode():
            count["video" if isinstance(frame, av.VideoFrame) else "audio"] += 1
    return declared == count["video"] > 0 and bool(sounds) == bool(count["audio"])


def is_whole_render(path: Path) -> bool:
    return is_whole_video(path) if path.suffix == ".mp4" else is_whole_picture(path)


def is_whole_picture(path: Path) -> bool:
    from PIL import Image

    with Image.open(io.BytesIO(path.read_bytes())) as picture:
        picture.load()
    return True


def is_whole_weight_file(path: Path) -> bool:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return all(file.get_tensor(name).numel() >= 0 for name in file.keys())


def is_whole(command: Command, path: Path) -> bool:
    try:
        return command.is_whole(path)
    except Exception:  # noqa: BLE001 (readers raise many kinds on incomplete files)
        return False


COMMANDS = (
    Command(
        "render",
        ("render", "portrait.jpg", "speech.wav", "-o", "out/a.mp4", "--frames", "out/frames")
        + ("--min-resolution", "128"),
        is_whole_render,
    ),
    Command("smooth", ("smooth", "clip.mp4", "-o", "out/a.mp4"), is_whole_video),
    Command("sync --fix", ("sync", "late.mp4", "--fix", "out/a.mp4"), is_whole_video),
    Command("check --repair", ("check", "pictures", "--repair", "out"), is_whole_picture, True),
    Command(
        "models convert",
        ("models", "convert", "--models", "models", "-o", "out/new"),
        is_whole_weight_file,
        program=("-c", CONVERT),
    ),
)


# chosen by name: each worker loads PyTorch, which takes longer than the work
WITH_WORKERS = Command(
    "check --jobs",
    ("check", "pictures", "--repair", "out/new", "--html", "out/new.html", "--jobs", "2"),
    lambda path: path.suffix == ".html" and path.read_bytes().endswith(b"</html>\n") or is_whole_picture(path),
    True,
)


def make_inputs(folder: Path, names: Iterable[str]) -> None:
    """Small inputs of the commands `names`."""
    shutil.copy(SAMPLE / "portrait.jpg", folder)
    make_speech(folder / "speech.wav", 1.0)
    if {"smooth", "sync --fix"} & set(names):
        make_clips(folder)
    if {"check --repair", "check --jobs"} & set(names):
        make_pictures(folder / "pictures", 3)
    if "models convert" in names:
        import torch

        from tests.tools.make_models import make

        list(make(folder / "models", torch.float32, small=True))


def make_speech(path: Path, seconds: float) -> None:
    import wave

    with wave.open(str(SAMPLE / "speech.wav")) as source, wave.open(str(path), "wb") as out:
        out.setparams(source.getparams())
        out.writeframes(source.readframes(round(seconds * source.getframerate())))


def make_clips(folder: Path) -> None:
    """clip.mp4 is shaken, so that `smooth` writes every frame; the sound of late.mp4 comes 300 ms late."""
    import numpy as np
    from PIL import Image

    from sonic_nodes.lipsync.fix import shifted
    from sonic_nodes.media.audio import read_sound
    from sonic_nodes.media.video_writer import VideoWriter
    from tests.lipsync import speaking

    sound = read_sound(folder / "speech.wav")
    picture = np.asarray(Image.open(folder / "portrait.jpg").convert("RGB").resize((256, 256)))
    steps = np.random.default_rng(0).integers(0, 7, (50, 2))
    with VideoWriter(folder / "clip.mp4", 240, 240, sound=sound) as writer:
        for x, y in steps:
            writer.write(np.ascontiguousarray(picture[y : y + 240, x : x + 240]))
    speech, frames = speaking.speech().trimmed(4.0), speaking.frames()[:100]
    with VideoWriter(folder / "late.mp4", *frames.shape[2:0:-1], sound=shifted(speech, 300)) as writer:
        writer.write(frames)


def make_pictures(folder: Path, count: int) -> None:
    from PIL import Image

    folder.mkdir()
    picture = Image.open(SAMPLE / "portrait.jpg").convert("RGB")
    for i in range(count):
        picture.resize((320 + 16 * i, 320)).save(folder / f"{i}.jpg", quality=40)


def command_line(command: Command) -> list[str]:
    return [sys.executable, *command.program, *command.arguments]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "passive", "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True)
class Ended:
    code: int
    seconds: float
    messages: str


class Process:
    """A command in a process group of its own."""

    def __init__(self, command: Command, folder: Path):
        self.errors = tempfile.TemporaryFile("w+")
        self.started = subprocess.Popen(
            command_line(command),
            cwd=folder,
            env=environment(),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=self.errors,
        )
        self.pid = self.started.pid

    def wait(self, seconds: float) -> int | None:
        """The exit code, or None when it still runs."""
        try:
            return self.started.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def messages(self) -> str:
        with self.errors as file:
            file.seek(0)
            return file.read()


class ForkedProcess(Process):
    """The same without loading PyTorch again for each run: a fork of this process, which has loaded it."""

    def __init__(self, command: Command, folder: Path):
        self.errors, self.code = tempfile.TemporaryFile("w+"), None
        self.pid = os.fork()
        if self.pid == 0:
            self._run(command, folder)

    def _run(self, command: Command, folder: Path) -> None:
        code = 70
        try:
            os.setsid()
            os.chdir(folder)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(self.errors.fileno(), 2)
            sys.argv = ["sonic", *command.arguments]
            code = preloaded().main()
            sys.stdout.flush()
        except BaseException:  # noqa: BLE001 (printed, and found by `judge`)
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def wait(self, seconds: float) -> int | None:
        end = time.monotonic() + seconds
        while self.code is None:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            if found:
                self.code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                break
            else:
                time.sleep(0.002)
        return self.code


@functools.cache
def preloaded():
    """The command line with everything imported that commands import."""
    from sonic_nodes.commands import check, cli, models, render, smooth, sync  # noqa: F401 (loaded for the forks)
    from tests.tools.make_models import SMALL

    models.convert = functools.partial(models.convert, **SMALL)
    return cli


def run(
    command: Command,
    folder: Path,
    number: int | None = None,
    at_s: float = 0,
    options: argparse.Namespace | None = None,
) -> Ended:
    """One run; number: the signal sent after `at_s` seconds. Processes that it started have ended too."""
    started = time.perf_counter()
    process = (ForkedProcess if options and options.preloaded else Process)(command, folder)
    if number is not None and process.wait(max(0.0, at_s - (time.perf_counter() - started))) is None:
        (os.killpg if options and options.grouped else os.kill)(process.pid, number)
    code = process.wait(PATIENCE_S)
    seconds = time.perf_counter() - started
    messages = process.messages()
    if code is None or not ends(process.pid):
        os.killpg(process.pid, signal.SIGKILL)
        messages += "\nprocesses are left"
    return Ended(code, seconds, messages)


def ends(group: int) -> bool:
    """Whether all processes of the group end."""
    end = time.monotonic() + CHILDREN_S
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def left_over(command: Command, out: Path) -> tuple[list[str], list[str]]:
    """(names below `out` that are wrong, whole outputs)."""
    wrong, whole = [], []
    for path in sorted(out.rglob("*")):
        name = str(path.relative_to(out))
        if ".sonic-" in name:
            wrong.append(name)
        elif path.is_dir():
            if not any(path.iterdir()):
                wrong.append(name + "/")
        elif is_whole(command, path):
            whole.append(name)
        else:
            wrong.append(name)
    return wrong, whole


def clean(folder: Path) -> Path:
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    return out


def judge(command: Command, folder: Path, name: str, at_s: float, usual: list[str], options=None) -> str:
    """What one stopped run did: "stopped", "complete", or what is wrong."""
    out, number = clean(folder), getattr(signal, name)
    ended = run(command, folder, number, at_s, options)
    if "Traceback" in ended.messages or "Exception ignored" in ended.messages or "are left" in ended.messages:
        return f"wrong: {ended.messages.strip()[-300:]}"
    if number == signal.SIGKILL:
        return judge_killed(command, folder, usual, ended, options)
    wrong, whole = left_over(command, out)
    if wrong:
        return f"wrong: {wrong} are left"
    if ended.code in (0, 1) and whole == usual:
        return "complete"
    # 128 + n by the command; -n by the system, before Python runs any of the command's code
    if ended.code not in (128 + number, -number):
        return f"wrong: exit code {ended.code}"
    return "stopped" if not whole or command.keeps_finished else f"wrong: {whole} are left with code {ended.code}"


def judge_killed(command: Command, folder: Path, usual: list[str], ended: Ended, options) -> str:
    """Outputs are whole at once; the next run leaves nothing but its own. (A folder with frames is refused.)"""
    out = folder / "out"
    _, whole = left_over(command, out)
    unfinished = [str(p) for p in out.rglob("*") if p.is_file() and ".sonic-" not in str(p)]
    if len(unfinished) != len(whole):
        return f"wrong: of {unfinished} only {whole} are whole"
    for path in out.iterdir():
        if not path.name.startswith("."):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    after = run(command, folder, options=options)
    wrong, whole = left_over(command, out)
    if wrong or whole != usual or after.code not in (0, 1):
        return f"wrong: {wrong} and {whole} after the next run, exit code {after.code} {after.messages[-200:]}"
    return "complete" if ended.code in (0, 1) else "killed"


def measure(command: Command, folder: Path, options=None) -> tuple[float, list[str]]:
    """(seconds of an undisturbed run, its outputs)."""
    out = clean(folder)
    ended = run(command, folder, options=options)
    wrong, whole = left_over(command, out)
    if ended.code not in (0, 1) or wrong or not whole:
        raise RuntimeError(f"{command.name} does not work undisturbed: {ended}, {wrong}")
    return ended.seconds, whole


def moments_of(seconds: float, count: int) -> list[float]:
    """Seconds after the start: spread over a run, the last ones close to its end."""
    return [seconds * (0.05 + 0.95 * i / max(1, count - 1)) for i in range(count)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=12)
    parser.add_argument("--commands", default=",".join(command.name for command in COMMANDS))
    parser.add_argument("--signals", default=",".join(SIGNALS))
    parser.add_argument("--grouped", action="store_true")
    parser.add_argument("--preloaded", action="store_true")
    options = parser.parse_args()
    if options.preloaded:
        preloaded()
    chosen = [command for command in (*COMMANDS, WITH_WORKERS) if command.name in options.commands.split(",")]
    total = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_inputs(folder, [command.name for command in chosen])
        for command in chosen:
            seconds, usual = measure(command, folder, options)
            print(f"{command.name}: {seconds:.1f} s undisturbed, {len(usual)} outputs", flush=True)
            for kind in options.signals.split(","):
                found = Counter()
                for at_s in moments_of(seconds, options.moments):
                    result = judge(command, folder, kind, at_s, usual, options)
                    found[result.partition(":")[0]] += 1
                    if result.startswith("wrong"):
                        print(f"    {kind} after {at_s:.2f} s: {result}", flush=True)
                print(f"  {kind:8}" + ", ".join(f"{count} {what}" for what, count in found.items()), flush=True)
                total += found
    print(", ".join(f"{count} {what}" for what, count in total.items()))
    return 1 if total["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
