import errno

import numpy as np
import pytest
from zarr.storage import LocalStore

from spinscape.errors import ShapeError, StoreError
from spinscape.store.layout import row_text, text_row
from spinscape.store.write import WorkStore, diagnostics_text, remove_work_store


@pytest.fixture
def store(toy, tmp_path):
    return WorkStore.create(tmp_path / "w.zarr", toy.header())


def test_a_new_store_is_absent_everywhere(store):
    assert store.states().tolist() == [0] * 5
    assert store.n_recorded() == 0


def test_what_is_written_is_read_by_another_process(toy, store):
    store.write(3, "done", arrays={"signal": toy.signal("d")}, diagnostics={"sweeps": 7})
    store.write(1, "failed", message="no solution")
    again = WorkStore.open(store.path)
    assert again.states().tolist() == [0, 3, 0, 1, 0]
    assert again.row("signal", 3).tobytes() == toy.signal("d").tobytes()
    assert again.text("message", 1) == "no solution"
    assert again.text("diagnostics", 3) == '{"sweeps":7}'
    assert again.n_recorded() == 2
    assert again.header.key == store.header.key


def test_theta_and_coordinates_survive_bit_for_bit(toy, store):
    header = WorkStore.open(store.path).header
    assert header.theta.tobytes() == toy.header().theta.tobytes()
    assert header.coordinates == toy.header().coordinates


def test_a_result_of_zeros_is_a_result(store):
    store.write(0, "done", arrays={"signal": np.zeros((4, 3))})
    assert store.is_sound(0)
    assert not store.is_sound(1)


def test_a_point_is_absent_until_its_state_is_written(toy, store, monkeypatch):
    """The order is data, then state: a kill between the two leaves the point absent."""
    written = []
    real = LocalStore.set

    async def recording(self, key, value):
        written.append(key)
        await real(self, key, value)

    monkeypatch.setattr(LocalStore, "set", recording)
    store.write(2, "done", arrays={"signal": toy.signal("c")}, message="m", diagnostics={"a": 1})
    chunks = [key for key in written if "/c/" in key]
    assert chunks[0] == "signal/c/2/0/0" and chunks[-1] == "state/c/2" and len(chunks) == 4


@pytest.mark.parametrize(
    ("number", "what"),
    [(errno.ENOSPC, "disk is full"), (errno.EDQUOT, "disk is full"), (errno.EIO, "cannot be written")],
)
def test_a_disk_that_refuses_is_one_typed_error(toy, store, monkeypatch, number, what):
    store.write(0, "done", arrays={"signal": toy.signal("a")})

    async def refuse(self, key, value):
        raise OSError(number, "refused")

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "set", refuse)
        with pytest.raises(StoreError, match=what) as caught:
            store.write(1, "done", arrays={"signal": toy.signal("b")})
    assert str(store.path) in caught.value.where and "start again" in caught.value.fix
    assert store.states().tolist() == [1, 0, 0, 0, 0]
    assert store.row("signal", 0).tobytes() == toy.signal("a").tobytes()


def test_a_damaged_chunk_is_not_sound(toy, store):
    store.write(0, "done", arrays={"signal": toy.signal("a")})
    assert store.is_sound(0)
    chunk = store.chunk_path("signal", 0)
    chunk.write_bytes(chunk.read_bytes()[:20])
    assert not store.is_sound(0)


def test_an_unknown_code_is_refused(store):
    with pytest.raises(KeyError, match="maybe"):
        store.write(0, "maybe")


def test_texts_are_cut_between_characters():
    row = text_row("x" + "ω" * 300, "message")
    assert len(row) == 400
    assert row_text(row) == "x" + "ω" * 199


def test_long_diagnostics_leave_a_note_and_not_half_a_text():
    assert diagnostics_text({"a": "x" * 3000}) == '{"left_out":"diagnostics of 3008 bytes"}'


def test_a_folder_that_is_no_store_is_an_error(tmp_path):
    (tmp_path / "w.zarr").mkdir()
    with pytest.raises(StoreError, match=r"w\.zarr"):
        WorkStore.open(tmp_path / "w.zarr")


@pytest.mark.parametrize("name", ["signal", "state", "theta", "energy"])
def test_a_missing_array_is_named(store, name):
    (store.path / name / "zarr.json").unlink()
    with pytest.raises(StoreError, match=f"'{name}' is missing"):
        WorkStore.open(store.path)


def test_a_truncated_description_is_an_error(store):
    meta = store.path / "signal" / "zarr.json"
    meta.write_text(meta.read_text()[:50])
    with pytest.raises(StoreError, match="'signal' is not readable"):
        WorkStore.open(store.path)


def test_an_array_of_another_shape_is_an_error(store):
    meta = store.path / "signal" / "zarr.json"
    text = meta.read_text()
    assert "4," in text
    meta.write_text(text.replace("4,", "8,"))
    with pytest.raises(ShapeError, match="signal"):
        WorkStore.open(store.path)


def test_a_store_is_there_whole_or_not_at_all(toy, tmp_path, monkeypatch):
    async def refuse(self, key, value):
        if key.startswith("signal"):
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(LocalStore, "set", refuse)
    with pytest.raises(StoreError, match="full"):
        WorkStore.create(tmp_path / "w.zarr", toy.header())
    assert not (tmp_path / "w.zarr").exists()


def test_removed_is_removed(store):
    remove_work_store(store)
    assert not store.path.exists()
