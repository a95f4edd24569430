"""Names of files as Windows takes them, judged on every system; on Windows itself also by what happens."""

import ntpath
import os
import sys

import pytest

from sonic_nodes.errors import OutputError
from sonic_nodes.media import files, frame_folder
from sonic_nodes.media.file_names import allowed_stem, is_device, output_problem, shown_path, system_path
from sonic_nodes.media.files import atomic_write, new_folders
from sonic_nodes.media.frame_folder import FrameFolder

on_windows = pytest.mark.skipif(os.name != "nt", reason="what Windows itself does: run this test there, or under Wine")
GOOD = {
    "spaces": r"C:\My Videos\first clip.mp4",
    "Chinese": "D:\\视频\\说话的人.mp4",
    "emoji": "D:\\\U0001f600\\a\U0001f1e9\U0001f1ea.mp4",
    "mixed slashes": "C:/videos\\new/clip.mp4",
    "relative to the drive": "C:clip.mp4",
    "UNC": r"\\server\share$\clip.mp4",
    "UNC, slashes": "//server/share/clip.mp4",
    "long form": r"\\?\C:\videos\clip.mp4",
    "long form of UNC": r"\\?\UNC\server\share\clip.mp4",
    "volume": r"\\?\Volume{01234567-89ab-cdef-0123-456789abcdef}\clip.mp4",
    "parent": r"..\clip.mp4",
    "dots": "a.b..c.mp4",
    "begins with a dot": ".clip.mp4",
    "like a device": "console.mp4",
    "255 characters": "x" * 251 + ".mp4",
}
BAD = {
    "colon": ("clip:1.mp4", "':'"),
    "stream": (r"C:\a\clip.mp4:hidden", "':'"),
    "data stream": ("clip.mp4::$DATA", "':'"),
    "question": ("who?.mp4", "'?'"),
    "star": ("*.mp4", "'*'"),
    "quote": ('C:\\videos" --json', "'\"'"),
    "less": ("a<b.mp4", "'<'"),
    "more": ("a>b.mp4", "'>'"),
    "bar": ("a|b.mp4", "'|'"),
    "tab": ("a\tb.mp4", "'\\t'"),
    "NUL character": ("a\0b.mp4", "NUL character"),
    "device": ("NUL", "device"),
    "device with an ending": (r"C:\x\lpt1.txt", "device"),
    "device with a space": ("aux .mp4", "device"),
    "device as a folder": (r"C:\con\clip.mp4", "'con'"),
    "device path": (r"\\.\COM1", "device"),
    "pipe": (r"\\.\pipe\clip.mp4", "device"),
    "whole disk": (r"\\.\PhysicalDrive0", "device"),
    "whole volume": (r"\\?\C:", "device"),
    "path of the kernel": (r"\??\pipe\x", "device"),
    "global root": (r"\\?\GLOBALROOT\Device\Null", "device"),
    "dot at the end": ("clip.mp4.", "ends in a dot or space"),
    "space at the end": ("clip.mp4 ", "ends in a dot or space"),
    "folder with a dot": (r"C:\videos.\clip.mp4", "ends in a dot or space"),
    "256 characters": ("x" * 252 + ".mp4", "more than 255 characters"),
    "128 emoji": ("\U0001f600" * 128, "more than 255 characters"),
}


@pytest.mark.parametrize("kind", GOOD)
def test_names_that_can_be(kind):
    assert output_problem(GOOD[kind], windows=True) is None


@pytest.mark.parametrize("kind", BAD)
def test_names_that_cannot_be(kind):
    name, words = BAD[kind]
    assert words in output_problem(name, windows=True)
    assert (output_problem(name, windows=False) is None) is ("\0" not in name)


