"""Headers made to cost memory or time are refused, or read, within limits. bench/weight_headers.py reads 2,000 of them,
each in a process of its own."""

import contextlib
import gc
import os
import socket
import struct
import time
import tracemalloc

import pytest
import torch

from bench.weight_headers import MEMORY_MB, SECONDS, read
from sonic_nodes.errors import InputError
from sonic_nodes.weights import catalogue, key_maps, safetensors_header, sizes, torch_container
from sonic_nodes.weights.catalogue import Catalogue, file_state
from sonic_nodes.weights.entries import MAX_TENSORS, Entry, TimeLimit
from sonic_nodes.weights.reader import open_weights
from tests.oracles.system import is_wine
from tests.weights import crafted_headers as make
from tests.weights.crafted_headers import KINDS, crafted_one

SIZE = 9_000  # of what a kind repeats; most kinds are over a limit with more, and end sooner


@pytest.mark.parametrize("index", range(len(KINDS)), ids=KINDS)
def test_each_kind_is_read_or_refused_within_the_limits(index, tmp_path):
    path = tmp_path / "unet.pth"
    path.write_bytes(crafted_one(seed=4, index=index, size=SIZE)[1])
    gc.freeze()  # the collector walks through what other tests left, again and again
    started = time.process_time()
    result = read(path)
    seconds = time.process_time() - started
    gc.unfreeze()
    assert seconds < (2 * SECONDS if is_wine() else SECONDS)  # whose calls of the system cost more
    assert result == "read" or result.startswith("Download unet.pth again") and len(result) < 900


def test_memory_of_the_largest_headers(tmp_path):
    """In Python's own count, which needs no process of its own: tables, pickles and directories at their limits."""
    draw = make.random.Random(3)
    largest = {
        "lists": make.with_header(b'{"x":[%s]}' % b",".join([b"[]"] * 115_000)),
        "keys": make.with_header(b"{%s}" % b",".join(b'"%05x":1' % i for i in range(59_000))),
        "tensors": make.many_tensors(draw, MAX_TENSORS),
        "pickled dictionaries": make.in_zip({"a/data.pkl": make.PROTOCOL + b"}\x94" * 100_000}),
        "records": make.zip_records(draw, 15_000),
    }
    for name, content in largest.items():
        (tmp_path / name).write_bytes(content)
        tracemalloc.start()
        try:
            with contextlib.suppress(InputError):
                open_weights(tmp_path / name)
            assert tracemalloc.get_traced_memory()[1] < MEMORY_MB * 1e6, name
        finally:
            tracemalloc.stop()


# Layers are not built because names claim them

UNET_TENSORS = 1492  # of the published UNet, whose key map every file is compared with
DEEP = {
    "unet": lambda n: make.unet_levels_and_blocks(None, n),
    "whisper": lambda n: make.whisper_layers(make.random.Random(1), n),
    "vae": lambda n: make.autoencoder_levels(make.random.Random(1), n),
    "clip_vision": lambda n: make.clip_layers(make.random.Random(1), n),
}


@pytest.mark.parametrize("key", DEEP)
def test_depths_beyond_the_published_network_are_not_built(key, tmp_path, monkeypatch):
    published = max(len(key_map.shapes) for key_map in key_maps.NETWORKS[key].key_maps())
    built, real = [], key_maps.KeyMap

    def counted(shapes, *rest, **options):
        built.append(len(shapes))
        return real(shapes, *rest, **options)

    monkeypatch.setattr(key_maps, "KeyMap", counted)
    for n in (70, 700, 7000):
        (tmp_path / f"{n}.safetensors").write_bytes(DEEP[key](n))
        assert Catalogue().networks(tmp_path / f"{n}.safetensors") == frozenset()
    assert built and max(built) <= max(published, UNET_TENSORS)


@pytest.mark.parametrize("key", ["unet", "whisper", "vae", "clip_vision"])
def test_the_published_depths_are_within_the_limits(key):
    for key_map in key_maps.NETWORKS[key].key_maps():
        entries = {name: Entry(torch.float16, shape, 0) for name, shape in key_map.shapes.items()}
        assert sizes.sizes_of(key, entries) == sizes.READERS[key](entries)


# The time limit holds inside a file


def test_a_file_that_takes_long_is_left_for_the_next_call(tmp_path, monkeypatch, caplog):
    path = tmp_path / "slow.safetensors"
    path.write_bytes(make.table({f"{i}": make.claimed(1) for i in range(2000)}))
    monkeypatch.setattr(safetensors_header, "entry", lambda *_: time.sleep(0.001) or Entry("X", (1,), 0))
    known, started = Catalogue(), time.monotonic()
    assert known.files_with(["unet"], [path], budget_s=0.2) == []
    assert time.monotonic() - started < 1.0
    assert "Refresh the page's lists" in caplog.text and path not in known._seen


