"""Ends of the command: signals, closed and full streams, address space, and what a killed run leaves."""

import os
import signal
import subprocess
import sys
import time

import pytest

from sonic_nodes.commands.cli import main
from sonic_nodes.media.files import atomic_write
from sonic_nodes.media.temporary import forget_swept
from tests.tools import memory_limits
from tests.tools.signal_matrix import COMMANDS, clean, ends, environment, judge, make_inputs, make_speech

pytestmark = pytest.mark.posix("signals, closed and full streams, and limits of POSIX")
FAST = ("--min-resolution", "128")
# The command with its work replaced: it makes an output and waits, so that signals meet it there on any machine.
WAITING = """
import sys, time
from sonic_nodes.commands import cli
from sonic_nodes.media.temporary import TemporaryFolder
def work(options):
    folder = TemporaryFolder("out")
    open(folder.output, "w").write("half")
    print("waiting", flush=True)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        time.sleep(0.01)
    folder.publish("out/a.mp4")
    return 0
cli.runner = lambda name: work
sys.exit(cli.main())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ends")
    make_inputs(folder, ["render", "check --repair"])
    make_speech(folder / "speech.wav", 0.2)
    return folder


def started(folder, program, arguments, **options):
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        cwd=folder,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        **{"stdout": subprocess.PIPE} | options,
    )


def ignore_hang_up():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def heed_hang_up():
    """Where the tests run under nohup, too."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def waiting(folder, **options):
    """The command while it makes its output."""
    process = started(folder, ["-c", WAITING], ["doctor"], **options)
    assert process.stdout.readline() == "waiting\n"
    return process


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_signals_go_the_way_of_ctrl_c(folder, name):
    out = clean(folder)
    (out / "a.mp4").write_bytes(b"older")
    process = waiting(folder, preexec_fn=heed_hang_up)
    process.send_signal(getattr(signal, name))
    _, messages = process.communicate(timeout=30)
    assert process.returncode == 128 + getattr(signal, name)
    assert messages == "sonic: Stopped; nothing was written.\n"
    assert os.listdir(out) == ["a.mp4"] and (out / "a.mp4").read_bytes() == b"older"


def test_an_ignored_hang_up_stays_ignored(folder):
    clean(folder)
    process = waiting(folder, preexec_fn=ignore_hang_up)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert process.poll() is None
    process.kill()
    process.communicate()


def test_what_a_kill_leaves_is_swept_and_a_running_process_is_not_robbed(folder, monkeypatch):
    out = clean(folder)
    killed = waiting(folder)
    killed.kill()
    killed.communicate()
    left = set(os.listdir(out))
    assert left and all(name.startswith(".sonic-") for name in left)
    other = waiting(folder)
    working = set(os.listdir(out))
    assert working and not working & left
    forget_swept()
    with atomic_write(out / "b") as file:
        file.write(b"whole")
    assert set(os.listdir(out)) == working | {"b"}
    other.send_signal(signal.SIGTERM)
    other.communicate(timeout=30)
    assert os.listdir(out) == ["b"]


def test_a_second_signal_ends_at_once(tmp_path):
    """Also while the first is being handled by something that never ends."""
    program = """
import sys, threading, time
from sonic_nodes import interrupts
from sonic_nodes.media.temporary import TemporaryFolder, remove_all
with interrupts.stop_signals(remove_all):
    TemporaryFolder(sys.argv[1])
    with interrupts.deferred():
        print("waiting", flush=True)
        threading.Event().wait(30)
"""
    process = started(tmp_path, ["-c", program], [str(tmp_path)])
    process.stdout.readline()
    for _ in range(2):  # a terminal that closes sends two at a time: they count as one
        process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    assert process.poll() is None and len(os.listdir(tmp_path)) == 1
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 143 and os.listdir(tmp_path) == []


WORKERS = """
import signal, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from sonic_nodes.interrupts import end_with_parent, signals_blocked
from sonic_nodes.media.temporary import TemporaryFolder, remove_all
if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: None)
    pool = ProcessPoolExecutor(1, get_context("spawn"), end_with_parent, (remove_all,))
    with signals_blocked():
        pool.submit(TemporaryFolder, "out").exception()
        pool.submit(time.sleep, 60)
    print("waiting", flush=True)
    time.sleep(60)
"""


