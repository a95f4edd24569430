"""Words that were retired stay retired: names of functions, files and phrases that only their authors understood.

CHANGELOG.md may name them (its history), and so may this file and tests/public_names.json, where a public JSON key
still bears one. Ordinary words (stop, row, cell) are not listed: they have good uses.
"""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXEMPT = {"CHANGELOG.md", "tests/test_vocabulary.py", "tests/public_names.json"}

# Identifiers; those that end in "_" are prefixes of identifiers.
IDENTIFIERS = """
sonic_watch sonic_watch_ py_watch watch_begin watch_end watch_raised watched st_shift st_scale st_mix
sonic_meter sonic_meter_ is_foretold foretold foresee stand_in stand_in_elementwise number_like one_as_factors
some_operand sonic_old_glibc generator_of_seed sonic_py_watch_methods sonic_py_post_methods sonic_py_sample_methods
torch_says_why drop_what_was_not_built_here older_than_its_parts
sonic_unet_hear sonic_unet_hear_ sonic_unet_look_ sonic_unet_movies sonic_unet_from_movies sonic_unet_norm_movie
sonic_vae_conv_in_time sonic_sample_run sonic_sample_settings SONIC_SAMPLE_FRAMES_MAX sonic_windows_places
look_over_time look_at_context attend_over_time heard_in image_in_window mean_of_window in_each_frame frames_of_chunk
heard_rows pieces_of PIECE_SAMPLES PIECE_ROWS picture_count with_frames_between savings_off misshapen mark_of what_else
sonic_closures sonic_closures_ sonic_closure_at_frame sonic_spectra_measure sonic_seam sonic_seam_
sonic_motion_of sonic_tooth_line sonic_frame_u sonic_frame_v sonic_cubic_weights SONIC_CELL_SAMPLES
SONIC_CELLS_PER_FRAME look_at_whole look_at_tiles look_closer unturn_pixel grown_interval sonic_mesh_to_picture
sonic_lattice sonic_lattice_ SONIC_LATTICE_ sonic_comb sonic_comb_ SONIC_COMB_ sonic_earlier sonic_earlier_
SONIC_EARLIER_ sonic_cells sonic_cells_ SONIC_CELL_PX SONIC_CELL_ZERO sonic_grid_measure sonic_resized sonic_resized_
sonic_resize_part sonic_shrink sonic_shrink_tile SONIC_SHRINK_ sonic_fit SONIC_FIT_ sonic_steps_find
sonic_component_enlarge SONIC_EVIDENCE_FIELDS old_figures row_of rows_of hidden_in coarsest_certain believed
said_of
sonic_sync_ SONIC_SYNC_ sonic_guard_ sonic_planes_ sonic_rests_ SONIC_RESTS_ sonic_smooth_tell sonic_noise_take
sonic_noise_even mending find_mending expect_people trust_lost cells_of is_sure heard_at moved_rows write_moved
whole_file in_words replaced_video copied_sound fed_sound tags_of as_shown CELLS_PER_S MOST_CELLS
duration_words SURE_AFTER_S put_levels ManagedModels with_connected ConnectedWeights mendMinScore
FPS_LATENT FPS_PICTURE done_with make_room bar_of engine_of details_of EXIT_NOT_READ KEPT_BYTES FULL_RATE
""".split()

# File and folder names, as they would be written in an include, an import or a page.
PATHS = """
csrc/python csrc/post csrc/model/ csrc/sample/ post/smooth_ post/sync_ gate/repair_ core/watch core/old_glibc
draft/closures draft/seam draft/field draft/voice_ draft/sample.h gate/comb gate/lattice gate/earlier gate/cells
gate/grid gate/resized model/unet_parts torch/stand_in torch/in_place torch/networks torch/meter
sonic_nodes/watch sonic_nodes/foresee sonic_nodes/networks sonic_nodes/exchange sonic_nodes/model/ sonic_nodes/sync/
nodes/parts nodes/managed nodes/connected nodes/sonict gate/old_rule gate/row gate/words media/pictures engines/recent
docs/post.md bench/closures bench/face_oracle bench/mesh_reader rig_parts.h sample/sample_operators
""".split()

PHRASES = """
way of the data
nobody's guess
hear the mean
taken back where
what moves is not taken for what stands
no hand's path
turned as its EXIF
reading behind its end
whose truth is exact
plan is foretold
taken at its word
wander off
vouches for
turned by quarters
special position
steps found one by one
brought back to
multiplies nothing
a note of Git LFS
lie over one another
a name stands twice
none of Sonic's
listening to the recording
the first was taken
swims and pulls
as its own words
nobody reads on
ways out
people stand in
shake told
""".strip().splitlines()


NAMES = {name for name in IDENTIFIERS if not name.endswith("_")}
PREFIXES = tuple(name for name in IDENTIFIERS if name.endswith("_"))


def retired_in(text: str) -> list[str]:
    """The retired words that a text holds."""
    words = set(re.findall(r"\w+", text))
    plain = re.sub(r"[\s*#/]+", " ", text.lower())  # a phrase may be wrapped in a comment
    return [
        *sorted(words & NAMES),
        *sorted(
            {prefix for word in words if word.startswith(PREFIXES) for prefix in PREFIXES if word.startswith(prefix)}
        ),
        *(path for path in PATHS if path in text and holds_path(path, text)),
        *(phrase for phrase in PHRASES if phrase.lower() in plain),
    ]


def holds_path(path: str, text: str) -> bool:
    """As a path of its own, not as the middle of a longer one."""
    return re.search(rf"(?<![\w/]){re.escape(path)}" + ("" if path[-1] in "/_" else r"\b"), text) is not None


def tracked_texts():
    """(path, text) of every tracked text file."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file() and not name.startswith("tests/fuzz/corpus/") and name not in EXEMPT:
            data = path.read_bytes()
            if b"\0" not in data[:4096]:
                yield name, data.decode("utf-8", "replace")


def test_no_file_holds_a_retired_word():
    try:
        texts = list(tracked_texts())
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("the files under version control are not known: git or the repository is absent")
    assert len(texts) > 300
    found = [f"{name}: {retired}" for name, text in texts for retired in (retired_in(text) + retired_in(name))]
    assert found == []


@pytest.mark.parametrize(
    ("text", "retired"),
    [
        ("    sonic_watch_begin(&w);", ["sonic_watch_"]),
        ('#include "gate/comb.h"', ["gate/comb"]),
        ("the mean, nobody's\n * guess", ["nobody's guess"]),
        ("nobody's\nguess", ["nobody's guess"]),
        ("a stopwatch, a row of cells, st_scaled", []),
    ],
)
def test_a_planted_word_is_found(text, retired):
    assert retired_in(text) == retired
