"""The build of setup.py: it uses the processors that there are, says how far it is, and ends at the first error."""

import os
import threading
import time

import pytest

from tests.core.compiler import ROOT, settings

pytestmark = pytest.mark.skipif(not (ROOT / "setup.py").is_file(), reason="the sources are not here")


@pytest.fixture
def files(tmp_path):
    """Thirty sources of different sizes, C before C++ in the alphabet."""
    made = []
    for number in range(30):
        path = tmp_path / f"{number:02}{'.cpp' if number % 10 == 9 else '.c'}"
        path.write_text("x" * (number * 7 % 30))
        made.append(str(path))
    return made


def test_as_many_compilers_as_jobs_run_at_once(files):
    """Each call waits for three others: fewer at a time would wait for ever."""
    four = threading.Barrier(4, timeout=20)
    settings()["in_parallel"](lambda path: four.wait(), files[:28], 4)


def test_no_more_than_the_jobs_run_at_once(files):
    running, most, lock = set(), [], threading.Lock()

    def work(path):
        with lock:
            running.add(path)
            most.append(len(running))
        time.sleep(0.002)
        with lock:
            running.discard(path)

    settings()["in_parallel"](work, files, 3)
    assert max(most) <= 3 and len(most) == len(files)


def test_the_slowest_sources_begin(files):
    """C++ with PyTorch's headers first, so that the last one does not keep one processor busy alone."""
    begun = []
    settings()["in_parallel"](begun.append, files, 1)
    assert [path[-6:] for path in begun[:3]] == ["29.cpp", "19.cpp", "09.cpp"]
    sizes = [os.path.getsize(path) for path in begun[3:]]
    assert sizes == sorted(sizes, reverse=True)


def test_it_says_how_far_it_is(files, capsys):
    settings()["in_parallel"](lambda path: None, files, 2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("] ")[0] for line in lines] == [f"[{count:2}/30" for count in range(1, 31)]
    assert sorted(line.split("] ")[1] for line in lines) == files


def test_the_first_error_ends_it(files):
    called = []

    def work(path):
        called.append(path)
        raise SystemError("does not compile")

    with pytest.raises(SystemError, match="does not compile"):
        settings()["in_parallel"](work, files, 2)
    assert len(called) < len(files) / 2


def test_the_default_is_every_processor_that_may_be_used(monkeypatch):
    default = settings()["default_jobs"]
    monkeypatch.setitem(default.__globals__, "read", lambda path: "MemAvailable:   99000000 kB\n")
    assert default() == len(os.sched_getaffinity(0))
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))
    assert default() == 64
    monkeypatch.setitem(default.__globals__, "read", lambda path: "MemAvailable:   4000000 kB\n")
    assert default() == 13
    monkeypatch.setitem(default.__globals__, "read", lambda path: "MemAvailable:   90000 kB\n")
    assert default() == 1
    monkeypatch.setitem(default.__globals__, "read", lambda path: None)
    assert default() == 64


@pytest.mark.parametrize("asked, jobs", [("3", 3), ("", None), (None, None)])
def test_max_jobs_is_obeyed(monkeypatch, asked, jobs):
    monkeypatch.delenv("MAX_JOBS", raising=False)
    if asked is not None:
        monkeypatch.setenv("MAX_JOBS", asked)
    build = settings()["BuildExt"].__new__(settings()["BuildExt"])
    build.parallel = None
    assert build.jobs() == (jobs or settings()["default_jobs"]())


@pytest.mark.parametrize(("sanitize", "compiler"), [("address", "gcc"), ("undefined", "clang")])
def test_a_sanitized_build_stops_at_the_first_fault(sanitize, compiler, monkeypatch):
    monkeypatch.setenv("SONIC_SANITIZE", sanitize)
    monkeypatch.setenv("CC", compiler)
    setup = settings.__wrapped__()
    assert setup["BUILD"].name in ("asan", "ubsan") and "-fno-sanitize-recover=all" in setup["COMMON"]
    kinds = setup["SANITIZERS"][0].partition("=")[2].split(",")
    assert {"undefined", "float-cast-overflow"} <= set(kinds) and ("address" in kinds) == (sanitize == "address")
    assert "-ftrivial-auto-var-init=pattern" in setup["COMMON"]
    assert ("-shared-libsan" in setup["LINK"]) == (compiler == "clang")


def test_an_unknown_sanitizer_is_refused(monkeypatch):
    monkeypatch.setenv("SONIC_SANITIZE", "1")
    with pytest.raises(SystemExit, match="Set SONIC_SANITIZE to address or undefined"):
        settings.__wrapped__()
