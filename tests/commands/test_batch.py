"""`sonic batch` from the outside: lists, what is checked before the first video, and batches that are killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import wave
from pathlib import Path

import av
import pytest
from PIL import Image

from sonic_nodes.batch import known, webhook
from sonic_nodes.commands import batch_checks
from sonic_nodes.commands.cli import main
from tests.tools.signal_matrix import environment

ROOT = Path(__file__).resolve().parents[2]
FAST = ("--min-resolution", "128")


def make_recordings(folder, sample_dir, count: int, seconds: float) -> list[str]:
    """Parts of the sample's voice, one starting after the other."""
    names = []
    with wave.open(str(sample_dir / "speech.wav")) as source:
        rate, frames = source.getframerate(), source.readframes(source.getnframes())
    for number in range(count):
        name, start = f"voice{number}.wav", 2 * int(number * 0.1 * rate)
        with wave.open(str(folder / name), "wb") as target:
            target.setnchannels(1)
            target.setsampwidth(2)
            target.setframerate(rate)
            target.writeframes(frames[start : start + 2 * int(seconds * rate)])
        names.append(name)
    return names


def make_portraits(folder, sample_dir, count: int) -> list[str]:
    names = []
    with Image.open(sample_dir / "portrait.jpg") as picture:
        for number in range(count):
            width, height = picture.size
            small = picture.convert("RGB").crop((number, 0, width, height)).resize((300, 360), Image.Resampling.LANCZOS)
            small.save(folder / (name := f"face{number}.png"))
            names.append(name)
    return names


@pytest.fixture
def inputs(tmp_path, sample_dir):
    """A folder with two portraits and four recordings of 0.4 s, and a list of all pairs."""
    faces, voices = make_portraits(tmp_path, sample_dir, 2), make_recordings(tmp_path, sample_dir, 4, 0.4)
    lines = ["portrait,speech,output,seed"]
    lines += [f"{face},{voice},{face[:5]}/{voice[:6]}.mp4,{7}" for face in faces for voice in voices]
    (tmp_path / "list.csv").write_text("\n".join(lines), "utf-8")
    return tmp_path


def batch(folder, capsys, *options, sources=("list.csv",), workers=1):
    """(exit code, what --json prints, what the command says)."""
    command = [
        "batch",
        *(str(folder / source) for source in sources),
        "--out",
        str(folder / "out"),
        "--workers",
        str(workers),
        "--json",
        *FAST,
    ]
    code = main([*command, *map(str, options)])
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if captured.out else None, captured.err