def test_a_refused_name_is_one_sentence_before_anything_is_made(tmp_path, monkeypatch):
    """The name is given as the user wrote it: made absolute, Windows would have dropped what is wrong with it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files, "output_problem", lambda name: output_problem(name, True))
    monkeypatch.setattr(frame_folder, "output_problem", lambda name: output_problem(name, True))
    for name in ("a?.png", "a.png.", "NUL.png", "ab:c.png"):
        with pytest.raises(OutputError, match=r"^Choose another file name: '") as refused, atomic_write(name):
            pytest.fail("opened")
        assert repr(name) in str(refused.value)
    with pytest.raises(OutputError, match="^Choose another folder for --frames: .* ends in a dot or space"):
        FrameFolder.check("frames.")
    assert os.listdir() == []


def test_long_paths_get_the_form_without_a_limit():
    """MAX_PATH counts what is made beside the output too."""
    folder = "C:\\" + "\\".join(["folder"] * 40)
    assert system_path(folder, windows=True) == "\\\\?\\" + folder
    assert system_path(folder.replace("\\", "/") + "/x/../a", windows=True) == "\\\\?\\" + folder + "\\a"
    assert system_path("\\\\server\\share" + folder[2:], windows=True) == "\\\\?\\UNC\\server\\share" + folder[2:]
    for kept in (r"C:\short\a.mp4", "a.mp4", "\\\\?\\" + folder, folder):
        assert system_path(kept, windows=kept is not folder) == kept
    for path in (folder, "\\\\server\\share" + folder[2:], r"C:\a"):
        assert shown_path(system_path(path, windows=True, always=True)) == ntpath.normpath(path)


def test_what_is_made_beside_a_short_path_stays_below_the_limit():
    """The longest path that stays as it is, with a temporary folder and a frame, has fewer than 260 characters."""
    folder = "C:\\" + "x" * 184
    assert system_path(folder, windows=True) == folder
    assert len(folder + "\\.sonic-01234567-0123456789abcdef\\output.kept\\1000000.png") < 260
    assert len(folder + "\\.sonic-01234567-0123456789abcdef") < 248  # a folder's


@pytest.mark.parametrize("stem", ["a:b", "C:evil", "..\\..\\x", "why?", 'say "hi"', "a/b", "tab\there"])
def test_names_made_of_other_names_stay_in_their_folder(stem):
    made = allowed_stem(stem, windows=True) + "_heat.png"
    assert output_problem(made, windows=True) is None
    assert ntpath.dirname(ntpath.join("D:\\out", made)) == "D:\\out"


def test_names_made_of_other_names_are_not_too_long():
    made = allowed_stem("\U0001f600" * 63) + "_repaired_1000.png"
    assert len(os.fsencode(made)) <= 255
    assert allowed_stem("\u4e2d" * 76) == "\u4e2d" * 76  # 228 bytes: kept


@pytest.mark.parametrize("missing", ["Q:\\videos\\new", "\\\\nobody\\share\\new"])
def test_a_drive_that_is_not_there(monkeypatch, missing):
    """The folder above `Q:\\` is `Q:\\`."""
    for module in (files, frame_folder):
        monkeypatch.setattr(module, "system_path", lambda path: path)
    if os.name != "nt":
        for name in ("abspath", "dirname", "join"):
            monkeypatch.setattr(os.path, name, getattr(ntpath, name) if name != "abspath" else lambda path: path)
        for name in ("isdir", "lexists", "exists"):
            monkeypatch.setattr(os.path, name, lambda path: False)
        for name in ("mkdir", "makedirs"):
            monkeypatch.setattr(os, name, lambda path, *a, **k: (_ for _ in ()).throw(FileNotFoundError(2, "no", path)))
    with pytest.raises(OSError), new_folders(missing):
        pytest.fail("made")
    with pytest.raises(OutputError, match="^Choose another folder for --frames"):
        FrameFolder.check(missing)


@pytest.mark.parametrize("path", [r"\\.\pipe\x", "//./COM3", r"\\.\C:", r"\\?\GLOBALROOT\x", "C:\\x\\nul", "PRN.jpg"])
def test_devices_are_refused_before_they_are_opened(path):
    assert is_device(path, windows=True) and not is_device(path, windows=False)


@pytest.mark.parametrize("path", [r"\\?\C:\x.png", r"\\.\C:\x.png", r"\\?\UNC\s\d\x.png", r"\\server\share\x.png"])
def test_files_by_their_long_form_are_none(path):
    assert not is_device(path, windows=True)


@on_windows
def test_long_paths_are_written_and_read(tmp_path):
    folder = tmp_path.joinpath(*["folder of forty characters, no fewer....x"] * 8)
    with new_folders(folder):
        pass
    with atomic_write(folder / "视频 \U0001f600.bin") as file:
        file.write(b"whole")
    with files.open_regular(folder / "视频 \U0001f600.bin") as file:
        assert file.read() == b"whole"
    assert os.listdir(system_path(folder, always=True)) == ["视频 \U0001f600.bin"]


@on_windows
@pytest.mark.parametrize("kind", [kind for kind in GOOD if kind in ("dots", "begins with a dot", "like a device")])
def test_good_names_are_written(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    with atomic_write(GOOD[kind]) as file:
        file.write(b"1")
    assert os.listdir() == [GOOD[kind]]


@pytest.mark.skipif(sys.platform != "linux", reason="a path that Linux can have and Windows cannot")
def test_elsewhere_nothing_changes(tmp_path):
    odd = tmp_path / ("a:b?c*. " + "x" * 200)
    with atomic_write(odd) as file:
        file.write(b"1")
    assert system_path(odd, always=True) == str(odd) and odd.read_bytes() == b"1"
