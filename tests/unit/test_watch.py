"""A fit that follows a file: states half written, growing counts, the end; options and thinned counts of a study."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from spinscape.config.load import study_from_data
from spinscape.errors import ConfigError, FitError, SpinscapeError
from spinscape.infer.watching import Goal
from spinscape.rng import stream
from spinscape.stages import next_options, thin
from spinscape.stages.open_fit import open_fit
from spinscape.stages.watch import Follower, readings, sentence

ROOT = Path(__file__).parents[2]
TRUTH = (29.6, 1.8)


def study(per_unit=1, **more):
    data = yaml.safe_load((ROOT / "config" / "test" / "la2nio4.yaml").read_text(encoding="utf-8"))
    data.pop("learn"), data["measurements"].pop("path2")
    # The files of this test have no sign for pixels without coverage.
    data["measurements"]["path1"]["simulated"].pop("missing_block")
    data.pop("comparisons", None)
    data["fits"] = {
        "counted": {
            "measurements": ["path1"],
            "forward": {"kind": "spinwave"},
            # Files of this test hold counts; what stands in for them knows its own.
            "objective": {"kind": "poisson", "counts_per_unit": per_unit},
            "strategy": {"kind": "grid_start", "n_point": 36, "n_refine": 2},
            "box": {"J": ["25 meV", "35 meV"], "Jp": ["-3 meV", "3 meV"]},
        }
    }
    return study_from_data({**data, **more})


@pytest.fixture(scope="module")
def expected():
    """Expected counts of 1e6 in all, and a folder with the files of the axes."""
    seen = open_fit(study()).current
    return np.where(seen.valid, np.maximum(seen.signal, 0.0), 0.0), seen


@pytest.fixture
def folder(tmp_path, expected):
    _, seen = expected
    (tmp_path / "la2nio4_test").mkdir()
    np.savetxt(tmp_path / "la2nio4_test" / "Qlist_path1.csv", seen.momentum.points.T, delimiter=",")
    np.savetxt(tmp_path / "la2nio4_test" / "Elist_path1.csv", seen.energy.centres[None], delimiter=",")
    return tmp_path


def counts(expected, total, seed=1):
    image = expected[0] / expected[0].sum() * total
    return stream(seed, "counting", "watched", float(total)).poisson(image).astype(float)


def write(path, image):
    """Write a state as instruments should: beside, then in place at once."""
    beside = path.with_suffix(".part")
    np.savetxt(beside, image.T, delimiter=",", fmt="%g")
    beside.replace(path)


def test_readings_follow_a_file_through_all_that_happens_to_it(folder, expected):
    path = folder / "run.csv"
    whole = counts(expected, 4000.0)
    text_of = []

    def half(_):
        path.write_text("\n".join(text_of[0].splitlines()[:20]))

    steps = iter([
        lambda: write(path, counts(expected, 1000.0)),
        lambda: text_of.append(path.read_text()) or half(None),
        lambda: write(path, whole),
        lambda: write(path, whole + counts(expected, 60_000.0)),
    ])  # fmt: skip
    waits = 0

    def sleep(_):
        # Long enough for the file to count as quiet, then the next thing happens to it.
        nonlocal waits
        waits += 1
        if waits % 4 == 1:
            next(steps)()
        assert waits < 60
        clock[0] += 0.1

    clock = [0.0]
    goal = Goal("J", relative=0.003)
    found = readings(study(), path, goal, data_folder=folder, sleep=sleep, clock=lambda: clock[0])
    first, broken, quick, second, quick_again, last = (next(found) for _ in range(6))
    assert isinstance(broken, SpinscapeError) and not isinstance(first, Exception), first
    assert first.searched and first.counts == pytest.approx(1000, rel=0.2) and not first.done
    assert second.searched and second.needed > second.counts and "counts" in sentence(second, goal)
    # The answer comes from the minima known before, the search after it; what is not searched is not known well enough.
    assert quick.pending and not quick.searched and quick.counts == second.counts and not first.pending
    assert "the whole box is searched now" in sentence(quick, goal)
    assert quick_again.pending and not quick_again.done and quick_again.stds["J"] <= quick_again.target
    assert last.done and sentence(last, goal).endswith("J is known to 0.3 %: stop")
    for reading in (first, quick, second, quick_again, last):
        for name, value in zip(("J", "Jp"), TRUTH, strict=True):
            assert abs(reading.values[name] - value) < 4.0 * reading.stds[name]
    # Foretold from 4,000 counts what 64,000 then needed: the information grows with the counts.
    assert second.needed == pytest.approx(last.needed, rel=0.35)


def test_a_file_that_still_changes_is_not_read(tmp_path):
    path = tmp_path / "a.csv"
    follower = Follower(path)
    assert not follower.changed(0.0)
    path.write_text("1")
    assert not follower.changed(1.0)
    path.write_text("1,2")
    assert not follower.changed(1.1) and not follower.changed(1.2) and follower.changed(1.4)
    follower.taken()
    assert not follower.changed(2.0)


def test_fewer_counts_are_another_measurement(folder, expected):
    from spinscape.infer.watching import Watch

    one = open_fit(study(), file=_written(folder, counts(expected, 5000.0)), data_folder=folder)
    watch = Watch(one.problem, one.box, one.strategy, Goal("J", absolute=0.1))
    assert watch.update(one.current, one.counts(one.current)).searched
    more = one.state(_written(folder, counts(expected, 6000.0)))
    assert not watch.update(more, one.counts(more)).searched
    fewer = one.state(_written(folder, counts(expected, 2000.0)))
    assert watch.update(fewer, one.counts(fewer)).searched


def _written(folder, image):
    write(folder / "run.csv", image)
    return folder / "run.csv"


@pytest.mark.parametrize("text", ["J", "J=", "J=1", "J=0%", "=1%", "J=x%"])
def test_a_precision_needs_a_coupling_a_number_and_a_unit(text):
    with pytest.raises(FitError, match="no precision"):
        Goal.parse(text)


def test_options_are_judged_and_one_that_cannot_be_is_said():
    options = {
        "longer": {"like": "path1", "time": 3},
        "low": {"like": "path1", "energy": {"first": "20 meV", "last": "60 meV", "step": "2 meV"}},
        "field": {"like": "path1", "field": ["0 T", "0 T", "5 T"]},
    }
    data = study("file", next={"fit": "counted", "options": options})
    before, found, impossible = next_options.run(data)
    by_label = {gain.label: gain for gain in found}
    assert found[0].label == "longer" and list(impossible) == ["field"]
    # Three times as long again: a quarter of the variance, as far as the data are what the fit expects.
    assert by_label["longer"].factor == pytest.approx(0.5, rel=0.05)
    assert 0.5 < by_label["low"].factor < 1.0
    text = next_options.table(before, found, impossible)
    assert "most telling: longer" in text and "field: cannot be judged" in text


def test_an_option_that_names_nothing_known_is_refused():
    with pytest.raises(ConfigError, match="unknown measurement of the fit 'path9'"):
        study(next={"fit": "counted", "options": {"a": {"like": "path9"}}})
    with pytest.raises(ConfigError, match="unknown fit"):
        study(next={"fit": "nothing", "options": {"a": {"like": "path1"}}})


def test_thinned_fits_scatter_as_much_as_they_say(tmp_path):
    text = thin.run(study("file"), [2e3, 2e4, 1e9], 8, tmp_path / "counts.png")
    assert "not thinned to 1e+09" in text and (tmp_path / "counts.png").stat().st_size > 10_000
    shares = [int(a or b) for a, b in re.findall(r"95 % covers (\d+) %|profile (\d+) %", text)]
    # Eight fits: fewer than five covered of 95 % has a chance of 1e-4.
    assert len(shares) == 8 and min(shares) >= 62
