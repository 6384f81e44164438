import errno
import zipfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import ZipStore

from spinscape.errors import StoreError
from spinscape.store import seal as seal_module
from spinscape.store.read import open_batch
from spinscape.store.seal import seal
from spinscape.store.write import WorkStore


def test_a_sealed_file_holds_all_of_the_work_store(toy, tmp_path):
    path = toy.sealed(tmp_path / "b.zarr.zip", unstable=("c",))
    with open_batch(path, study="demo") as batch:
        assert batch.state.tolist() == [1, 1, 2, 1, 1]
        assert batch.code_counts() == {"absent": 0, "done": 4, "unstable": 1, "failed": 0}
        assert batch.read("signal", 4).tobytes() == toy.signal("e").tobytes()
        assert batch.message(2) == "ω² < 0 at c"
        assert batch.diagnostics(1) == {"name": "b"} and batch.diagnostics(2) == {}
        assert batch.header.key == toy.header().key
        assert batch.provenance == {"made_by": "a test"}


def test_the_same_points_make_the_same_bytes(toy, tmp_path):
    one = toy.sealed(tmp_path / "one.zarr.zip")
    two = toy.sealed(tmp_path / "two.zarr.zip")
    assert one.read_bytes() == two.read_bytes()


def test_other_programs_can_read_it(toy, tmp_path):
    path = toy.sealed(tmp_path / "b.zarr.zip", unstable=("b",))
    with xr.open_zarr(ZipStore(path, mode="r"), consolidated=False) as data:
        assert data.signal.dims == ("point", "q", "energy")
        assert data.signal.attrs["unit"] == "1/meV"
        assert data.energy.values.tolist() == [0.0, 0.1, 0.3]
        assert data.signal.values[0].tobytes() == toy.signal("a").tobytes()
        assert "J > 0 is antiferromagnetic" in data.attrs["conventions"]


def test_each_result_is_a_chunk_of_its_own(toy, tmp_path):
    path = toy.sealed(tmp_path / "b.zarr.zip", unstable=("b",))
    names = zipfile.ZipFile(path).namelist()
    assert sorted(n for n in names if n.startswith("signal/c/")) == [f"signal/c/{k}/0/0" for k in (0, 2, 3, 4)]
    assert zarr.open_group(ZipStore(path, mode="r"), mode="r")["signal"].chunks == (1, 4, 3)


def test_absent_points_cannot_be_sealed(toy, tmp_path):
    work = toy.fill(WorkStore.create(tmp_path / "w.zarr", toy.header()), leave=("b",))
    with pytest.raises(StoreError, match="absent"):
        seal(work, tmp_path / "b.zarr.zip")
    assert not (tmp_path / "b.zarr.zip").exists()


def test_a_full_disk_leaves_what_was_there(toy, tmp_path, monkeypatch):
    path = toy.sealed(tmp_path / "b.zarr.zip", ("a", "b"))
    before = path.read_bytes()
    work = toy.fill(WorkStore.create(tmp_path / "w.zarr", toy.header()))

    def refuse(archive, name, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(seal_module, "_add", refuse)
        with pytest.raises(StoreError, match="disk is full") as caught:
            seal(work, path)
    assert str(path) in caught.value.where
    assert path.read_bytes() == before
    assert not [p for p in Path(tmp_path).iterdir() if "young" in p.name]
    assert seal(work, path).read_bytes() != before


def test_a_file_that_does_not_read_back_is_not_put_in_place(toy, tmp_path, monkeypatch):
    work = toy.fill(WorkStore.create(tmp_path / "w.zarr", toy.header()))
    real = seal_module._write_zip

    def damaging(path, *rest):
        real(path, *rest)
        data = bytearray(path.read_bytes())
        at = data.find(work.chunk_path("signal", 2).read_bytes())
        data[at + 30] ^= 0xFF
        path.write_bytes(data)

    monkeypatch.setattr(seal_module, "_write_zip", damaging)
    with pytest.raises(StoreError, match="read back"):
        seal(work, tmp_path / "b.zarr.zip")
    assert not (tmp_path / "b.zarr.zip").exists()


def test_values_of_done_points_are_all_there(toy, tmp_path):
    with open_batch(toy.sealed(tmp_path / "b.zarr.zip")) as batch:
        many = batch.read_many("signal", [4, 0, 2])
    assert np.array_equal(many, np.stack([toy.signal(p) for p in "eac"]))
