"""tools/bootstrap.sh on machines of stand-in programs: it ends with 0 or with a sentence that says what to do."""

import contextlib
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .machines import KINDS, OPENCV, ROOT, Kind, Machine, last_message, named_packages, outcome, try_kind

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the script is for Debian")
CHECK_THE_NETWORK = "Check the network, then type make again:"


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def name_of(kind: Kind) -> str:
    return f"{kind.compiler}, {kind.user}, {kind.network}, Python {kind.python}"


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_every_machine_ends_as_it_should(kind):
    """What is missing is installed or asked for, neither more nor less, and the last sentence fits the machine."""
    ended, packages, done = try_kind(kind)
    assert ended == kind.outcome(), done.stdout + done.stderr
    can_install = kind.network == "network" and kind.user != "neither"
    asked = ended == "ask the administrator"
    assert packages == (kind.missing() if can_install or asked else []), done.stdout + done.stderr
    assert (done.stderr == "") == (ended == "done")


def test_a_second_run_installs_nothing(machine):
    assert outcome(machine.set_up()) == "done"
    before = machine.read("pip"), machine.read("commands")
    again = machine.set_up()
    assert outcome(again) == "done" and again.stdout == "Building the C extension\n"
    assert (machine.read("pip"), machine.read("commands")) == before


def test_what_an_interrupted_run_did_is_kept(machine):
    machine.write("pip_fails", "ERROR: HTTP error 503\n")
    assert outcome(machine.set_up()) != "done"
    (machine.folder / "pip_fails").unlink()
    done = machine.set_up()
    assert outcome(done) == "done" and "Making .venv" not in done.stdout


def test_sizes_are_said_before_downloads(tmp_path):
    machine = Machine(tmp_path, Kind(compiler="no OpenCV"))
    machine.write("lists")
    done = machine.set_up()
    megabytes = 2 * len(OPENCV)  # as stand_ins/apt-get says
    assert f"Installing with apt-get: {' '.join(OPENCV)} ({megabytes} MB to download)\n" in done.stdout
    assert "(about 0.2 GB to download)" in done.stdout


@pytest.mark.parametrize(
    "said, shown",
    [
        (
            "Collecting torch\n  Downloading https://a.b/c/torch-2.whl (191.8 MB)",
            "5 MB downloaded; now torch-2.whl (191.8 MB)",
        ),
        (
            "Get:12 http://deb.debian.org/debian g++ 12 [2000 kB]",
            "Get:12 http://deb.debian.org/debian g++ 12 [2000 kB]",
        ),
        ("gcc -c a.c\n[ 37/142] csrc/a.c\ngcc -c " + "x" * 5000, "[ 37/142] csrc/a.c"),
    ],
)
def test_a_terminal_shows_how_far_a_step_is(machine, said, shown):
    machine.write("pip_is_slow", said + "\n")
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        machine.command(), env=machine.environment(), stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    written = b""
    with contextlib.suppress(OSError):  # the terminal's end
        while shown.encode() not in written:
            written += os.read(master, 4096)
    process.terminate()
    process.wait(30)
    os.close(master)
    assert re.search(rb"\r\x1b\[K  0:0\d  " + re.escape(shown.encode()), written), written


def test_a_compiler_that_does_not_work_is_installed_anew(tmp_path):
    machine = Machine(tmp_path, Kind(user="neither"))
    machine.write("compiler_is_broken")
    assert named_packages(machine.set_up())[0] == "g++"


def test_a_python_that_is_not_debians_is_not_mended_with_apt(tmp_path):
    machine = Machine(tmp_path, Kind(python="without venv"))
    machine.write("real_python", "/opt/miniconda/bin/python3.11\n")
    done = machine.set_up()
    assert last_message(done).startswith("Choose another Python, for example: make PYTHON=/usr/bin/python3")
    assert "lacks venv" in last_message(done) and not machine.read("installed")


def test_a_complete_python_is_preferred(tmp_path):
    machine = Machine(tmp_path, Kind(python="without venv"))
    other = machine.bin / "python3.12"
    other.write_text('#!/bin/sh\ncase "$*" in -) ;; *) exec "$STAND_INS/python3" "$@" ;; esac\n')
    other.chmod(0o755)
    done = machine.set_up()
    assert f"({other})" in done.stdout and not machine.read("installed")


@pytest.mark.parametrize("chosen", ["/nowhere/python3", "python9", "two words"])
def test_a_chosen_python_that_does_not_start(machine, chosen):
    done = machine.set_up(PYTHON=chosen)
    assert last_message(done) == (f"Choose a Python that is 3.10 or newer: PYTHON={chosen} is not, or does not start.")


