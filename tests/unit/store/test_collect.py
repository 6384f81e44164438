import json

import numpy as np
import pytest

from spinscape.errors import StoreError
from spinscape.stages import collect


@pytest.fixture
def files(toy, tmp_path):
    return [
        toy.sealed(tmp_path / "simulate" / "one.zarr.zip", ("a", "b", "c"), unstable=("b",)),
        toy.sealed(tmp_path / "simulate" / "two.zarr.zip", ("d", "e")),
    ]


def test_the_index_counts_and_names_the_batches(files, tmp_path):
    index = collect.run(files, tmp_path / "collect" / "index.json")
    assert json.loads((tmp_path / "collect" / "index.json").read_text()) == index
    assert index["contract"] == "collection/1" and index["study"] == "demo"
    assert index["n_point"] == 5
    assert index["codes"] == {"absent": 0, "done": 4, "unstable": 1, "failed": 0}
    assert [entry["path"] for entry in index["batches"]] == ["../simulate/one.zarr.zip", "../simulate/two.zarr.zip"]
    assert index["bytes"] == sum(path.stat().st_size for path in files)
    assert index["code"] == ["aa"]


def test_the_same_batches_leave_the_index_alone(files, tmp_path):
    output = tmp_path / "collect" / "index.json"
    collect.run(files, output)
    before = output.stat().st_mtime_ns
    collect.run([str(path) for path in files], str(output))
    assert output.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("study", {"study": "other"}),
        ("parameter_names", {"parameter_names": ("J", "K")}),
        ("result_codes", {"result_codes": {"absent": 0, "done": 1, "unstable": 2, "failed": 3, "slow": 4}}),
        ("origin.seed", {"origin": {"kind": "toy", "seed": 2, "code": "aa"}}),
        ("origin.kind", {"origin": {"kind": "other", "seed": 1, "code": "aa"}}),
    ],
)
def test_batches_that_differ_do_not_fit(toy, files, tmp_path, name, change):
    files.append(toy.sealed(tmp_path / "simulate" / "three.zarr.zip", ("f",), **change))
    with pytest.raises(StoreError, match=f"differ in their {name}") as caught:
        collect.run(files, tmp_path / "index.json")
    assert caught.value.where == str(files[2]) and caught.value.expected and caught.value.got
    assert not (tmp_path / "index.json").exists()


def test_an_axis_that_is_off_in_its_last_bit_does_not_fit(toy, files, tmp_path):
    off = toy.template((0.0, float(np.nextafter(0.1, 1.0)), 0.3))
    files.append(toy.sealed(tmp_path / "simulate" / "three.zarr.zip", ("f",), template=off))
    with pytest.raises(StoreError, match="arrays and coordinates"):
        collect.run(files, tmp_path / "index.json")


def test_a_point_in_two_batches_is_named_with_both(toy, files, tmp_path):
    files.append(toy.sealed(tmp_path / "simulate" / "three.zarr.zip", ("f", "c")))
    with pytest.raises(StoreError, match="two batches") as caught:
        collect.run(files, tmp_path / "index.json")
    assert "point c" in caught.value.got and "one.zarr.zip" in caught.value.got


def test_batches_of_two_codes_are_recorded(toy, files, tmp_path):
    origin = {"kind": "toy", "seed": 1, "code": "bb"}
    files.append(toy.sealed(tmp_path / "simulate" / "three.zarr.zip", ("f",), origin=origin))
    assert collect.run(files, tmp_path / "index.json")["code"] == ["aa", "bb"]


def test_nothing_and_a_truncated_file_cannot_be_collected(files, tmp_path):
    with pytest.raises(StoreError, match="nothing to collect"):
        collect.run([], tmp_path / "index.json")
    files[1].write_bytes(files[1].read_bytes()[:500])
    with pytest.raises(StoreError, match="truncated") as caught:
        collect.run(files, tmp_path / "index.json")
    assert caught.value.where == str(files[1])
