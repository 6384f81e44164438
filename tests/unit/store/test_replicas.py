"""Points that were simulated several times: in the header, in a sealed file, and in the stream of a study."""

import pytest

from spinscape.errors import ShapeError
from spinscape.stages import collect
from spinscape.store.read import StudyStore, open_batch

THETA = [[1.0, 2.0], [3.0, 2.0], [1.0, 2.0], [1.0, 2.0]]


@pytest.fixture
def index(tmp_path, toy):
    path = tmp_path / "b0000.zarr.zip"
    toy.sealed(path, ("c", "a", "b", "d"), theta=THETA, replica=(0, 0, 1, 2))
    collect.run([path], tmp_path / "index.json")
    return tmp_path / "index.json"


def test_a_file_without_repeated_points_says_nothing_of_them(toy):
    plain, repeated = toy.header(("a", "b")), toy.header(("a", "b"), replica=(0, 1))
    assert plain.replica.tolist() == [0, 0] and "replica" not in plain.to_attributes()
    assert repeated.to_attributes()["replica"] == [0, 1]
    with pytest.raises(ShapeError, match="replica"):
        toy.header(("a", "b"), replica=(0, 1, 2))


def test_a_sealed_file_knows_its_runs(index):
    with open_batch(index.parent / "b0000.zarr.zip") as batch:
        assert batch.header.replica.tolist() == [0, 0, 1, 2]


def test_a_study_counts_first_runs_unless_all_are_asked_for(index, toy):
    with StudyStore(index) as first, StudyStore(index, replicas=True) as every:
        assert first.ids == ("a", "c") and first.replica.tolist() == [0, 0] and len(first.mask) == 2
        assert every.ids == ("a", "b", "c", "d") and every.replica.tolist() == [0, 1, 0, 2]
        assert every.theta[:, 0].tolist() == [3.0, 1.0, 1.0, 1.0]
        assert (first.read("signal", 1) == toy.signal("c")).all() and (every.read("signal", 1) == toy.signal("b")).all()
