"""`sonic batch` with inputs and outputs in a store: checked like files, sent once, and no secret told."""

import json
import sys

import pytest

from sonic_nodes.batch import retries
from sonic_nodes.commands.cli import main
from sonic_nodes.media import fetch
from tests.batch.test_webhook import receiver
from tests.commands.test_batch import FAST, is_whole, make_portraits, make_recordings
from tests.tools.fake_store import installed

SECRET = "hunter2"


@pytest.fixture
def store(tmp_path, sample_dir, monkeypatch):
    """Portraits and recordings in a store, and a list of two videos."""
    with installed(tmp_path, monkeypatch) as control:
        for name in make_portraits(tmp_path, sample_dir, 1) + make_recordings(tmp_path, sample_dir, 2, 0.4):
            control.write(f"in/{name}", (tmp_path / name).read_bytes())
        lines = [f"s3://in/face0.png,s3://in/voice{number}.wav,v/{number}.mp4" for number in range(2)]
        (tmp_path / "list.csv").write_text("\n".join(["portrait,speech,output", *lines]), "utf-8")
        monkeypatch.setattr(retries, "FIRST_S", 0.01)
        yield control


def batch(tmp_path, capsys, *options, out="s3://out/videos"):
    """(exit code, report, what was said) of a batch whose state is in `state`."""
    arguments = ["batch", str(tmp_path / "list.csv"), "--out", out, "--state", str(tmp_path / "state")]
    code = main([*arguments, "--workers", "1", "--allow-url", "--json", *FAST, *options])
    said = capsys.readouterr()
    return code, json.loads(said.out) if said.out else None, said.err


def texts_of(folder):
    """All that the batch has written about itself."""
    return "".join(path.read_text("utf-8", "replace") for path in folder.rglob("*") if path.suffix in TEXTS)


TEXTS = (".jsonl", ".json", ".html", ".log", ".facts")


def test_videos_of_a_store_go_to_a_store_once(store, tmp_path, capsys):
    code, report, said = batch(tmp_path, capsys)
    assert (code, report["done"]) == (0, 2), said
    assert [name for name in store.names() if name.startswith("out")] == ["out/videos/v/0.mp4", "out/videos/v/1.mp4"]
    assert all(is_whole(store.root / "objects" / "out/videos/v" / f"{number}.mp4", 0.4) for number in range(2))
    assert not list((tmp_path / "state/outgoing").rglob("*.mp4"))
    page = (tmp_path / "state/report.html").read_text("utf-8")
    assert "s3://in/face0.png" in page and "s3://in/voice1.wav" in page
    puts, opens = store.calls("put"), store.calls("open")
    code, report, _ = batch(tmp_path, capsys)
    assert (code, report["done"], report["skipped"]) == (0, 0, 2)
    assert (store.calls("put"), store.calls("open")) == (puts, opens)
    (store.root / "objects/out/videos/v/1.mp4").unlink()
    code, report, _ = batch(tmp_path, capsys)
    assert (code, report["done"], report["skipped"], store.calls("put")) == (0, 1, 1, puts + 1)


def test_a_video_that_could_not_be_sent_is_not_made_again(store, tmp_path, capsys):
    store.fail("put", 403, 99)
    code, report, said = batch(tmp_path, capsys)
    assert code == 6 and [problem["kind"] for problem in report["problems"]] == ["output"] * 2
    assert "Give the account of the environment the right" in said and SECRET not in said
    kept = sorted((tmp_path / "state/outgoing/v").glob("*.mp4"))
    assert len(kept) == 2
    contents = [path.read_bytes() for path in kept]
    store.heal()
    code, report, said = batch(tmp_path, capsys)
    assert (code, report["done"]) == (0, 2), said
    sent = [(store.root / "objects/out/videos/v" / path.name).read_bytes() for path in kept]
    records = [json.loads(line) for line in (tmp_path / "state/journal.jsonl").read_text("utf-8").splitlines()]
    assert sent == contents and [r["seconds"] for r in records if r["event"] == "done"] == [0.0, 0.0]
    assert [r["frames"] for r in records if r["event"] == "done"] == [10, 10]


def test_an_input_that_is_not_there_is_a_bad_row(store, tmp_path, capsys):
    with open(tmp_path / "list.csv", "a", encoding="utf-8") as file:
        file.write(f"\ns3://in/missing.png,s3://in/voice0.wav,b.mp4\ns3://u:{SECRET}@in/a.png,a,c.mp4\n")
        file.write(f"http://127.0.0.1:9/a.png?sig={SECRET},s3://in/voice0.wav,d.mp4\n")
    code, report, said = batch(tmp_path, capsys, "--check-only", "--skip-bad")
    assert code == 3 and [problem["row"] for problem in report["problems"]] == [4, 5, 6]
    errors = [problem["error"] for problem in report["problems"]]
    assert errors[0].startswith("Check the address: 's3://in/missing.png' does not exist")
    assert errors[1].startswith("Leave user name and password out of portrait")
    assert errors[2].startswith("Give a public address") and "127.0.0.1" in errors[2]
    assert SECRET not in said + json.dumps(report) + texts_of(tmp_path / "state")


