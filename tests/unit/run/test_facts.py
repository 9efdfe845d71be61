"""What a plan is told of the machine."""

from __future__ import annotations

import pytest

from openhcs.errors import InvalidPath
from openhcs.ledger.output import check_apart
from openhcs.run.facts import gather


def test_space_is_asked_where_the_output_will_lie_and_only_before_it_is_begun(tmp_path):
    assert gather(str(tmp_path / "not" / "there" / "out")).free_bytes > 0
    (tmp_path / "out" / ".openhcs").mkdir(parents=True)
    assert gather(str(tmp_path / "out")).free_bytes is None
    (tmp_path / ".p.zarr.openhcs").mkdir()
    assert gather(str(tmp_path / "p.zarr")).free_bytes is None


def test_an_output_that_ends_in_zarr_is_a_store(tmp_path):
    assert gather(str(tmp_path / "p.zarr/")).store_output
    assert not gather(str(tmp_path / "out")).store_output


@pytest.mark.parametrize("output", ["plate", "plate/inside", ".", "link"])
def test_output_and_plate_may_not_hold_one_another(tmp_path, output):
    (tmp_path / "plate").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "plate")
    with pytest.raises(InvalidPath, match="never written"):
        check_apart(tmp_path / output, tmp_path / "plate")
    check_apart(tmp_path / "beside", tmp_path / "plate")
