"""A fit that follows a file: states half written, growing counts, the end; options and thinned counts of a study."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from spinscape.config.load import study_from_data
from spinscape.errors import ConfigError, FitError, SpinscapeError
from spinscape.infer.forward import SpinwaveForward
from spinscape.infer.watching import Goal, Watch
from spinscape.rng import stream
from spinscape.stages import next_options, thin
from spinscape.stages import watch as watch_stage
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
    basin, first, broken, quick, second, quick_again, last = (next(found) for _ in range(7))
    assert isinstance(broken, SpinscapeError) and not isinstance(basin, Exception), basin
    assert first.searched and first.counts == pytest.approx(1000, rel=0.2) and not first.done
    # Of a new file the answer comes from the best basin.
    assert basin.pending and not basin.searched and basin.counts == first.counts
    assert second.searched and second.needed > second.counts and "counts" in sentence(second, goal)
    # The answer comes from the minima known before, the search after it; what is not searched is not known well enough.
    assert quick.pending and not quick.searched and quick.counts == second.counts and not first.pending
    assert all(sentence(one, goal).endswith("; other basins not searched yet") for one in (basin, quick, quick_again))
    assert quick_again.pending and not quick_again.done and quick_again.stds["J"] <= quick_again.target
    assert last.done and sentence(last, goal).endswith("J is known to 0.3 %: stop")
    for reading in (basin, first, quick, second, quick_again, last):
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
    one, watch = opened(folder, counts(expected, 5000.0), Goal("J", absolute=0.1))
    assert watch.update(one.current, one.counts(one.current)).pending and watch.search().searched
    more = one.state(_written(folder, counts(expected, 6000.0)))
    reading = watch.update(more, one.counts(more))
    assert not reading.searched and not reading.pending
    fewer = one.state(_written(folder, counts(expected, 2000.0)))
    reading = watch.update(fewer, one.counts(fewer))
    assert reading.pending and not reading.done and watch.search().searched


def test_the_first_answer_is_of_one_descent_and_never_stops(folder, expected, monkeypatch):
    calls = []
    for name in ("predict", "gradient"):
        plain = getattr(SpinwaveForward, name)
        monkeypatch.setattr(SpinwaveForward, name, lambda *a, plain=plain: calls.append(1) or plain(*a))
    # With 60,000 counts J is known to 1 % at once.
    one, watch = opened(folder, counts(expected, 60_000.0), Goal("J", relative=0.01))
    calls.clear()
    basin, n_basin = watch.update(one.current, one.counts(one.current)), len(calls)
    assert basin.stds["J"] <= basin.target and basin.pending and not basin.done
    # The grid of 36, one descent (a trial and a derivative a step) and the information at its end.
    assert 36 < n_basin <= 60
    calls.clear()
    again, n_again = watch.update(one.current, one.counts(one.current)), len(calls)
    # As long as nothing was searched it is no known minimum.
    assert again == basin and n_again == n_basin
    calls.clear()
    found = watch.search()
    assert len(calls) > 1.5 * n_basin and found.done and found.searched and not found.pending
    # As a search that nothing came before.
    _, other = opened(folder, counts(expected, 60_000.0), Goal("J", relative=0.01))
    whole = other.strategy.minimise(other.problem_of(one.current), other.box, other.seed).best.parameters
    assert list(found.values.values()) == whole.tolist()


def test_where_one_descent_is_the_search_or_finds_nothing_the_first_answer_is_of_the_search(folder, expected):
    one, watch = opened(folder, counts(expected, 5000.0), Goal("J", absolute=0.1))
    whole = watch.strategy
    watch.strategy = replace(whole, n_refine=1)
    assert watch.update(one.current, one.counts(one.current)).searched

    @dataclass(frozen=True)
    class Unstable:
        n_refine: int = 2

        def minimise(self, *how):
            if self.n_refine == 1:
                raise FitError("the structure is unstable at every start", where="strategy grid_start: box")
            return whole.minimise(*how)

    _, watch = opened(folder, counts(expected, 5000.0), Goal("J", absolute=0.1))
    watch.strategy = Unstable()
    assert watch.update(one.current, one.counts(one.current)).searched


def test_a_fit_is_ready_before_its_file_is_there(folder, expected, capsys):
    path, slept, opened_with = folder / "run.csv", [], []

    def sleep(_):
        slept.append(len(opened_with))
        if not path.exists():
            write(path, counts(expected, 1000.0))

    def seen(*args, **how):
        opened_with.append(how.get("file"))
        return open_fit(*args, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch_stage, "open_fit", seen)
        clock = iter(range(100))
        how = {"data_folder": folder, "sleep": sleep, "clock": lambda: next(clock)}
        assert next(readings(study(), path, Goal("J", relative=0.01), **how)).pending
        # A file that is there already is not kept waiting.
        assert next(readings(study(), path, Goal("J", relative=0.01), **how)).pending
    assert slept[0] == 1 and opened_with == [None, path, path]
    assert "SIMULATED" not in capsys.readouterr().err


def opened(folder, image, goal):
    one = open_fit(study(), file=_written(folder, image), data_folder=folder)
    return one, Watch(one.problem, one.box, one.strategy, goal)


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
