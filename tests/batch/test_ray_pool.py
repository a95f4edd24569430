"""The pool of a cluster from the outside: what it says when Ray is absent, refuses, hangs, or ends its process."""

import pickle
import socket
import sys
import textwrap

import pytest

from sonic_nodes.batch import ray_pool
from sonic_nodes.batch.ray_cluster import Needs
from sonic_nodes.batch.ray_pool import RayPool, address_of, check_installed
from sonic_nodes.errors import InstallError, ResourceError, UsageError
from tests.tools import remote_worker
from tests.tools.remote_worker import parcel_of, placed

NO_NODES = """
    import time
    from types import SimpleNamespace

    exceptions = SimpleNamespace(RayError=OSError)
    remote = lambda kind: None
    nodes = lambda: []
"""


@pytest.fixture
def pool_with(tmp_path, monkeypatch):
    """Makes a pool whose process finds a module ray with this text."""
    made = []

    def make(text, address="auto", **options) -> RayPool:
        package = tmp_path / "modules" / "ray"
        (package / "util").mkdir(parents=True)
        (package / "__init__.py").write_text(textwrap.dedent(text))
        (package / "util" / "__init__.py").write_text("")
        (package / "util" / "scheduling_strategies.py").write_text("")
        monkeypatch.syspath_prepend(str(package.parent))
        for name in [name for name in sys.modules if name == "ray" or name.startswith("ray.")]:
            monkeypatch.delitem(sys.modules, name)
        needs, notes = Needs(2, False), []
        folder = str(tmp_path)
        made.append(RayPool(address, needs, remote_worker.make, placed, parcel_of, folder, notes.append, **options))
        return made[-1]

    yield make
    for pool in made:
        pool.kill()


def said(pool, kind=ResourceError) -> str:
    with pytest.raises(kind) as caught:
        for _ in range(600):
            assert pool.wait(0.1) == []
    return str(caught.value)


@pytest.mark.parametrize("text", ["auto", "172.16.0.1:6379", "head.studio:6379", "[::1]:6379"])
def test_addresses(text):
    assert address_of(text) == text


@pytest.mark.parametrize("text", ["list.csv", "", "ray://172.16.0.1:10001", "http://a:1", "a:b", "local", "a:123456"])
def test_what_is_no_address(text):
    with pytest.raises(UsageError, match="^Write --ray=HOST:PORT"):
        address_of(text)


def test_without_ray_the_first_line_is_the_command():
    with pytest.raises(InstallError, match=r"^Run `python -m pip install 'ray>=2.52'` for --ray: Ray is not installed"):
        check_installed(lambda name: None)


@pytest.mark.parametrize(
    ("error", "kind", "first"),
    [
        ("ConnectionError('Could not find any running Ray instance.')", ResourceError, "Start Ray on this machine"),
        ("RuntimeError('Version mismatch: The cluster has 2.59')", InstallError, "Install the same versions of Ray"),
        ("RuntimeError('Authentication token was not found')", ResourceError, "Set RAY_AUTH_MODE=token, and give"),
        ("ConnectionError('No') from RuntimeError('AuthenticationError: x')", ResourceError, "Set RAY_AUTH_MODE=token"),
        ("ImportError('libray.so')", InstallError, "Run `python -m pip install"),
    ],
)
def test_a_cluster_that_cannot_be_joined(pool_with, error, kind, first):
    assert said(pool_with(f"def init(**options): raise {error}"), kind).startswith(first)


@pytest.mark.parametrize(("moment", "first"), [("init", "Start Ray on this machine"), ("nodes", "Start Ray again")])
def test_ray_that_ends_its_process_is_a_sentence(pool_with, moment, first):
    """As its library does when the head does not answer, or does not any more."""
    text = NO_NODES + "    init = lambda **options: None\n"
    assert said(pool_with(text + f"    def {moment}(**options):\n        import os; os._exit(1)")).startswith(first)


def test_an_address_where_nothing_listens(pool_with):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        text = said(pool_with("def init(**options): raise SystemExit", address=address))
    assert text.startswith("Start Ray on this machine") and address in text and "refused" in text


def test_ray_that_fails_is_a_sentence_with_the_log(pool_with):
    text = said(
        pool_with("def init(**options): pass\ndef remote(kind): raise RuntimeError('GCS')\ndef nodes(): return []")
    )
    assert text.startswith("Look into '") and "RuntimeError" in text and "ray.log" in text


def test_ray_that_hangs_is_a_sentence(pool_with, monkeypatch):
    monkeypatch.setattr(ray_pool, "SILENT_S", 3.0)
    text = NO_NODES + "    init = lambda **options: None\n    nodes = lambda: time.sleep(1000)"
    assert said(pool_with(text)) == ray_pool.HEAD_GONE


def test_a_cluster_without_nodes_is_waited_for_a_bounded_time(pool_with):
    pool = pool_with(NO_NODES + "    init = lambda **options: None", no_worker_s=4.0)
    assert said(pool).startswith("Start Ray on a node")


def test_errors_travel_between_processes():
    for kind in (InstallError, ResourceError):
        error = pickle.loads(pickle.dumps(kind("Do this: that is so.")))
        assert type(error) is kind and str(error) == "Do this: that is so."
