import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinscape.errors import ConfigError, StoreError
from spinscape.rng import stream
from spinscape.stages.plan import plan_batches, point_ids, read_plan, write_if_changed, write_plan

HEADER = {
    "study": "demo",
    "seed": 1,
    "kind": "toy",
    "settings": {"conditions": {"temperature": 6.0}, "x": 1},
    "parameter_names": ["J", "D"],
    "ranks_per_point": 1,
    "failed_fraction": 0.05,
}


def points(n, start=0):
    return [[float(k), 0.1] for k in range(start, start + n)]


def times(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.json")}


def age(folder):
    """Make every file old, so that one that is written again shows."""
    for path in folder.glob("*.json"):
        os.utime(path, ns=(10**18, 10**18))


def test_ids_follow_from_content():
    one = point_ids(points(2), HEADER["settings"])
    assert one == point_ids(np.array(points(2)), {"x": 1, "conditions": {"temperature": 6.0}})
    assert len(set(one)) == 2 and all(len(point) == 32 for point in one)
    assert one != point_ids(points(2), {**HEADER["settings"], "x": 2})
    assert one != point_ids(points(2), {**HEADER["settings"], "conditions": {"temperature": 7.0}})
    assert one != point_ids(points(2), HEADER["settings"], replica=1)
    assert point_ids([[1.0, 0.1]], {}) != point_ids([[np.nextafter(1.0, 2.0), 0.1]], {})


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sets(st.integers(0, 40), min_size=1), min_size=1, max_size=4), st.integers(1, 9))
def test_every_wanted_point_stands_in_one_batch_and_whole_batches_stay(grids, size):
    existing = {}
    for grid in grids:
        wanted = [f"{k:032x}" for k in grid]
        batches = plan_batches(wanted, size, existing)
        assert sorted(p for ids in batches.values() for p in ids) == sorted(wanted)
        assert all(batches[name] == ids for name, ids in existing.items() if set(ids) <= set(wanted))
        assert all(len(ids) <= size for ids in batches.values())
        assert len({name[:5] for name in batches}) == len(batches)
        existing = batches


def test_an_unchanged_plan_touches_no_file(tmp_path):
    names = write_plan(tmp_path, HEADER, points(10), 4)
    assert len(names) == 3 and names[0].startswith("b0000-")
    age(tmp_path)
    before = times(tmp_path)
    assert write_plan(tmp_path, HEADER, points(10), 4) == names
    assert times(tmp_path) == before


def test_more_points_leave_the_batches_that_are_there(tmp_path):
    old = write_plan(tmp_path, HEADER, points(10), 4)
    age(tmp_path)
    before = times(tmp_path)
    new = write_plan(tmp_path, HEADER, points(20), 4)
    assert new[:3] == old and len(new) == 6
    assert all(times(tmp_path)[f"{name}.json"] == before[f"{name}.json"] for name in old)


def test_another_batch_size_deals_only_new_points(tmp_path):
    old = write_plan(tmp_path, HEADER, points(10), 4)
    new = write_plan(tmp_path, HEADER, points(24), 7)
    assert new[:3] == old
    assert [len(read_plan(tmp_path / f"{name}.json")["points"]) for name in new[3:]] == [7, 7]


def test_fewer_points_dissolve_a_batch_and_remove_its_file(tmp_path):
    old = write_plan(tmp_path, HEADER, points(8), 4)
    (tmp_path / "notes.json").write_text("mine")
    new = write_plan(tmp_path, HEADER, points(7), 4)
    assert new[0] == old[0] and new[1] != old[1]
    assert not (tmp_path / f"{old[1]}.json").exists()
    assert (tmp_path / "notes.json").exists()
    assert len(read_plan(tmp_path / f"{new[1]}.json")["points"]) == 3


@pytest.mark.parametrize("change", [{"seed": 2}, {"settings": {"x": 2}}])
def test_other_settings_write_every_batch_anew(tmp_path, change):
    write_plan(tmp_path, HEADER, points(8), 4)
    age(tmp_path)
    names = write_plan(tmp_path, {**HEADER, **change}, points(8), 4)
    assert len(names) == 2
    assert all(times(tmp_path)[f"{name}.json"] > 10**18 for name in names)


def test_a_plan_reads_back_exactly(tmp_path):
    theta = stream(1, "grid").normal(size=(5, 2))
    (name,) = write_plan(tmp_path, HEADER, theta, 64)
    plan = read_plan(tmp_path / f"{name}.json")
    assert np.array([point["theta"] for point in plan["points"]]).tobytes() == theta.tobytes()
    assert [point["id"] for point in plan["points"]] == point_ids(theta, HEADER["settings"])
    assert {key: plan[key] for key in HEADER} == HEADER
    assert plan["contract"] == "plan/1"


def test_a_point_that_stands_twice_is_planned_once(tmp_path):
    (name,) = write_plan(tmp_path, HEADER, points(3) + points(3), 64)
    assert len(read_plan(tmp_path / f"{name}.json")["points"]) == 3


