"""What of a batch's tasks travels to other machines, and what stays: files, weights, and the key that signs."""

import pickle
from argparse import Namespace
from dataclasses import replace

import pytest

from sonic_nodes.commands import batch_checks, batch_cluster
from sonic_nodes.commands.batch_cluster import WorkerOf, checked_ray, files_of, parcel_of, placed
from sonic_nodes.commands.batch_job import PictureTask, PlanTask, RenderTask, SoundTask
from sonic_nodes.commands.batch_options import row_columns
from sonic_nodes.commands.cli import build_parser, main
from sonic_nodes.commands.render_options import RenderRequest
from sonic_nodes.errors import InstallError, UsageError
from sonic_nodes.provenance.caption import Caption
from sonic_nodes.provenance.signing import Signer

KEY = b"-----BEGIN PRIVATE KEY----- secret"


def request(*options) -> RenderRequest:
    arguments = ["render", "/home/me/face.png", "/home/me/voice.wav", "-o", "/home/me/out/1.mp4", *options]
    return RenderRequest.of(build_parser().parse_args(arguments))


def render_task() -> RenderTask:
    made = request("--face-mask", "/home/me/mask.png", "--background", "/home/me/wall.jpg")
    marks = replace(made.marks, caption=Caption("AI-generated", font="/home/me/letters.otf"))
    return RenderTask(replace(made, marks=marks, signer=Signer(b"chain", KEY, "es256")), "k" * 64, "/home/me/1.log")


def test_each_input_travels_and_is_found_there():
    task = render_task()
    parcel = parcel_of(task)
    assert parcel.inputs == (
        "/home/me/face.png",
        "/home/me/mask.png",
        "/home/me/voice.wav",
        "/home/me/letters.otf",
        "/home/me/wall.jpg",
    )
    there = placed(pickle.loads(parcel.task), {path: f"/tmp/x{path}" for path in parcel.inputs}, "/tmp/v.mp4", "/tmp/l")
    assert files_of(there) == {name: f"/tmp/x{path}" for name, path in files_of(task).items()}
    assert (there.request.output, there.log, there.key) == ("/tmp/v.mp4", "/tmp/l", task.key)
    assert (there.request.seed, there.request.prepare) == (task.request.seed, task.request.prepare)


@pytest.mark.parametrize("background", ["green", "#102030", "blur"])
def test_a_background_that_is_no_file_stays_as_it_is(background):
    task = RenderTask(request("--background", background), "k", "l")
    assert parcel_of(task).inputs == ("/home/me/face.png", "/home/me/voice.wav")
    assert placed(task, dict.fromkeys(parcel_of(task).inputs, "/x"), "o", "l").request.background == background


def test_the_key_never_travels():
    parcel = parcel_of(render_task())
    assert KEY not in parcel.task and pickle.loads(parcel.task).request.signer is None
    assert parcel.finish is not None and parcel_of(RenderTask(request(), "k", "l")).finish is None


def test_a_store_is_written_from_here():
    task = replace(render_task(), target="s3://videos/a.mp4")
    parcel = parcel_of(task)
    assert pickle.loads(parcel.task).target is None
    assert (parcel.upload.target, parcel.upload.key, parcel.upload.output) == (task.target, task.key, parcel.output)


def test_checks_travel_with_what_they_read():
    picture = PictureTask("/a/f.png", None, request().prepare, True, True)
    assert parcel_of(picture).inputs == ("/a/f.png",) and parcel_of(picture).output is None
    assert placed(picture, {"/a/f.png": "/x"}, "o", "l").portrait == "/x"
    assert placed(SoundTask("/a/v.wav"), {"/a/v.wav": "/x"}, "o", "l") == SoundTask("/x")
    plan = PlanTask(request(), 50)
    assert parcel_of(plan).inputs == ("/home/me/face.png",)
    assert placed(plan, {"/home/me/face.png": "/x"}, "o", "l").request.portrait == "/x"


def test_weights_are_named_by_whole_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    task = PlanTask(request("--engine", "sonic", "--models", "models"), 50)
    assert pickle.loads(parcel_of(task).task).request.options.models == str(tmp_path / "models")
    task = PlanTask(request("--engine", "sonic"), 50)
    assert pickle.loads(parcel_of(task).task).request.options.models is None  # each node's own


def test_other_weights_than_at_home_are_refused(monkeypatch):
    monkeypatch.setattr(batch_checks, "weights_of", lambda options: {"/m": "a", None: "b"}[options.models])
    assert WorkerOf("sonic", "a", "/m", None, None)(2).slot.threads == 2
    with pytest.raises(InstallError, match="^Copy the weights"):
        WorkerOf("sonic", "a", None, None, None)(2)


def test_a_numbered_card_means_nothing_on_a_cluster(monkeypatch):
    monkeypatch.setattr(batch_cluster, "check_installed", lambda: None)
    for device in (None, "auto", "cuda", "cpu"):
        checked_ray(Namespace(ray="auto", device=device))
    for device in ("cuda:1", "all", "cuda:0,cuda:1"):
        with pytest.raises(UsageError, match="^Leave out --device"):
            checked_ray(Namespace(ray="auto", device=device))


def test_the_list_is_no_address(capsys):
    assert main(["batch", "--ray", "list.csv", "--out", "out"]) == 2
    assert capsys.readouterr().err.startswith("sonic: Write --ray=HOST:PORT, or --ray alone at the end")
    assert build_parser().parse_args(["batch", "a.csv", "--out", "o", "--ray"]).ray == "auto"
    assert build_parser().parse_args(["batch", "a.csv", "--out", "o"]).ray is None
    assert "ray" not in row_columns()  # no row has a cluster of its own


def test_without_ray_nothing_is_read_and_the_first_line_is_the_command(tmp_path, capsys, monkeypatch):
    def absent():
        raise InstallError("Run `python -m pip install ray`: it is not there.")

    monkeypatch.setattr(batch_cluster, "check_installed", absent)
    assert main(["batch", str(tmp_path / "none.csv"), "--out", str(tmp_path / "out"), "--ray"]) == 7
    assert capsys.readouterr().err.startswith("sonic: Run `python -m pip install")
    assert not (tmp_path / "out").exists()