# What a step's programs say when they fail, and the first words of the remedy.
STEPS = [
    ("pip_fails", "OSError: [Errno 28] No space left on device", "Free disk space, then type make again:"),
    ("pip_fails", "OSError: [Errno 122] Disk quota exceeded", "Free disk space, then type make again:"),
    ("pip_fails", "ConnectTimeoutError: pypi.org timed out", CHECK_THE_NETWORK),
    ("pip_fails", "ProxyError('Cannot connect to proxy.')", CHECK_THE_NETWORK),
    ("pip_fails", "OSError: [Errno 13] Permission denied: '.venv/lib'", "Make this folder yours (chown -R user .)"),
    ("pip_fails", "OSError: [Errno 30] Read-only file system", "Make this folder yours (chown -R user .)"),
    ("pip_fails", "ERROR: No matching distribution found for torch", "Name a PyTorch (make TORCH="),
    ("venv_fails", "Error: something odd", "Remove .venv and type make again,"),
    ("build_fails", "csrc/a.c:1:2: error: expected ';'", "Correct the first error above, then type make again:"),
    ("build_fails", "virtual memory exhausted: Cannot allocate memory", "Close other programs, then type make MAX"),
    ("build_fails", "g++: fatal error: Killed signal terminated program cc1plus", "Close other programs, then"),
    ("build_fails", "as: a.o: No space left on device", "Free disk space, then type make again:"),
]


@pytest.mark.parametrize("step, said, remedy", STEPS)
def test_a_step_that_fails_shows_its_log_and_the_remedy(machine, step, said, remedy):
    machine.write(step, said + "\n")
    done = machine.set_up()
    assert done.returncode == 1 and last_message(done).startswith(remedy), done.stderr
    assert said in done.stderr and last_message(done).endswith("All of the output is in build/setup.log.")
    assert not (machine.checkout / "build" / "tmp").exists()


def test_a_file_that_is_not_the_locked_one(machine):
    assert outcome(machine.set_up()) == "done"
    machine.write("pip_fails", "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n")
    done = machine.set_up("test")
    assert last_message(done).startswith("Let pip use PyPI itself") and "make test LOCK=no" in last_message(done)


def test_tools_come_from_the_lock_and_users_packages_do_not(machine):
    assert outcome(machine.set_up("run")) == outcome(machine.set_up("test")) == "done"
    assert outcome(machine.set_up("test", LOCK="no")) == "done"
    run, locked, unlocked = (line.partition(" install ")[2] for line in machine.read("pip"))
    assert run == "setuptools>=71 --requirement requirements.txt"
    assert locked == "--require-hashes --only-binary :all: --requirement requirements-dev.txt"
    assert unlocked == "--requirement requirements-dev.in"


@pytest.mark.parametrize("program", ["sha256sum", "xargs", "cut", "rm"])
def test_an_unforeseen_failure_is_told_with_its_place(machine, program):
    """Here: a program that is everywhere is absent, or fails."""
    (machine.bin / program).unlink()
    done = machine.set_up()
    message = last_message(done)
    assert done.returncode != 0 and ("again" in message), done.stderr
    (machine.bin / program).write_text(f"#!/bin/sh\necho {program} is out of order >&2\nexit 5\n")
    (machine.bin / program).chmod(0o755)
    done = machine.set_up()
    assert done.returncode != 0 and f"{program} is out of order" in done.stderr
    assert "again" in last_message(done)


def test_an_unforeseen_failure_names_line_and_command(machine):
    (machine.bin / "xargs").unlink()
    done = machine.set_up()
    found = re.search(r"line (\d+) of tools/bootstrap.sh failed with status 127: (.+)", last_message(done))
    line = (ROOT / "tools" / "bootstrap.sh").read_text("utf-8").splitlines()[int(found[1]) - 1]
    assert "xargs" in found[2] and found[2] in line


def file_for_build(machine):
    (machine.checkout / "build").write_text("")


def folder_for_log(machine):
    (machine.checkout / "build" / "setup.log").mkdir(parents=True)


def full_disk_for_log(machine):
    (machine.checkout / "build").mkdir()
    (machine.checkout / "build" / "setup.log").symlink_to("/dev/full")


@pytest.mark.parametrize("obstacle", [file_for_build, folder_for_log, full_disk_for_log])
def test_a_log_that_cannot_be_written(machine, obstacle):
    obstacle(machine)
    done = machine.set_up()
    assert done.returncode == 1
    assert last_message(done).startswith("Make this folder writable and free disk space, then type make again:")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_checkout_that_cannot_be_written(machine):
    machine.checkout.chmod(0o555)
    done = machine.set_up()
    machine.checkout.chmod(0o755)
    assert last_message(done).startswith("Make this folder writable and free disk space, then type make again:")


