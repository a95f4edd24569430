"""Facts of a JPEG file: csrc/gate/jpeg.h."""

import numpy as np
import pytest

from sonic_nodes.errors import InputError
from sonic_nodes.gate.check import evidence_of_container
from tests.oracles.jpegs import jpeg


@pytest.mark.parametrize("quality", [5, 20, 40, 75, 90, 100])
def test_quality_and_standard_table(clean, quality):
    facts = evidence_of_container(jpeg(clean, quality))
    assert (facts["luma_quality"], facts["luma_standard"], facts["chroma_standard"]) == (quality, 1, 1)


def test_a_custom_table_is_not_standard(clean):
    facts = evidence_of_container(jpeg(clean, None, qtables=[[24] * 64, [30] * 64]))
    assert facts["luma_standard"] == 0
    assert 20 <= facts["luma_quality"] <= 60


@pytest.mark.parametrize(("subsampling", "factors"), [(0, (1, 1)), (1, (2, 1)), (2, (2, 2))])
def test_subsampling(clean, subsampling, factors):
    facts = evidence_of_container(jpeg(clean, 80, subsampling))
    assert (facts["horizontal"], facts["vertical"]) == factors


def test_progressive(clean):
    assert evidence_of_container(jpeg(clean, 80, progressive=True))["progressive"] == 1
    assert evidence_of_container(jpeg(clean, 80))["progressive"] == 0


@pytest.mark.parametrize(("first", "last"), [(30, 75), (40, 75), (40, 95), (50, 85)])
def test_a_coarser_primary_compression_is_found_in_the_coefficients(saved, first, last):
    facts = evidence_of_container(jpeg(saved(first), last))
    assert facts["luma_quality"] == last
    assert abs(facts["earlier_quality"] - first) <= 2


@pytest.mark.parametrize("quality", [20, 40, 60, 75, 90, 95])
def test_a_single_compression_has_no_primary_one(clean, quality):
    assert evidence_of_container(jpeg(clean, quality))["earlier_quality"] == 0


def test_other_formats_have_no_container():
    assert evidence_of_container(b"\x89PNG\r\n\x1a\n") is None


def test_damaged_headers_are_an_input_error(clean):
    with pytest.raises(InputError, match="^Save the picture again"):
        evidence_of_container(jpeg(clean, 80)[:100])


def test_damaged_data_is_counted(clean):
    data = jpeg(clean, 80)
    assert evidence_of_container(data)["warnings"] == 0
    assert evidence_of_container(data[: len(data) // 2])["warnings"] > 0


def test_a_file_with_thousands_of_scans_is_refused():
    """Each scan of an empty progressive picture takes 12 bytes and costs a pass over all of its pixels."""
    data = jpeg(np.zeros((64, 64, 3), np.uint8), 80, progressive=True)
    start = data.rindex(b"\xff\xda")
    scan = data[start:-2]
    with pytest.raises(InputError, match="scans"):
        evidence_of_container(data[:start] + scan * 3000 + data[-2:])
