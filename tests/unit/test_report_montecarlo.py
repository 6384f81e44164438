"""A tiny Monte Carlo study through all stages in one process, and what its report shows."""

from pathlib import Path

import numpy as np
import pytest

from spinscape.config import build
from spinscape.config.load import load_study
from spinscape.lattice.volumes import QGrid
from spinscape.plot.montecarlo import charges_figure, curves_figure, maps_figure, slices_figure
from spinscape.stages import collect, report, report_montecarlo, simulate
from spinscape.stages import model as model_stage
from spinscape.stages.plan import write_plan
from spinscape.store.read import StudyStore

TESTS = Path(__file__).parents[2] / "config" / "test"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return the report's section, the index, the model and the folder of a study by its name."""
    known = {}

    def made(name):
        if name not in known:
            known[name] = through_all_stages(load_study(TESTS / f"{name}.yaml"), tmp_path_factory.mktemp(name))
        return known[name]

    return made


def through_all_stages(study, folder):
    model = folder / "model.json"
    model_stage.run(build.model_section(study), model)
    header = {**build.plan_header(study), "ranks_per_point": 1}
    batches = write_plan(folder / "plan", header, build.grid_points(study), study.simulate.batch_size)
    sealed = [folder / f"{name}.zarr.zip" for name in batches]
    for name, output in zip(batches, sealed, strict=True):
        simulate.run(model, folder / "plan" / f"{name}.json", folder / "work", output, log=lambda line: None)
    index = folder / "index.json"
    collect.run(sealed, index)
    return build.report_section(study), index, model, folder


@pytest.mark.parametrize(("name", "n_figure"), [("ising2d", 4), ("heisenberg_cubic", 4), ("dy2ti2o7", 5)])
def test_the_report_shows_curves_slices_and_maps(results, name, n_figure):
    section, index, model, folder = results(name)
    output = folder / "report.html"
    report.run(section, index, model, [], [], [], output)
    page = output.read_text()
    assert page.count("data:image/png;base64,") == n_figure
    for text in (
        "Heat capacity by fluctuation with error bars",
        "S(Q) at",
        "accepted part of the moves",
        "equilibrated",
    ):
        assert text in page, text
    if name == "dy2ti2o7":
        assert "form factor left out" in page and "spins" in page and "monopoles of a spin ice" in page


def test_slices_from_pairs_and_from_stored_signals_are_one(results):
    section, index, model, _ = results("ising2d")
    with StudyStore(index) as store:
        data = report_montecarlo._Data(section, store, model)
        grid = QGrid.from_dict(section["volumes"][0])
        stored = report_montecarlo._images(data, grid, [0])[0]
        store.template = {name: spec for name, spec in store.template.items() if not name.startswith("signal")}
        made = report_montecarlo._images(data, grid, [0])[0]
    np.testing.assert_allclose(made, stored, rtol=1e-5)


def test_what_points_say_of_themselves_is_counted(results):
    section, index, _, _ = results("dy2ti2o7")
    found = report_montecarlo.facts(index, section["study"])
    assert found["equilibrated"].endswith("of 4 points")
    classes = [
        value for label, value in found.items() if label.startswith("points with") and "equilibrated" in str(value)
    ]
    assert sum(int(value.split(",")[0]) for value in classes) == 4


def test_curves_are_sorted_and_have_error_bars():
    panel = {"label": "C", "unit": "k_B", "values": [[1.0, 2.0, 3.0]], "errors": [[0.1, 0.2, 0.3]]}
    figure = curves_figure(temperatures=[10.0, 5.0, 1.0], panels=[panel, {**panel, "lines": [[1, 1, 1]]}], labels=["a"])
    axes = figure.axes[0]
    assert axes.get_xscale() == "log" and axes.lines[0].get_xdata().tolist() == [1.0, 5.0, 10.0]
    assert axes.lines[0].get_ydata().tolist() == [3.0, 2.0, 1.0] and len(axes.containers) == 1
    assert axes.get_ylabel() == "C (k_B)" and len(figure.axes[1].lines) == len(axes.lines) + 1


def test_charges_are_drawn_by_their_sign():
    panel = {"title": "1 K", "positions": np.random.default_rng(1).random((6, 3)), "charges": [0, 1, -1, 2, 0, -1]}
    figure = charges_figure(panels=[panel, {**panel, "charges": np.zeros(6)}], box=np.eye(3))
    none, positive, negative = figure.axes[0].collections
    assert [len(part.get_offsets()) for part in (none, positive, negative)] == [2, 2, 2]
    assert positive.get_sizes().tolist() == [26.0, 52.0] and len(figure.axes[0].lines) == 12
    assert figure.axes[1].get_legend() is None and figure.axes[0].get_legend() is not None


def test_slices_have_the_axes_of_their_grid():
    grid = QGrid("hhl", np.zeros(3), [[1, 1, 0], [0, 0, 1], [1, -1, 0]], ([-1, 0, 1], [-2, 0, 2, 4], [0, 1]))
    figure = slices_figure(slices=[[(grid, np.arange(6.0).reshape(2, 3))]], columns=["J = 1"], rows=["hhl"])
    axes = figure.axes[0]
    assert axes.get_xlabel() == "along (1 1 0) (r.l.u.)" and axes.get_ylabel() == "along (0 0 1) (r.l.u.)"
    assert axes.get_xlim() == (-1, 1) and axes.get_ylim() == (-2, 4)
    assert axes.get_aspect() == pytest.approx(1 / np.sqrt(2))


def test_a_slice_of_a_hexagonal_lattice_is_drawn_as_it_lies_in_space():
    reciprocal = np.array([[np.sqrt(3) / 2, 0.5, 0], [0, 1, 0], [0, 0, 1]])
    grid = QGrid("hk0", np.zeros(3), np.eye(3), ([0, 1, 2], [0, 1, 2], [-0.5, 0.5]))
    figure = slices_figure(slices=[[(grid, np.ones((2, 2)))]], columns=[""], rows=["hk0"], reciprocal=reciprocal)
    corners = figure.axes[0].collections[0].get_coordinates()
    assert figure.axes[0].get_xlabel() == "along (1 0 0) (1/Å)" and figure.axes[0].get_aspect() == 1.0
    # (0 1 0) lies 60° from (1 0 0), both of length 1.
    np.testing.assert_allclose(corners[0, 1], [0.5, np.sqrt(3) / 2], atol=1e-12)
    np.testing.assert_allclose(corners[2, 0], [2, 0], atol=1e-12)


def test_a_lattice_is_drawn_as_pixels_and_other_points_as_dots():
    x, y = (axis.ravel() for axis in np.meshgrid([0.0, 1.0], [0.0, 1.0, 2.0], indexing="ij"))
    one = {"label": "R", "values": np.arange(6.0)}
    lattice = maps_figure(names=("a", "b"), units=("meV", ""), axes_values=(x, y), maps=[one])
    assert len(lattice.axes[0].collections) == 1 and lattice.axes[0].collections[0].get_array().shape == (3, 2)
    spread = np.linspace(0, 1, 6) ** 2
    dots = maps_figure(names=("a", "b"), units=("meV", ""), axes_values=(spread, spread[::-1]), maps=[one])
    assert len(dots.axes[0].collections[0].get_offsets()) == 6