def videos(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.mp4"))


def is_whole(path, seconds: float) -> bool:
    with av.open(str(path)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    return frames == round(25 * seconds)


def journal(folder):
    text = (folder / "out/sonic-batch/journal.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def left_overs(folder):
    return list(folder.rglob(".sonic-*"))


def test_a_list_is_made_once(inputs, capsys):
    code, report, said = batch(inputs, capsys)
    assert code == 0, said
    assert (report["done"], report["skipped"], report["failed"], report["bad"]) == (8, 0, 0, 0)
    assert videos(inputs / "out") == sorted(f"face{f}/voice{v}.mp4" for f in range(2) for v in range(4))
    assert all(is_whole(inputs / "out" / name, 0.4) for name in videos(inputs / "out"))
    before = {path: path.stat().st_mtime_ns for path in (inputs / "out").rglob("*.mp4")}
    code, report, said = batch(inputs, capsys)
    assert (code, report["done"], report["skipped"]) == (0, 0, 8)
    assert before == {path: path.stat().st_mtime_ns for path in before}
    (inputs / "out/face0/voice0.mp4").write_bytes(b"half")  # not what the journal has
    code, report, said = batch(inputs, capsys)
    assert (code, report["done"], report["skipped"]) == (0, 1, 7)
    assert is_whole(inputs / "out/face0/voice0.mp4", 0.4) and not left_overs(inputs)


def test_jobs_of_one_portrait_are_made_one_after_the_other(inputs, capsys):
    batch(inputs, capsys)
    faces = [record["output"].split("/")[0] for record in journal(inputs) if record["event"] == "start"]
    assert sum(a != b for a, b in zip(faces, faces[1:], strict=False)) == 1


def test_a_video_equals_that_of_render(inputs, capsys):
    batch(inputs, capsys, "--lossless")
    out = inputs / "alone.mp4"
    portrait, speech = str(inputs / "face1.png"), str(inputs / "voice2.wav")
    assert main(["render", portrait, speech, "-o", str(out), "--seed", "7", "--lossless", *FAST]) == 0
    assert pixels(out) == pixels(inputs / "out/face1/voice2.mp4")


def pixels(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24").tobytes() for frame in container.decode(video=0)]


def test_other_options_or_other_inputs_are_another_job(inputs, capsys):
    batch(inputs, capsys)
    assert batch(inputs, capsys, "--opening", "0.5")[1]["done"] == 8
    assert batch(inputs, capsys, "--opening", "0.5")[1]["skipped"] == 8
    os.replace(inputs / "voice1.wav", inputs / "voice0.wav")
    (inputs / "list.csv").write_text("portrait,speech,output\nface0.png,voice0.wav,face0/voice0.mp4\n")
    assert batch(inputs, capsys, "--opening", "0.5")[1]["done"] == 1


def test_folders_of_pictures_and_recordings(inputs, capsys):
    for name, kind in (("faces", "face*.png"), ("voices", "voice*.wav")):
        (inputs / name).mkdir()
        for path in sorted(inputs.glob(kind))[:2]:
            path.rename(inputs / name / path.name)
    code, report, _ = batch(inputs, capsys, sources=("faces", "voices"))
    assert (code, report["done"]) == (0, 4)
    assert videos(inputs / "out") == [f"face{f}_voice{v}.mp4" for f in range(2) for v in range(2)]


def test_a_bad_row_stops_the_batch_before_the_first_video(inputs, capsys):
    Image.new("RGB", (300, 300), "grey").save(inputs / "grey.png")
    (inputs / "broken.wav").write_bytes(b"RIFF")
    with open(inputs / "list.csv", "a", encoding="utf-8") as file:
        file.write(
            "\ngrey.png,voice0.wav,grey.mp4,1\nface0.png,broken.wav,broken.mp4,1\nface0.png,voice0.wav,s.mp4,x\n"
        )
    code, report, said = batch(inputs, capsys)
    assert code == 3 and videos(inputs / "out") == [] and "--skip-bad" in said
    assert "row 10: " in said and "row 11: " in said and "row 12: " in said and "no face was found" in said
    code, report, said = batch(inputs, capsys, "--skip-bad")
    assert (code, report["done"], report["bad"]) == (3, 8, 3)
    assert [problem["row"] for problem in report["problems"]] == [10, 11, 12]
    page = (inputs / "out/sonic-batch/report.html").read_text("utf-8")
    assert page.count('<tr class="done">') == 8 and page.count('<tr class="bad">') == 3


@pytest.mark.parametrize(
    ("background", "remedy"),
    [
        ("transparent", "Choose another background"),
        ("#12", "Write the colour"),
        ("nowhere.png", "Write green, #rrggbb"),
    ],
)
def test_a_background_is_tried_before_the_work(inputs, capsys, background, remedy):
    code, _, said = batch(inputs, capsys, "--check-only", "--background", background)
    assert code == 3 and remedy in said


@pytest.fixture
def asked(monkeypatch):
    """How many inputs the workers were asked about, in each start of the batch: (portraits, recordings)."""
    counts: dict[str, list[int]] = {"portraits": [], "recordings": []}

    def count(tasks, pool, title, take, real=batch_checks.asked):
        counts.setdefault(title, []).append(len(tasks))
        return real(tasks, pool, title, take)

    monkeypatch.setattr(batch_checks, "asked", count)
    return lambda: list(zip(counts["portraits"], counts["recordings"], strict=True))


def test_inputs_are_checked_once_until_they_change(inputs, capsys, asked, monkeypatch):
    monkeypatch.setattr(known, "FINE_NS", 0)  # files of a moment ago are taken as old ones
    monkeypatch.setattr(known, "COARSE_NS", 0)
    first = batch(inputs, capsys, "--check-only")
    assert batch(inputs, capsys, "--check-only") == first
    assert asked() == [(2, 4), (0, 0)]
    page = (inputs / "out/sonic-batch/report.html").read_text("utf-8")
    assert page.count("data:image/jpeg;base64,") == 2  # thumbnails of the first start
    before = (inputs / "face0.png").stat()
    Image.new("RGB", (300, 360), "grey").save(inputs / "grey.png")
    data = (inputs / "grey.png").read_bytes()
    (inputs / "face0.png").write_bytes(data + bytes(before.st_size - len(data)))
    os.utime(inputs / "face0.png", ns=(before.st_atime_ns, before.st_mtime_ns))  # its size and time are the old ones
    code, report, said = batch(inputs, capsys, "--check-only", "--skip-bad")
    assert (code, report["bad"], report["waiting"]) == (3, 4, 4) and "no face was found" in said
    assert batch(inputs, capsys, "--check-only")[0] == 3  # what could not be used is checked each time
    assert asked()[2:] == [(1, 0), (1, 0)]


def test_checks_that_somebody_edited_are_made_again(inputs, capsys, asked, monkeypatch):
    monkeypatch.setattr(known, "FINE_NS", 0)
    monkeypatch.setattr(known, "COARSE_NS", 0)
    first = batch(inputs, capsys, "--check-only")
    path = inputs / "out/sonic-batch" / known.NAME
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for record, number in zip(records, range(100), strict=False):
        record["value"] = [{"verdict": 3}, {"duration_s": "long"}, {"duration_s": float("inf")}, {"sha256": "../"}][
            number % 4
        ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    assert batch(inputs, capsys, "--check-only") == first
    assert asked() == [(2, 4), (2, 4)]


def test_check_only_makes_nothing(inputs, capsys):
    code, report, said = batch(inputs, capsys, "--check-only")
    assert (code, report["waiting"], videos(inputs / "out")) == (0, 8, [])
    assert "face0.png" in said and "128x128" in said


def start(folder, workers: int = 2, *options):
    command = [sys.executable, "-m", "sonic_nodes", "batch", str(folder / "list.csv"), "--out", str(folder / "out")]
    command += ["--workers", str(workers), "--json", *FAST, *options]
    env = environment() | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def parents_of_all() -> dict[int, int]:
    """{process: its parent} of those that run."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        if state not in "ZX":
            parents[int(path.parent.name)] = int(parent)
    return parents


def children(process) -> list[int]:
    """Worker processes: forked by a child of the command that has loaded their libraries."""
    parents = parents_of_all()
    return sorted(pid for pid, parent in parents.items() if parents.get(parent) == process.pid)


def wait_for(folder, event: str, count: int, process) -> None:
    """Until the journal has `count` records of this kind."""
    path = folder / "out/sonic-batch/journal.jsonl"
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists() and path.read_text("utf-8").count(f'"event": "{event}"') >= count:
            return
        time.sleep(0.02)
    assert process.poll() is None, process.communicate()


@pytest.mark.posix("signals of POSIX, and Linux's list of processes")
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are listed in /proc")
def test_killed_workers_and_a_killed_parent_leave_nothing_half(inputs, capsys):
    process = start(inputs)
    wait_for(inputs, "start", 1, process)
    os.kill(children(process)[0], signal.SIGKILL)
    wait_for(inputs, "done", 2, process)
    workers = children(process)
    os.kill(workers[-1], signal.SIGKILL)
    wait_for(inputs, "done", 3, process)
    workers = children(process)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 60  # workers end by themselves with their parent
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    finished = [record["output"] for record in journal(inputs) if record["event"] == "done"]
    code, report, said = batch(inputs, capsys, workers=2)
    assert (code, report["done"] + report["skipped"], report["failed"]) == (0, 8, 0), said
    assert report["skipped"] == len(finished) >= 3
    made = [record["output"] for record in journal(inputs) if record["event"] == "done"]
    assert sorted(made) == videos(inputs / "out") and len(made) == 8  # none twice
    assert all(is_whole(inputs / "out" / name, 0.4) for name in made) and not left_overs(inputs)


@pytest.mark.posix("signals of POSIX")
def test_ctrl_c_keeps_what_is_finished(inputs, capsys):
    process = start(inputs, 1)
    wait_for(inputs, "done", 1, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "the same command goes on from there" in said
    status = json.loads((inputs / "out/sonic-batch/status.json").read_text("utf-8"))
    assert status["state"] == "stopped" and not left_overs(inputs)
    assert (inputs / "out/sonic-batch/report.html").is_file()
    assert batch(inputs, capsys)[1]["skipped"] >= 1


@pytest.mark.posix("signals of POSIX, and Linux's list of processes")
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are listed in /proc")
def test_ctrl_c_while_libraries_are_loaded_leaves_no_process(inputs):
    """The process that forks workers has been started, and no worker yet."""
    process, started = start(inputs, 2), []
    deadline = time.monotonic() + 60
    while not started and time.monotonic() < deadline:
        started = [pid for pid, parent in parents_of_all().items() if parent == process.pid]
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert started and process.returncode == 130 and "Traceback" not in said, said
    while set(started) & parents_of_all().keys() and time.monotonic() < deadline + 60:
        time.sleep(0.02)
    assert not set(started) & parents_of_all().keys() and not left_overs(inputs)


def test_two_batches_on_one_journal(inputs, capsys):
    process = start(inputs, 1)
    wait_for(inputs, "start", 1, process)
    code, report, said = batch(inputs, capsys)
    assert (code, report) == (6, None) and "Wait for the other batch" in said
    process.communicate(timeout=300)
    assert process.returncode == 0


def test_a_webhook_that_hangs_costs_the_batch_its_limit_alone(inputs, capsys, monkeypatch):
    monkeypatch.setattr(webhook, "TIMEOUT_S", 0.3)
    monkeypatch.setattr(webhook, "END_S", 1.0)
    (inputs / "list.csv").write_text("portrait,speech\nface0.png,voice0.wav\nface0.png,voice1.wav\n", "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as server:  # accepts, and never answers
        address = f"http://127.0.0.1:{server.getsockname()[1]}/hook?key=hunter2"
        code, report, said = batch(inputs, capsys, "--webhook", address)
    assert (code, report["done"], report["webhook_failures"]) == (0, 2, 3), said
    assert "3 messages did not reach the webhook" in said and "hunter2" not in said
