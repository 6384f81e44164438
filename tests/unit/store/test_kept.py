"""Sealed batches that are kept under the hash of their content, and taken again whole or point by point."""

import os

import numpy as np

from spinscape.store.kept import keep_sealed, kept_path, take_points, take_whole
from spinscape.store.read import open_batch
from spinscape.store.write import WorkStore


def test_a_batch_of_the_same_content_is_taken_whole(toy, tmp_path):
    sealed = toy.sealed(tmp_path / "r1-0.zarr.zip")
    header = toy.header()
    keep_sealed(sealed, tmp_path / "kept", header)
    bits, number = sealed.read_bytes(), sealed.stat().st_ino
    sealed.unlink()
    assert take_whole(tmp_path / "kept", header, sealed)
    # One file of two names: nothing is stored twice.
    assert sealed.read_bytes() == bits and sealed.stat().st_ino == number and sealed.stat().st_nlink == 2
    assert not take_whole(tmp_path / "kept", toy.header(("a", "b")), tmp_path / "other.zarr.zip")
    assert not list(tmp_path.glob(".*young*")) and not list((tmp_path / "kept").glob(".*young*"))


def test_points_that_are_wanted_again_are_copied(toy, tmp_path):
    sealed = toy.sealed(tmp_path / "r1-0.zarr.zip", unstable=("b",))
    keep_sealed(sealed, tmp_path / "kept", toy.header())
    store = WorkStore.create(tmp_path / "work", toy.header(("x", "b", "d")))
    assert take_points(store, tmp_path / "kept") == 2
    assert store.states().tolist() == [0, 2, 1]
    np.testing.assert_array_equal(store.row("signal", 2), toy.signal("d"))
    assert "ω² < 0 at b" in store.text("message", 1) and "d" in store.text("diagnostics", 2)


def test_what_depends_on_other_code_is_neither_taken_nor_kept(toy, tmp_path):
    old = toy.sealed(tmp_path / "old.zarr.zip")
    keep_sealed(old, tmp_path / "kept", toy.header())
    young = toy.header(("a", "b"), origin={"kind": "toy", "seed": 1, "code": "bb"})
    store = WorkStore.create(tmp_path / "work", young)
    assert take_points(store, tmp_path / "kept") == 0
    assert not take_whole(tmp_path / "kept", young, tmp_path / "x.zarr.zip")
    new = toy.sealed(tmp_path / "new.zarr.zip", ("a", "b"), origin=young.origin)
    keep_sealed(new, tmp_path / "kept", young)
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [kept_path(tmp_path, young).name]
    assert old.exists()


def test_a_damaged_file_costs_time_only(toy, tmp_path):
    sealed = toy.sealed(tmp_path / "r1-0.zarr.zip")
    keep_sealed(sealed, tmp_path / "kept", toy.header())
    path = kept_path(tmp_path / "kept", toy.header())
    path.unlink()
    path.write_bytes(b"nothing")
    assert not take_whole(tmp_path / "kept", toy.header(), tmp_path / "x.zarr.zip")
    store = WorkStore.create(tmp_path / "work", toy.header())
    assert take_points(store, tmp_path / "kept") == 0
    # It is replaced by the next one that is sealed.
    keep_sealed(sealed, tmp_path / "kept", toy.header())
    with open_batch(path) as batch:
        assert batch.header.n_point == 5


def test_without_hard_links_nothing_is_kept(toy, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    sealed = toy.sealed(tmp_path / "a.zarr.zip")
    monkeypatch.setattr(os, "link", refuse)
    keep_sealed(sealed, tmp_path / "kept", toy.header())
    assert not list((tmp_path / "kept").iterdir())
