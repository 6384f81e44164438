"""What the report of a spin-wave study shows of its simulations: spectra of paths, powders and slices."""

from pathlib import Path

import numpy as np
import pytest

from spinscape.config import build
from spinscape.config.load import load_study
from spinscape.lattice.qspace import EnergyAxis
from spinscape.stages import collect, report, report_spinwave, simulate
from spinscape.stages import model as model_stage
from spinscape.stages.plan import write_plan
from spinscape.store.read import StudyStore

TESTS = Path(__file__).parents[2] / "config" / "test"


def through_all_stages(study, folder):
    model, index = folder / "model.json", folder / "index.json"
    model_stage.run(build.model_section(study), model)
    points = build.grid_points(study)[:4]
    batches = write_plan(folder / "plan", build.plan_header(study), points, len(points))
    sealed = [folder / f"{name}.zarr.zip" for name in batches]
    for name, output in zip(batches, sealed, strict=True):
        simulate.run(model, folder / "plan" / f"{name}.json", folder / "work", output, log=lambda line: None)
    collect.run(sealed, index)
    return build.report_section(study), index, model


@pytest.mark.parametrize(
    ("name", "n_figure", "texts"),
    [
        (
            "triangular",
            3,
            ("of the powder powder", "on the slice plane", "1 declared, 1 own", "b/(sr meV)", "0.3 − 0.02 E"),
        ),
        ("la2nio4", 3, ("on the path path1", "Dashed: energies of the modes", "4 declared")),
    ],
)
def test_the_report_shows_the_spectra(name, n_figure, texts, tmp_path):
    section, index, model = through_all_stages(load_study(TESTS / f"{name}.yaml"), tmp_path)
    report.run(section, index, model, [], [], [], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png;base64,") == n_figure
    for text in ("Simulated spectra", *texts):
        assert text in page, text
    with StudyStore(index) as store:
        data = report_spinwave._Data(section, store, model)
        theta = store.theta[data.points]
        assert len(data.points) == min(3, store.n_point) and np.all(np.diff(theta[:, 0]) >= 0)


def test_slices_are_taken_where_the_intensity_is():
    energy = EnergyAxis.from_range(first=-5.0, last=20.0, step=0.5)
    spectrum = np.exp(-0.5 * (energy.centres - 12.0) ** 2) + 10.0 * (energy.centres < 0)
    windows = report_spinwave._windows(spectrum, energy)
    middles = [energy.edges[[a, b]].mean() for a, b in windows]
    np.testing.assert_allclose(middles, [11.3, 12.0, 12.7], atol=0.5)
    assert report_spinwave._windows(np.zeros(51), energy) == [(23, 28)]