def test_a_redirect_inwards_is_refused(store, tmp_path, capsys, monkeypatch):
    """A name that the resolver says is public, and a server behind it that points to this machine."""
    asked = []

    def visit(self, url):
        asked.append(url)
        return (None, "http://inside.example/a") if len(asked) == 1 else real(self, url)

    real = fetch._Download.visit
    monkeypatch.setattr(fetch._Download, "visit", visit)
    monkeypatch.setattr(fetch, "addresses_of", lambda host, port: ["172.16.0.1"])
    (tmp_path / "list.csv").write_text("portrait,speech\nhttps://a.example/p.png,s3://in/voice0.wav\n", "utf-8")
    code, report, _ = batch(tmp_path, capsys, "--check-only", "--skip-bad")
    assert code == 3 and asked == ["https://a.example/p.png"]
    assert report["problems"][0]["error"].startswith("Give the file's final address: 'https://a.example/p.png'")
    asked.clear()
    (tmp_path / "list.csv").write_text("portrait,speech\nhttp://a.example/p.png,s3://in/voice0.wav\n", "utf-8")
    code, report, _ = batch(tmp_path, capsys, "--check-only", "--skip-bad")
    assert code == 3 and asked == ["http://a.example/p.png", "http://inside.example/a"]
    assert "'inside.example' is 172.16.0.1, which is private or reserved" in report["problems"][0]["error"]


def test_local_outputs_of_inputs_in_a_store(store, tmp_path, capsys):
    code, report, said = batch(tmp_path, capsys, out=str(tmp_path / "here"))
    assert (code, report["done"]) == (0, 2), said
    assert is_whole(tmp_path / "here/v/0.mp4", 0.4) and store.calls("put") == 0


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (["--out", "s3://out"], "Name a folder on a local disk with --state"),
        (["--out", f"s3://u:{SECRET}@out", "--state", "x"], "Leave user name and password out of --out"),
        (["--out", "https://host.example/", "--state", "x"], "Give --out as a folder, or as s3://"),
    ],
)
def test_options_that_name_no_store(store, tmp_path, capsys, options, remedy):
    assert main(["batch", str(tmp_path / "list.csv"), *options]) == 2
    said = capsys.readouterr().err
    assert remedy in said and SECRET not in said


def test_without_leave_no_address_of_a_list_is_asked(store, tmp_path, capsys):
    code = main(["batch", str(tmp_path / "list.csv"), "--out", str(tmp_path / "here"), "--check-only", *FAST])
    said = capsys.readouterr().err
    assert code == 3 and "row 2: Add --allow-url to load files from addresses" in said
    assert store.calls("info") == store.calls("open") == 0


def test_the_webhook_is_told_where_a_video_is(store, tmp_path, capsys):
    with receiver() as (url, requests):
        code, report, said = batch(tmp_path, capsys, "--webhook", url)
    assert (code, report["done"]) == (0, 2), said
    messages = [json.loads(body) for _, _, body in requests]
    told = [message["upload"]["url"] for message in messages if message["event"] == "done"]
    assert sorted(told) == ["s3://out/videos/v/0.mp4", "s3://out/videos/v/1.mp4"]


def test_a_store_that_may_not_be_written_stops_before_the_first_video(store, tmp_path, capsys):
    store.fail("pipe", 403)
    code, report, said = batch(tmp_path, capsys)
    assert (code, report) == (6, None) and "Give the account of the environment the right" in said
    assert store.calls("open") == 0


def test_files_alone_import_no_package_of_stores(tmp_path, sample_dir, capsys, monkeypatch):
    make_portraits(tmp_path, sample_dir, 1)
    make_recordings(tmp_path, sample_dir, 1, 0.4)
    (tmp_path / "list.csv").write_text("portrait,speech\nface0.png,voice0.wav\n", "utf-8")
    monkeypatch.setitem(sys.modules, "fsspec", None)  # an import raises
    code, report, said = batch(tmp_path, capsys, "--check-only", out=str(tmp_path / "here"))
    assert (code, report["waiting"]) == (0, 1), said
    (tmp_path / "list.csv").write_text("portrait,speech\ns3://in/face0.png,voice0.wav\n", "utf-8")
    code, report, said = batch(tmp_path, capsys, "--check-only", out=str(tmp_path / "here"))
    assert code == 7 and "Install what s3:// needs: `pip install s3fs`" in said
