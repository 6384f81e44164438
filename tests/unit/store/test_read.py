import json
import shutil
import zipfile

import numpy as np
import pytest

from spinscape.errors import StoreError
from spinscape.stages import collect
from spinscape.store.read import StudyStore, open_batch


def rewritten(path, change):
    """Write a sealed file anew, each entry changed by ``change(name, data)``; None leaves the entry out."""
    with zipfile.ZipFile(path) as old:
        entries = [(name, change(name, old.read(name))) for name in old.namelist()]
    with zipfile.ZipFile(path, "w") as new:
        for name, data in entries:
            if data is not None:
                new.writestr(name, data)
    return path


def with_attributes(path, **changes):
    def change(name, data):
        if name != "zarr.json":
            return data
        document = json.loads(data)
        document["attributes"] = {k: v for k, v in {**document["attributes"], **changes}.items() if v is not None}
        return json.dumps(document)

    return rewritten(path, change)


@pytest.fixture
def sealed(toy, tmp_path):
    return toy.sealed(tmp_path / "b.zarr.zip", unstable=("c",))


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.98, -3])
def test_a_truncated_file_is_an_error(sealed, keep):
    data = sealed.read_bytes()
    sealed.write_bytes(data[: int(keep * len(data))] if isinstance(keep, float) else data[:keep])
    with pytest.raises(StoreError, match="truncated") as caught:
        open_batch(sealed)
    assert caught.value.where == str(sealed) and caught.value.fix


def test_an_absent_file_and_a_foreign_file_are_errors(tmp_path):
    (tmp_path / "text.zarr.zip").write_text("hello")
    with zipfile.ZipFile(tmp_path / "photos.zarr.zip", "w") as archive:
        archive.writestr("a.jpg", "x")
    for name in ("none.zarr.zip", "text.zarr.zip", "photos.zarr.zip"):
        with pytest.raises(StoreError, match="cannot be read"):
            open_batch(tmp_path / name)


@pytest.mark.parametrize(("contract", "what"), [("simulations/2", "another contract"), (None, "names no contract")])
def test_another_contract_is_an_error(sealed, contract, what):
    with pytest.raises(StoreError, match=what) as caught:
        open_batch(with_attributes(sealed, contract=contract))
    assert (caught.value.expected, caught.value.got) == ("simulations/1", contract)


def test_another_study_is_an_error(sealed):
    with pytest.raises(StoreError, match="another study") as caught:
        open_batch(sealed, study="mine")
    assert (caught.value.expected, caught.value.got) == ("mine", "demo")


@pytest.mark.parametrize("name", ["signal", "state", "theta", "energy", "message"])
def test_a_missing_array_is_named(sealed, name):
    path = rewritten(sealed, lambda entry, data: None if entry.startswith(f"{name}/") else data)
    with pytest.raises(StoreError, match=f"'{name}' is missing"):
        open_batch(path)


@pytest.mark.parametrize("key", ["point_ids", "arrays", "origin"])
def test_a_missing_attribute_is_an_error(sealed, key):
    with pytest.raises(StoreError, match="contract demands"):
        open_batch(with_attributes(sealed, **{key: None}))


def test_a_damaged_value_is_an_error_and_not_a_number(sealed):
    path = rewritten(sealed, lambda entry, data: data[:20] if entry == "signal/c/3/0/0" else data)
    with open_batch(path) as batch:
        assert batch.read("signal", 0).shape == (4, 3)
        with pytest.raises(StoreError, match="signal, point 3"):
            batch.read("signal", 3)


def test_a_missing_value_is_an_error_and_not_zero(sealed):
    path = rewritten(sealed, lambda entry, data: None if entry == "signal/c/3/0/0" else data)
    with pytest.raises(StoreError, match="no data") as caught:
        open_batch(path)
    assert caught.value.where == f"{path}: signal, point 3"


def test_a_point_without_result_says_why(sealed):
    with open_batch(sealed) as batch, pytest.raises(StoreError, match="no result") as caught:
        batch.read("signal", 2)
    assert caught.value.got == "ω² < 0 at c"


def test_an_unknown_array_names_the_known(sealed):
    with open_batch(sealed) as batch, pytest.raises(StoreError, match="no such array") as caught:
        batch.read("heat", 0)
    assert caught.value.expected == ["signal"]


@pytest.fixture
def study(toy, tmp_path):
    files = [
        toy.sealed(tmp_path / "simulate" / "one.zarr.zip", ("d", "a", "f")),
        toy.sealed(tmp_path / "simulate" / "two.zarr.zip", ("c", "b"), unstable=("c",)),
        toy.sealed(tmp_path / "simulate" / "three.zarr.zip", ("e",)),
    ]
    collect.run(files, tmp_path / "collect" / "index.json")
    return tmp_path / "collect" / "index.json"


def test_a_study_is_one_stream_in_the_order_of_ids(toy, study):
    with StudyStore(study, study="demo") as store:
        assert store.n_point == 5 and store.ids == tuple("abdef")
        assert store.mask.tolist() == [True, True, False, True, True, True]
        assert store.theta[:, 0].tolist() == [ord(p) / 7.0 for p in "abdef"]
        assert store.state.tolist() == [1] * 5
        assert store.parameter_names == ("J", "D")
        assert store.coordinates["energy"]["values"] == [0.0, 0.1, 0.3]
        many = store.read_many("signal", [4, 0, 1, 0])
        assert many.dtype == np.float32
        assert np.array_equal(many, np.stack([toy.signal(p) for p in "faba"]))
        assert np.array_equal(store.read("signal", 3), toy.signal("e"))
        assert store.read_many("signal", []).shape == (0, 4, 3)


def test_all_points_can_be_seen_but_not_read(study):
    with StudyStore(study, include_all=True) as store:
        assert store.ids == tuple("abcdef") and store.state.tolist() == [1, 1, 2, 1, 1, 1]
        with pytest.raises(StoreError, match="no result"):
            store.read_many("signal", [1, 2])


def test_few_files_are_open_at_once(toy, study):
    with StudyStore(study, max_open=1) as store:
        for index, point in enumerate("abdef"):
            assert np.array_equal(store.read("signal", index), toy.signal(point))
            assert len(store._open) == 1
    assert len(store._open) == 0


def test_the_folder_can_move(toy, study, tmp_path):
    (tmp_path / "new").mkdir()
    shutil.move(tmp_path / "collect", tmp_path / "new")
    shutil.move(tmp_path / "simulate", tmp_path / "new")
    with StudyStore(tmp_path / "new" / "collect" / "index.json") as store:
        assert np.array_equal(store.read("signal", 0), toy.signal("a"))


def test_a_file_that_changed_since_is_an_error(toy, study, tmp_path):
    shutil.rmtree(tmp_path / "simulate")
    toy.sealed(tmp_path / "simulate" / "one.zarr.zip", ("d", "a", "g"))
    with pytest.raises(StoreError, match="not the one that was collected"):
        StudyStore(study)


def test_a_foreign_index_is_an_error(study):
    with pytest.raises(StoreError, match="another study"):
        StudyStore(study, study="mine")
    document = json.loads(study.read_text())
    for broken, what in (
        ({**document, "contract": "collection/0"}, "another contract"),
        ({**document, "batches": []}, "no batches"),
        ({**document, "batches": [{"path": "x"}]}, "no batches"),
        ([], "cannot be read"),
    ):
        study.write_text(json.dumps(broken))
        with pytest.raises(StoreError, match=what):
            StudyStore(study)
    study.write_text(study.read_text()[:5])
    with pytest.raises(StoreError, match="cannot be read"):
        StudyStore(study)
