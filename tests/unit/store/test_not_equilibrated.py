"""Points that did not equilibrate keep their arrays, with the code that says so."""

import numpy as np

from spinscape.store.read import open_batch
from spinscape.store.resume import prepare_work_store
from spinscape.store.seal import seal
from spinscape.store.write import WorkStore


def test_they_are_kept_resumed_sealed_and_read(toy, tmp_path):
    codes = {**toy.codes, "not_equilibrated": 4}
    header = toy.header(("a", "b"), result_codes=codes)
    store = prepare_work_store(tmp_path, header)
    store.write(0, "done", arrays={"signal": toy.signal("a")})
    arrays = {"signal": toy.signal("b")}
    store.write(1, "not_equilibrated", arrays=arrays, message="R-hat 1.4", diagnostics={"r_hat": 1.4})

    again = prepare_work_store(tmp_path, header)
    assert again.states().tolist() == [1, 4]
    more = prepare_work_store(tmp_path, toy.header(("b", "c"), result_codes=codes))
    assert more.states().tolist() == [4, 0]

    seal(again, tmp_path / "b.zarr.zip")
    with open_batch(tmp_path / "b.zarr.zip") as batch:
        assert batch.done.tolist() == [True, True] and batch.state.tolist() == [1, 4]
        np.testing.assert_array_equal(batch.read("signal", 1), toy.signal("b"))
        assert batch.message(1) == "R-hat 1.4" and batch.diagnostics(1) == {"r_hat": 1.4}


def test_one_whose_data_were_lost_is_done_again(toy, tmp_path):
    header = toy.header(("a",), result_codes={**toy.codes, "not_equilibrated": 4})
    store = WorkStore.create(tmp_path / "x.zarr", header)
    store.write(0, "not_equilibrated", arrays={"signal": toy.signal("a")})
    store.chunk_path("signal", 0).unlink()
    store.path.rename(tmp_path / f"{header.key[:16]}.zarr")
    assert prepare_work_store(tmp_path, header).states().tolist() == [0]
