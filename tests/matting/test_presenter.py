"""The person before another background: backdrops, edges that stay steady and follow motion, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from sonic_nodes.errors import InputError, NoFaceError
from sonic_nodes.matting import presenter
from sonic_nodes.matting.backdrop import Backdrop, read_backdrop
from sonic_nodes.matting.presenter import Presenter
from sonic_nodes.media.image import read_picture

HEIGHT, WIDTH = 320, 272


@pytest.fixture(scope="module")
def frame(sample_dir):
    picture = Image.fromarray(read_picture(sample_dir / "portrait.jpg"))
    return np.asarray(picture.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS))


def opacity(frames):
    made = Presenter(Backdrop("transparent"), *frames[0].shape[:2])
    return np.stack([made.frame(frame)[..., 3] for frame in frames]).astype(float) / 255


def second_difference(values, edge):
    return np.abs(values[2:] - 2 * values[1:-1] + values[:-2])[:, edge].mean()


def test_the_person_stays_and_the_background_goes(frame):
    out = Presenter(Backdrop("colour", (0, 177, 64)), HEIGHT, WIDTH).frame(frame)
    alpha = opacity([frame])[0]
    assert 0.3 < alpha.mean() < 0.9 and (alpha > 0.99).mean() > 0.3
    assert np.array_equal(out[alpha == 1], frame[alpha == 1]), "the person's pixels are kept bit for bit"
    assert (out[alpha == 0] == (0, 177, 64)).all() and (alpha[:20, -20:] == 0).all()


def test_a_picture_covers_the_frame_and_is_seen_where_nothing_is_opaque(frame):
    picture = np.random.default_rng(0).integers(0, 256, (60, 100, 3), np.uint8)
    backdrop = Backdrop("picture", picture=picture)
    out = Presenter(backdrop, HEIGHT, WIDTH).frame(frame)
    behind, alpha = backdrop.fitted(HEIGHT, WIDTH).picture, opacity([frame])[0]
    assert behind.shape == frame.shape and np.array_equal(out[alpha == 0], behind[alpha == 0])


def test_a_blurred_background_is_smoother_and_has_no_person_in_it(frame):
    out = Presenter(Backdrop("blur"), HEIGHT, WIDTH).frame(frame).astype(float)
    alpha = opacity([frame])[0]
    away = alpha[:, 1:] + alpha[:, :-1] == 0
    rough = [np.abs(np.diff(a.astype(float), axis=1)).mean(2)[away].mean() for a in (frame, out)]
    assert rough[1] < rough[0] / 2
    assert np.abs(out - frame).mean(2)[alpha == 1].max() == 0


def test_old_background_does_not_shine_through_the_edge(frame):
    """A person of one colour before two backgrounds: the colours at the edge are nearly those of the person."""
    alpha = opacity([frame])[0]
    flat = np.where(alpha[..., None] > 0.5, frame, np.uint8([255, 0, 255])).astype(np.uint8)
    made = Presenter(Backdrop("transparent"), HEIGHT, WIDTH).frame(flat).astype(float)
    edge = (made[..., 3] > 100) & (made[..., 3] < 200)
    magenta = [np.minimum(a[..., 0], a[..., 2])[edge] - a[..., 1][edge] for a in (flat.astype(float), made)]
    assert edge.sum() > 20 and magenta[1].mean() < magenta[0].mean()


def test_noise_makes_the_edge_flicker_less_than_half(frame):
    noise = np.random.default_rng(1).normal(0, 2, (12, *frame.shape))
    frames = np.clip(np.rint(frame + noise), 0, 255).astype(np.uint8)
    single = np.concatenate([opacity([f]) for f in frames])
    steady = opacity(frames)
    edge = ((single > 0.02) & (single < 0.98)).any(0)
    found = second_difference(single, edge), second_difference(steady, edge)
    print(f"flicker: {found[0]:.4f} of single frames, {found[1]:.4f} steady")
    assert found[1] < found[0] / 2


@pytest.mark.parametrize("step_px", [1, 5])
def test_the_edge_follows_motion(frame, step_px):
    """After ten frames of steady motion the opacity is that of the frame alone, within a hundredth of the picture."""
    frames = [np.roll(frame, step_px * i, axis=1) for i in range(10)]
    assert np.abs(opacity(frames)[-1] - opacity(frames[-1:])[0]).mean() < 0.01


def test_a_cut_takes_nothing_over(frame):
    other = np.ascontiguousarray(255 - frame[:, ::-1])
    found = opacity([frame, other])[1]
    assert np.abs(found - opacity([other])[0]).mean() < 0.02


def test_the_same_frames_give_the_same_bits(frame):
    frames = [frame, np.roll(frame, 2, 1)]
    assert np.array_equal(opacity(frames), opacity(frames))


def test_no_person_is_an_error_with_the_remedy():
    empty = np.full((3, 64, 96, 3), 200, np.uint8)
    with pytest.raises(NoFaceError, match="^Choose a picture that shows a person"):
        list(Presenter(Backdrop("blur"), 64, 96).run([empty]))


def test_a_long_clip_without_a_person_ends_early(monkeypatch):
    monkeypatch.setattr(presenter, "SEARCHED_FRAMES", 4)
    empty, made = np.full((1, 64, 96, 3), 200, np.uint8), []
    with pytest.raises(NoFaceError, match="in 4 frames"):
        for chunk in Presenter(Backdrop("blur"), 64, 96).run([empty] * 100):
            made.append(chunk)
    assert len(made) == 3


@pytest.mark.parametrize("text", ["#12345", "#1234567", "#gggggg", "#", "#12 456"])
def test_what_is_no_colour_is_refused(text):
    with pytest.raises(InputError, match="^Write the colour of --background as # and six"):
        read_backdrop(text)


def test_backdrops_that_a_user_writes(tmp_path):
    assert read_backdrop("#0A1fff").colour == (10, 31, 255) and read_backdrop("green").colour == (0, 177, 64)
    assert read_backdrop("transparent").channels == 4 and read_backdrop("blur").channels == 3
    Image.new("RGB", (5, 4), (1, 2, 3)).save(tmp_path / "wall.png")
    assert (read_backdrop(str(tmp_path / "wall.png")).picture == (1, 2, 3)).all()


@pytest.mark.parametrize("content", [None, b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\x00" * 40])
def test_an_unreadable_picture_is_refused(tmp_path, content):
    path = tmp_path / "wall.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="^Write green, #rrggbb, blur, transparent or the name of a picture"):
        read_backdrop(str(path))


def test_a_huge_picture_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "wall.png"
    Image.new("1", (40_000, 10)).save(path)
    with pytest.raises(InputError, match="^Write green"):
        read_backdrop(str(path))


def test_frames_of_another_size_are_refused(frame):
    made = Presenter(Backdrop("blur"), HEIGHT, WIDTH)
    with pytest.raises(InputError, match="^Give frames of one size"):
        made.frame(frame[:-1])
    with pytest.raises(InputError, match="^Choose frames with sides"):
        Presenter(Backdrop("blur"), 9000, 10)


@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (257, 2), (1080, 1920)])
def test_any_shape_is_handled(shape, frame):
    picture = np.asarray(Image.fromarray(frame).resize(shape[::-1]))
    out = Presenter(Backdrop("blur"), *shape).frame(picture)
    assert out.shape == picture.shape
