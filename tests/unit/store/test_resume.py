import pytest

from spinscape.errors import StoreError
from spinscape.store.layout import text_row
from spinscape.store.lock import locked, locked_if_idle
from spinscape.store.resume import prepare_work_store, work_path
from spinscape.store.write import WorkStore


def leave_behind(toy, folder, header, **fill):
    """Leave a store as a killed job does."""
    return toy.fill(WorkStore.create(work_path(folder, header), header), **fill)


def test_a_store_goes_on_where_it_stopped(toy, tmp_path):
    header = toy.header()
    leave_behind(toy, tmp_path, header, leave=("b", "d"), unstable=("e",))
    store = prepare_work_store(tmp_path, toy.header())
    assert store.states().tolist() == [1, 0, 1, 0, 2]
    assert store.text("message", 4) == "ω² < 0 at e"


def test_failed_points_are_done_again(toy, tmp_path):
    leave_behind(toy, tmp_path, toy.header(), leave=("b",)).write(1, "failed", message="no memory")
    store = prepare_work_store(tmp_path, toy.header())
    assert store.states().tolist() == [1, 0, 1, 1, 1]
    assert store.text("message", 1) == ""


def test_what_was_said_of_an_absent_point_is_forgotten(toy, tmp_path):
    """A job that is killed between the text and the state leaves a text without a state."""
    store = leave_behind(toy, tmp_path, toy.header(), leave=("b",))
    store._arrays["message"][1] = text_row("no memory", "message")
    assert prepare_work_store(tmp_path, toy.header()).text("message", 1) == ""


def test_points_whose_data_were_lost_are_done_again(toy, tmp_path):
    old = leave_behind(toy, tmp_path, toy.header())
    old.chunk_path("signal", 1).unlink()
    old.chunk_path("signal", 3).write_bytes(b"")
    assert prepare_work_store(tmp_path, toy.header()).states().tolist() == [1, 0, 1, 0, 1]


def test_a_changed_plan_keeps_the_points_that_it_shares(toy, tmp_path):
    leave_behind(toy, tmp_path, toy.header(("a", "b", "c")), leave=("c",), unstable=("b",))
    store = prepare_work_store(tmp_path, toy.header(("x", "c", "b", "a")))
    assert store.states().tolist() == [0, 0, 2, 1]
    assert store.row("signal", 3).tobytes() == toy.signal("a").tobytes()
    assert store.text("message", 2) == "ω² < 0 at b"
    assert store.text("diagnostics", 3) == '{"name":"a"}'


@pytest.mark.parametrize(
    "change", [{"study": "other"}, {"origin": {"kind": "toy", "seed": 1, "code": "bb"}}, {"settings": {"kind": "toy"}}]
)
def test_results_of_another_origin_are_left_alone(toy, tmp_path, change):
    old = leave_behind(toy, tmp_path, toy.header(("a", "b"), **change))
    store = prepare_work_store(tmp_path, toy.header(("a", "b", "c")))
    same_origin = set(change) == {"settings"}
    assert store.states().tolist() == ([1, 1, 0] if same_origin else [0, 0, 0])
    assert old.states().tolist() == [1, 1]


def test_an_unreadable_store_is_moved_aside(toy, tmp_path):
    header = toy.header()
    for number in (1, 2):
        path = work_path(tmp_path, header)
        path.mkdir(exist_ok=True)
        (path / "zarr.json").write_text("{")
        assert prepare_work_store(tmp_path, header).states().tolist() == [0] * 5
        assert (tmp_path / f"{path.stem}.unreadable-{number}" / "zarr.json").read_text() == "{"


def test_a_store_that_is_worked_on_is_not_copied_from(toy, tmp_path):
    old = leave_behind(toy, tmp_path, toy.header(("a", "b")))
    with locked(old.path, patience=0.0):
        assert prepare_work_store(tmp_path, toy.header(("a", "c"))).states().tolist() == [0, 0]
    assert prepare_work_store(tmp_path, toy.header(("a", "d"))).states().tolist() == [1, 0]


def test_one_job_at_a_time(tmp_path):
    path = tmp_path / "deep" / "w.zarr"
    with locked(path, patience=0.0):
        with locked_if_idle(path) as mine:
            assert not mine
        with pytest.raises(StoreError, match="another process"), locked(path, patience=0.15):
            pass
    with locked(path, patience=0.0):
        pass
    assert list(path.parent.iterdir()) == []


def test_a_lock_ends_with_an_error_too(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "w.zarr", patience=0.0):
        raise ZeroDivisionError
    with locked_if_idle(tmp_path / "w.zarr") as mine:
        assert mine
