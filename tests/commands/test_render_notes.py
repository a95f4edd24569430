"""Notes about the portrait's file reach the user of `sonic render`."""

from types import SimpleNamespace

from PIL import Image

from sonic_nodes.commands import render
from sonic_nodes.engines.settings import PrepareSettings


def test_a_profile_that_is_ignored_is_told_before_other_notes(tmp_path, monkeypatch):
    portrait = tmp_path / "mine.png"
    Image.new("RGB", (64, 64)).save(portrait, icc_profile=b"nonsense" * 40)
    monkeypatch.setattr(render, "read_sound", lambda path: None)
    monkeypatch.setattr(render.pipeline, "prepare", lambda picture, sound, **settings: {"notes": ["another"]})
    request = SimpleNamespace(portrait=str(portrait), speech="", face_mask=None, prepare=PrepareSettings())
    notes = render.prepared(request)["notes"]
    assert notes[0].startswith("Save 'mine.png' again with an sRGB profile") and notes[1:] == ["another"]