def test_workers_end_with_their_parent_alone(folder):
    """They stay when a signal is sent to all processes, and leave nothing when their parent is killed."""
    out = clean(folder)
    process = started(folder, ["-c", WORKERS], [], start_new_session=True)
    process.stdout.readline()
    assert len(os.listdir(out)) == 1
    os.killpg(process.pid, signal.SIGTERM)
    time.sleep(0.2)
    assert len(os.listdir(out)) == 1 and process.poll() is None
    process.kill()
    process.communicate(timeout=30)
    assert ends(process.pid) and os.listdir(out) == []


@pytest.mark.parametrize("name", ["render", "check --repair"])
def test_a_sample_of_the_signal_matrix(folder, name):
    """All of it: python -m tests.tools.signal_matrix"""
    (command,) = [c for c in COMMANDS if c.name == name]
    assert judge(command, folder, "SIGTERM", 1.0, []) == "stopped"


PRINTING = [
    ["check", "portrait.jpg", "--json"],
    ["check", "portrait.jpg", "--csv"],
    ["check", "portrait.jpg"],
    ["render", "portrait.jpg", "speech.wav", "-o", "out/a.mp4", *FAST],
    ["render", "portrait.jpg", "speech.wav", "-o", "out/a.mp4", "--json", *FAST],
    ["render", "--help"],
    ["--version"],
    ["models", "--models", "pictures"],
    ["doctor", "--json"],
]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_what_cannot_be_printed_is_exit_code_6(folder, monkeypatch, capsys, arguments):
    clean(folder)
    monkeypatch.chdir(folder)
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(arguments) == 6
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("sonic: Free disk space, or send the printed result elsewhere"), lines
    assert lines[-1].endswith("The output file is complete.") is ("-o" in arguments)


SHELL = {"out": 'exec "$@" >&-', "others": 'exec "$@" 2>&- <&-'}


def test_closed_streams(folder):
    """No output gets the number of a closed stream; without standard output nothing starts."""
    command = [sys.executable, "-m", "sonic_nodes", "--version"]
    options = {"cwd": folder, "env": environment(), "text": True, "capture_output": True}
    found = subprocess.run(["sh", "-c", SHELL["out"], "sh", *command], check=False, **options)
    assert found.returncode == 6 and found.stderr.startswith("sonic: Leave standard output open"), found.stderr
    found = subprocess.run(["sh", "-c", SHELL["others"], "sh", *command], check=False, **options)
    assert found.returncode == 0 and found.stdout.startswith("sonic ")


def limit_address_space():
    resource = pytest.importorskip("resource")
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS of Linux")
def test_signals_where_address_space_is_limited(folder):
    """The command runs in a child there: signals are passed on, and the child dies with its parent."""
    out = clean(folder)
    options = {"preexec_fn": limit_address_space, "start_new_session": True}
    process = waiting(folder, **options)
    process.send_signal(signal.SIGTERM)
    _, messages = process.communicate(timeout=30)
    assert process.returncode == 143 and messages == "sonic: Stopped; nothing was written.\n"
    assert os.listdir(out) == []
    process = waiting(folder, **options)
    process.kill()
    process.communicate(timeout=30)
    assert ends(process.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS of Linux")
def test_a_library_that_ends_the_process_for_want_of_memory(folder):
    """What it was writing is removed, and the sentence is said."""
    out = clean(folder)
    program = WAITING.replace('print("waiting", flush=True)', "import os; os._exit(127)")
    process = started(folder, ["-c", program], ["doctor"], preexec_fn=limit_address_space)
    _, messages = process.communicate(timeout=30)
    assert process.returncode == 5 and messages.startswith("sonic: Close other programs"), messages
    assert os.listdir(out) == []


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS of Linux")
@pytest.mark.parametrize(("name", "limit_mb"), [("check", 150), ("render", 700), ("doctor", 400)])
def test_address_space_that_runs_out_is_exit_code_5(folder, name, limit_mb):
    (command,) = [c for c in (*COMMANDS, *memory_limits.OTHERS) if c.name == name]
    found, code, last = memory_limits.judge(command, folder, limit_mb)
    assert found == "ok" and code in (0, 5), (code, last)