def test_some_points_are_planned_several_times(tmp_path):
    plain = write_plan(tmp_path / "a", HEADER, points(40), 200)
    (name,) = write_plan(tmp_path / "b", HEADER, points(40), 200, replicas={"share": 0.2, "n": 4})
    (first,) = (read_plan(tmp_path / "a" / f"{name}.json")["points"] for name in plain)
    found = read_plan(tmp_path / "b" / f"{name}.json")["points"]
    assert found[:40] == first and not any("replica" in point for point in first)
    runs = {}
    for point in found[40:]:
        runs.setdefault(point["theta"][0], []).append(point["replica"])
    assert 2 < len(runs) < 16 and all(numbers == [1, 2, 3] for numbers in runs.values())
    # Chosen by content: a larger grid repeats the same points, and more.
    (name,) = write_plan(tmp_path / "c", HEADER, points(80), 400, replicas={"share": 0.2, "n": 4})
    larger = {p["theta"][0] for p in read_plan(tmp_path / "c" / f"{name}.json")["points"] if "replica" in p}
    assert {theta for theta in larger if theta < 40} == set(runs)


def test_a_share_that_chooses_no_point_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="more than once"):
        write_plan(tmp_path, HEADER, points(3), 4, replicas={"share": 1e-6, "n": 4})


@pytest.mark.parametrize("replica", [2, -1, 0.5, "1"])
def test_an_id_belongs_to_its_run(tmp_path, replica):
    (name,) = write_plan(tmp_path, HEADER, points(2), 64, replicas={"share": 1.0, "n": 3})
    path = tmp_path / f"{name}.json"
    plan = json.loads(path.read_text())
    plan["points"][2]["replica"] = replica
    path.write_text(json.dumps(plan))
    with pytest.raises(StoreError, match=r"malformed|does not belong"):
        read_plan(path)


def test_a_lost_index_is_no_loss(tmp_path):
    names = write_plan(tmp_path, HEADER, points(9), 4)
    (tmp_path / "index.json").write_text("{")
    assert write_plan(tmp_path, HEADER, points(9), 4) == names


@pytest.mark.parametrize("bad", [[], [[1.0]], [[1.0, np.nan]], [1.0, 2.0]])
def test_a_grid_without_usable_points_is_refused(tmp_path, bad):
    with pytest.raises(ConfigError, match="usable points"):
        write_plan(tmp_path, HEADER, bad, 4)


@pytest.mark.parametrize("size", [0, -1, 2.5])
def test_a_batch_size_that_is_none_is_refused(size):
    with pytest.raises(ConfigError, match="at least one point"):
        plan_batches(["a"], size)


def test_write_if_changed_leaves_no_scraps(tmp_path):
    assert write_if_changed(tmp_path / "a", "ω")
    assert not write_if_changed(tmp_path / "a", "ω")
    assert write_if_changed(tmp_path / "a", "q")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_disk_that_is_full_leaves_the_old_text(tmp_path, monkeypatch):
    write_if_changed(tmp_path / "a", "old")

    def refuse(self, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(StoreError, match="cannot be written") as caught:
        write_if_changed(tmp_path / "a", "new")
    assert caught.value.where == str(tmp_path / "a") and "No space left" in caught.value.got
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def broken(document, **changes):
    return json.dumps({key: value for key, value in {**document, **changes}.items() if value is not None})


def test_a_plan_that_breaks_its_contract_is_refused(tmp_path):
    (name,) = write_plan(tmp_path, HEADER, points(2), 64)
    path = tmp_path / f"{name}.json"
    good = json.loads(path.read_text())
    first, second = good["points"]
    cases = [
        ("cannot be read", path.read_text()[:30]),
        ("cannot be read", "[]"),
        ("another contract", broken(good, contract="plan/2")),
        ("not complete", broken(good, seed=None)),
        ("not complete", broken(good, points=[])),
        ("malformed", broken(good, points=[{"id": "a"}])),
        ("malformed", broken(good, points=[first, {"id": "a", "theta": [1.0]}])),
        ("number of couplings", broken(good, points=[{"id": "a", "theta": [1.0]}])),
        ("does not belong", broken(good, points=[{**first, "theta": [5.0, 0.1]}, second])),
        ("does not belong", broken(good, points=[first, first])),
        ("does not belong", broken(good, settings={"x": 3})),
    ]
    for what, text in cases:
        path.write_text(text)
        with pytest.raises(StoreError, match=what) as caught:
            read_plan(path)
        assert str(path) in caught.value.where
    with pytest.raises(StoreError, match="cannot be read"):
        read_plan(tmp_path / "none.json")


def test_planning_is_light(tmp_path):
    """The workflow plans while it is parsed: nothing heavy may come along."""
    code = "import sys, spinscape.stages.plan; print(sorted(m for m in sys.modules if m.startswith('spinscape')))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    expected = ["spinscape", "spinscape.errors", "spinscape.rng", "spinscape.stages", "spinscape.stages.plan"]
    assert out.strip() == str(expected)