@pytest.mark.parametrize(
    "name", ["with spaces and 'quotes'", "umlaut \u00e4 \u65e5\u672c", "a * ? [b] $HOME `id` \\ c"]
)
def test_any_name_of_the_folder(tmp_path, name):
    machine = Machine(tmp_path, checkout=name)
    assert outcome(machine.set_up()) == "done"
    assert (machine.checkout / ".venv" / "bin" / "sonic").is_file()


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_needs_no_executable_bit(machine):
    """Archives that were unpacked on Windows have none."""
    shutil.copy(ROOT / "Makefile", machine.checkout)
    (machine.checkout / "tools" / "bootstrap.sh").chmod(0o644)
    command = [shutil.which("make"), "--no-print-directory", "-C", str(machine.checkout), "build"]
    done = subprocess.run(command, env=machine.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.endswith("Ready: .venv/bin/sonic\n"), done.stdout + done.stderr


def test_a_name_that_python_refuses(tmp_path):
    done = Machine(tmp_path, checkout="a:b").set_up()
    assert last_message(done).startswith("Move this folder to a path without colons:")


def test_an_unknown_goal(machine):
    assert last_message(machine.set_up("everything")).startswith("Type tools/bootstrap.sh run, test, wheel, windows or")


CROSS, EMULATOR = ("g++-aarch64-linux-gnu", "aarch64-linux-gnu-g++"), ("qemu-user-static", "qemu-aarch64-static")


@pytest.mark.parametrize(
    "goal, target, package, program",
    [("wheel", "linux-aarch64", *CROSS), ("wheel", "windows-x86_64", None, None), ("aarch64", "", *EMULATOR)],
)
def test_what_another_system_needs_is_installed_too(machine, goal, target, package, program):
    """Only for the goal that needs it, and only where it is not there."""
    machine.write("lists")
    machine.add("nasm", "g++")
    assert outcome(machine.set_up(goal, SONIC_TARGET=target)) == "done"
    assert machine.read("installed") == ([package] if package else [])
    if program:
        machine.add(program, "g++")
        (machine.folder / "installed").unlink()
        assert outcome(machine.set_up(goal, SONIC_TARGET=target)) == "done"
        assert machine.read("installed") == []


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid: str) -> bool:
    """A zombie, which its parent has not waited for yet, is not."""
    path = Path("/proc", pid, "stat")
    return path.exists() and path.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    "number, code, why",
    [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM"), (signal.SIGHUP, 129, "the terminal was closed")],
)
def test_a_signal_ends_it_at_once_with_all_its_processes(machine, number, code, why):
    machine.write("pip_hangs", "Downloading torch-2.13.0.whl (191.8 MB)\n")
    heeding = ["/usr/bin/env", f"--default-signal={signal.Signals(number).name[3:]}"]  # nohup's children ignore SIGHUP
    process = subprocess.Popen(
        [*heeding, *machine.command()],
        env=machine.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    pid = machine.folder / "pid"
    wait_until(lambda: pid.exists() and pid.read_text().strip())
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert errors == f"\nType make again: it continues where it was stopped ({why}).\n"
    wait_until(lambda: not is_running(pid.read_text().strip()))
    assert not (machine.checkout / "build" / "tmp").exists()


@pytest.mark.parametrize("output", ["closed", "full"])
def test_an_output_that_takes_nothing_stops_nothing(machine, output):
    """`make demo | head -1`, or a full disk behind a redirection."""
    if output == "full":
        target = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, target = os.pipe()
        os.close(reader)
    done = subprocess.run(
        machine.command(), env=machine.environment(), stdout=target, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(target)
    assert done.returncode == 0 and (machine.checkout / ".venv" / "bin" / "sonic").is_file()


@pytest.mark.parametrize("what", ["entry point", "removed", "moved folder", "metadata"])
def test_a_stale_command_is_installed_anew(machine, what):
    """.venv/bin/sonic once imported a module that had moved."""
    assert outcome(machine.set_up()) == "done"
    assert machine.read("commands") == ["installed"]
    if what == "entry point":
        (machine.checkout / ".venv/bin/sonic").write_text("#!/bin/sh\nexec python3 -c 'import sonic_nodes.old'\n")
    elif what == "removed":
        (machine.checkout / ".venv/bin/sonic").unlink()
    elif what == "metadata":
        path = machine.checkout / ".venv/lib/python3.11/site-packages/__editable__.sonic_talking_portrait-0.1.0.pth"
        path.parent.mkdir(parents=True)
        path.write_text("/elsewhere\n")
    else:
        machine.checkout = machine.checkout.rename(machine.folder / "elsewhere")
    assert outcome(machine.set_up()) == "done"
    assert machine.read("commands") == ["installed"] * 2
