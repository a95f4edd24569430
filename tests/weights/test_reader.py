"""Weight files: the same tensors as PyTorch and safetensors read, nothing executed, one sentence for every kind of
damage."""

import json
import os
import pickle
import random
import struct
import zipfile

import pytest
import torch
from safetensors.torch import load_file, save_file

from sonic_nodes.errors import InputError, SonicError
from sonic_nodes.weights.reader import open_weights
from tests.oracles.system import peak_memory


def sample(dtype=torch.float16):
    generator = torch.Generator().manual_seed(5)
    tensors = {f"layers.{i}.weight": torch.randn(3 + i, 5, generator=generator).to(dtype) for i in range(4)}
    return tensors | {"bias": torch.arange(7, dtype=torch.float32), "empty": torch.zeros(0, 3)}


def save_safetensors(tensors, path):
    save_file(tensors, path)


def save_zip(tensors, path):
    torch.save(tensors, path)


def save_legacy(tensors, path):
    torch.save(tensors, path, _use_new_zipfile_serialization=False)


FORMATS = [save_safetensors, save_zip, save_legacy]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("save", FORMATS)
def test_same_tensors_whatever_the_suffix(save, dtype, tmp_path):
    path, tensors = tmp_path / "weights.whatever", sample(dtype)
    save(tensors, path)
    file = open_weights(path)
    assert file.entries.keys() == tensors.keys()
    for name, expected in tensors.items():
        got = file.tensor(name)
        assert got.dtype == expected.dtype and torch.equal(got, expected)


@pytest.mark.parametrize("save", [save_zip, save_legacy])
def test_state_dict_of_a_module_with_views_and_shared_tensors(save, tmp_path):
    module = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6), torch.nn.Linear(6, 6))
    module[2].weight = torch.nn.Parameter(torch.randn(6, 6).t())
    state = module.state_dict() | {
        "slice": module[0].weight.detach()[1:4, ::2],
        "parameter": module[0].bias,
        "same": module[0].weight,
    }
    save(state, tmp_path / "a.pth")
    file = open_weights(tmp_path / "a.pth")
    expected = torch.load(tmp_path / "a.pth", weights_only=True)
    assert file.entries.keys() == expected.keys()
    for name in expected:
        assert torch.equal(file.tensor(name), expected[name]), name