def test_a_file_that_takes_much_processor_time_is_not_tried_again(tmp_path, monkeypatch):
    path = tmp_path / "slow.pth"
    path.write_bytes(make.in_zip({"a/data.pkl": make.PROTOCOL + b"N" * 50_000 + b"."}))
    monkeypatch.setattr(catalogue, "FILE_CPU_S", 0.0)
    known = Catalogue()
    assert known.files_with(["unet"], [path]) == [] and known._known(path, file_state(path))
    with pytest.raises(InputError, match="reading its header takes too long"):
        open_weights(path, TimeLimit(cpu_seconds=0.0))


# Containers of torch.save


def test_reads_of_a_zip_are_bounded_whatever_it_says(tmp_path):
    """A sparse file of 4 GB that says its directory has 3 GB of it."""
    path = tmp_path / "unet.pth"
    with path.open("wb") as out:
        out.write(b"PK\3\4")
        out.seek(4000 << 20)
        out.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 9, 9, 3000 << 20, 1000 << 20, 0))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="^Download unet.pth again"):
            open_weights(path)
        assert tracemalloc.get_traced_memory()[1] < 4e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("offset", [-(2**40), -1, 2**40, 2**70])
def test_a_record_outside_of_the_file_is_refused(offset, tmp_path):
    info = make.zipfile.ZipInfo("archive/data/0")
    info.file_size, info.header_offset = 100, offset
    with (tmp_path / "x").open("wb+") as stream, pytest.raises(torch_container.DamagedFile, match="not at the offset"):
        torch_container.zip_record(stream, 1000, info, torch_container.Storage(torch.float32, "0", 4))


def saved(tmp_path, items: bytes):
    path = tmp_path / "unet.pth"
    path.write_bytes(make.in_zip({"a/data.pkl": make.PROTOCOL + b"}(" + items + b"u.", "a/data/0": b"\0" * 64}))
    return path


def pickled(name: str, count: bytes, sizes_and_strides: bytes) -> bytes:
    tensor = make.TENSOR % (make.STORAGE % (b"0", count), sizes_and_strides)
    return b"X" + struct.pack("<I", len(name)) + name.encode() + tensor


def test_a_tensor_that_repeats_its_data_is_refused(tmp_path):
    """Stride 0: four bytes that would be read as a terabyte."""
    path = saved(tmp_path, pickled("x", b"K\1", b"\x8a\x05\0\0\0\0\x40\x85K\0\x85"))
    with pytest.raises(InputError, match="'x' repeats its data: reading it would take 274877906944 elements"):
        open_weights(path)


def test_a_storage_of_two_lengths_is_refused(tmp_path):
    """The shorter one fits into the file; the longer one reaches behind its end."""
    long = pickled("long", b"M\0\xff", b"M\0\xff\x85K\1\x85")
    short = pickled("short", b"K\4", b"K\4\x85K\1\x85")
    for items in (long + short, short + long):
        with pytest.raises(InputError, match="the data '0' has two types or lengths"):
            open_weights(saved(tmp_path, items))


# What is not a file on disk


def posix_only(kind):
    return pytest.param(kind, marks=pytest.mark.posix("a folder of Windows holds files and folders alone"))


@pytest.mark.parametrize("kind", [*map(posix_only, ["pipe", "device", "socket", "link to a device"]), "folder"])
def test_what_is_not_a_regular_file_is_refused_at_once(kind, tmp_path):
    path = tmp_path / "unet.pth"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link to a device":
        path.symlink_to("/dev/zero")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as unix:
            unix.bind(str(path))  # the file stays
    with pytest.raises(InputError, match=r"^Choose a readable weight file: .*(a folder|a device or pipe)"):
        open_weights("/dev/zero" if kind == "device" else path)


@pytest.mark.posix("names are UTF-16 there, and every name can be written in UTF-8")
def test_a_file_whose_name_is_not_utf8_is_one_sentence(tmp_path, models_folder):
    path = tmp_path / os.fsdecode(b"unet\xff.pth")
    path.write_bytes((models_folder / "sonic/unet.pth").read_bytes())
    file = open_weights(path)
    with pytest.raises(InputError, match="^Rename .*udcff.pth and its folders to names in UTF-8"):
        file.tensor(next(iter(file.entries)))