def test_unaligned_tensors_are_read(tmp_path):
    header = json.dumps({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    header += b" " * (-len(header) % 4 + 1)
    (tmp_path / "a").write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<ff", 1.5, -2))
    assert open_weights(tmp_path / "a").tensor("x").tolist() == [1.5, -2]


def test_memory_is_mapped_not_read(tmp_path):
    """A file of 1.5 GB opens and gives a tensor without its pages being read."""
    size = 1_500_000_000
    header = json.dumps({"x": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    path = tmp_path / "large.safetensors"
    with path.open("wb") as out:
        out.write(struct.pack("<Q", len(header)) + header)
        out.truncate(8 + len(header) + size)
    before = peak_memory()
    assert open_weights(path).tensor("x")[-1] == 0
    assert peak_memory() - before < 100_000_000


# Nothing is executed


class Hostile:
    """A pickle that writes a file when it is loaded."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def hostile_pickles(mark):
    write = f'echo > "{mark}"'  # for the shells of every system
    return {
        "os.system": Hostile(os.system, write),
        "eval": Hostile(eval, f"open({str(mark)!r}, 'w')"),
        "open": Hostile(open, str(mark), "w"),
        "in a dictionary": {"conv_in.weight": torch.zeros(3), "x": Hostile(os.system, write)},
        "os.mkdir in a list": {"a": [1, Hostile(os.mkdir, str(mark))]},
    }


@pytest.mark.parametrize("container", ["zip", "legacy", "bare pickle"])
@pytest.mark.parametrize("kind", hostile_pickles(""))
def test_hostile_pickle_does_not_run(kind, container, tmp_path):
    mark, path = tmp_path / "mark", tmp_path / "unet.pth"
    hostile = hostile_pickles(mark)[kind]
    if container == "bare pickle":
        path.write_bytes(pickle.dumps(hostile, protocol=2))
    else:
        torch.save(hostile, path, _use_new_zipfile_serialization=container == "zip")
    with pytest.raises(InputError, match=r"^Download unet.pth again .*it was not executed"):
        open_weights(path)
    assert not mark.exists()
    torch.load(path, weights_only=False) if container != "bare pickle" else pickle.loads(path.read_bytes())
    assert mark.exists(), "the file is harmless: the test proves nothing"


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_is_not_run(tmp_path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "yoloface_v5m.pt")
    with pytest.raises(InputError, match="TorchScript program.*programs are not executed"):
        open_weights(tmp_path / "yoloface_v5m.pt")


# Damage


def write_table(path, table, data=b"\0" * 64, length=None):
    header = table if isinstance(table, bytes) else json.dumps(table).encode()
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + data)


def tensor(begin, end, shape=(4,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    "table, length, expected",
    [
        ({"x": tensor(0, 16)}, 2_000_000_000, "2000000000 bytes, above the limit"),
        ({"x": tensor(0, 16)}, 2**63, "above the limit"),
        ({"x": tensor(0, 16)}, 1_000_000, "the whole file has"),
        ({"x": tensor(56, 72)}, None, "outside the file"),
        ({"x": tensor(0, 16), "y": tensor(8, 24)}, None, "overlap"),
        ({"x": tensor(16, 0)}, None, "outside the file"),
        ({"x": tensor(0, 12)}, None, "its shape .4. needs 16"),
        ({"x": tensor(-16, 0)}, None, "invalid values"),
        ({"x": tensor(0, 16, (2**40, 2**40))}, None, "needs"),
        ({"x": tensor(0, 16, [1] * 9)}, None, "at most 8"),
        ({"x": tensor(0, 16, (4.0,))}, None, "invalid values"),
        ({"x": tensor(0, 16, (True,))}, None, "invalid values"),
        ({"x": {"dtype": "F32", "shape": [4], "data_offsets": [0]}}, None, "outside the file"),
        ({"x": {"dtype": "F32", "shape": [4]}}, None, "is not a list"),
        ({"x": 3}, None, "no valid entry"),
        ({"x": {"dtype": ["F32"]}}, None, "no valid entry"),
        (b'{"x": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}, "x": {}}', None, "duplicate name"),
        (b"{" + b"[" * 100_000, None, "not JSON"),
        (b'{"a": ' * 50_000 + b"1" + b"}" * 50_000, None, "not JSON"),
        (b'{"x": ' + b"9" * 10_000 + b"}", None, "not JSON"),
        (b"{\xff\xfe}", None, "not JSON"),
    ],
)
def test_bad_safetensors_table(table, length, expected, tmp_path):
    path = tmp_path / "unet.safetensors"
    write_table(path, table, length=length)
    with pytest.raises(InputError, match=rf"^Download unet.safetensors again.*{expected}"):
        open_weights(path)


def test_unknown_type_is_a_sentence(tmp_path):
    write_table(tmp_path / "unet.safetensors", {"x": tensor(0, 4, dtype="F8_E4M3")})
    file = open_weights(tmp_path / "unet.safetensors")
    with pytest.raises(
        InputError, match="^Convert unet.safetensors to fp16, bf16 or fp32: its 'x' has the type F8_E4M3"
    ):
        file.tensor("x")


@pytest.mark.parametrize(
    "content, expected",
    [
        (b"", "it is empty"),
        (b"abc", "it has only 3 bytes"),
        (b"<!DOCTYPE html><html>" + b" " * 50, "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "it is a git-lfs pointer"),
        (b"\x1f\x8b" + b"0" * 50, "extract it"),
        (b"\x7fELF" + b"0" * 50, "none of the supported formats"),
        (b"PK\x03\x04" + b"0" * 50, "zip directory is invalid"),
        (b"\x80\x02" + b"0" * 50, "pops more values than it has"),
        (b"\x80\x02" + b"\xff" * 50, "its pickle is invalid"),
        (b"\x80\x02]q\x00." * 5 + b"0" * 20, "not one that PyTorch writes"),
    ],
)
def test_other_files(content, expected, tmp_path):
    path = tmp_path / "unet.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"^Download unet.pth again from its source: .*{expected}"):
        open_weights(path)


def test_absent_and_folder(tmp_path):
    with pytest.raises(InputError, match="^Put the weight file at .*nothing.pth, or choose another"):
        open_weights(tmp_path / "nothing.pth")
    with pytest.raises(InputError, match="^Choose a readable weight file"):
        open_weights(tmp_path)


@pytest.mark.parametrize("change", ["removed", "cut"])
def test_file_that_changes_after_it_was_opened(change, tmp_path):
    save_zip(sample(), tmp_path / "a.pth")
    file = open_weights(tmp_path / "a.pth")
    if change == "cut":
        os.truncate(tmp_path / "a.pth", 100)
    else:
        (tmp_path / "a.pth").unlink()
    with pytest.raises(InputError, match="^Leave .*a.pth in place while it is in use"):
        file.tensor("bias")


@pytest.mark.parametrize("save", FORMATS)
def test_truncated_anywhere(save, tmp_path):
    save(sample(), tmp_path / "whole")
    data = (tmp_path / "whole").read_bytes()
    path = tmp_path / "cut.pth"
    for length in sorted({0, 1, 7, 8, 9, 15, 16, 17, *range(20, len(data), 97), len(data) - 1}):
        path.write_bytes(data[:length])
        with pytest.raises(InputError, match=r"^Download cut.pth again"):
            open_weights(path)


def test_zip_bomb_and_wrong_records(tmp_path):
    path = tmp_path / "unet.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 50_000_000)
    with pytest.raises(InputError, match="has 50000000 bytes or is compressed"):
        open_weights(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pictures/cat.jpg", b"\xff")
    with pytest.raises(InputError, match="without PyTorch's data.pkl"):
        open_weights(path)


def test_tensor_beyond_its_storage(tmp_path):
    """The pickle asks for more numbers than its record has."""
    torch.save({"x": torch.zeros(10)}, tmp_path / "good.pth")
    with zipfile.ZipFile(tmp_path / "good.pth") as good, zipfile.ZipFile(tmp_path / "bad.pth", "w") as bad:
        for info in good.infolist():
            data = good.read(info)
            bad.writestr(
                info.filename, data.replace(b"K\n\x85", b"K\x0b\x85") if info.filename.endswith("data.pkl") else data
            )
    with pytest.raises(InputError, match="'x' reaches beyond its data"):
        open_weights(tmp_path / "bad.pth")


@pytest.mark.parametrize("save", FORMATS)
def test_mutated_files(save, tmp_path):
    """400 mutations of each format: the tensors can be read, or one sentence says why not."""
    save(sample(), tmp_path / "whole")
    whole, draw, refused = (tmp_path / "whole").read_bytes(), random.Random(1), 0
    for number in range(400):
        path = tmp_path / str(number) / "mutated.pth"  # Windows does not overwrite a file that is mapped
        path.parent.mkdir()
        data = bytearray(whole)
        for _ in range(draw.choice([1, 1, 2, 8])):
            at = draw.choice([draw.randrange(len(data)), draw.randrange(min(400, len(data)))])
            data[at : at + draw.choice([0, 1, 1, 1, 4])] = draw.randbytes(draw.choice([0, 1, 1, 1, 4]))
        path.write_bytes(data)
        try:
            file = open_weights(path)
            for name, entry in file.entries.items():
                if isinstance(entry.dtype, torch.dtype):
                    assert file.tensor(name).shape == entry.shape
        except SonicError as error:
            refused += 1
            assert (
                str(error).startswith("Download mutated.pth again") and "\n" not in str(error) and len(str(error)) < 600
            )
    assert refused > 50


def test_agrees_with_the_safetensors_library(golden_dir):
    for path in sorted(golden_dir.glob("*.safetensors"))[:3]:
        file, expected = open_weights(path), load_file(path)
        assert file.entries.keys() == expected.keys()
        assert all(torch.equal(file.tensor(name), expected[name]) for name in expected)
