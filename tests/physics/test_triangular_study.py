"""The demonstration of spirals, slices and powders, from its YAML to its store; its energies in closed form."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spinscape.config import build
from spinscape.config.axes import energy_axis, volume
from spinscape.config.load import load_study
from spinscape.simulate.spectrum import SpectrumModel, SpinwaveSettings
from spinscape.stages import model as model_stage
from spinscape.stages import simulate
from spinscape.stages.plan import read_plan, write_plan
from spinscape.store.read import open_batch

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def study():
    return load_study(ROOT / "config" / "test" / "triangular.yaml")


def spectrum(study, **change):
    model, structure = build.build_model(study)
    how = replace(SpinwaveSettings.from_dict(build.spinwave_settings(study.simulate, study)), **change)
    energy, conditions = energy_axis(study.simulate.energy), build.conditions(study)
    return SpectrumModel(model, structure, volume(study, "plane"), energy, how, conditions)


def closed_form(q, J, S=2.5):
    """3 J S sqrt((1 - γ)(1 + 2γ)) at q, meV (Jolicoeur and Le Guillou, Phys. Rev. B 40, 2727 (1989))."""
    h, k = q[:, 0], q[:, 1]
    gamma = (np.cos(2 * np.pi * h) + np.cos(2 * np.pi * k) + np.cos(2 * np.pi * (h + k))) / 3.0
    return 3.0 * J * S * np.sqrt(np.clip((1.0 - gamma) * (1.0 + 2.0 * gamma), 0.0, None))


def test_energies_have_the_closed_form(study):
    q = np.array([[0.1, 0.05, 0.3], [0.5, 0.0, 0.0], [0.21, 0.34, 0.8]])
    turn = np.array([1 / 3, 1 / 3, 0.0])
    expected = np.sort([closed_form(x, 0.25) for x in (q, q + turn, q - turn)], axis=0).T
    np.testing.assert_allclose(spectrum(study).mode_energies([0.25, 0.0], q), expected, atol=1e-5 * expected.max())


def test_the_study_runs_from_its_yaml_to_its_store(study, tmp_path):
    model_stage.run(build.model_section(study), tmp_path / "model.json")
    (name,) = write_plan(tmp_path / "plan", build.plan_header(study), build.grid_points(study), 2)
    plan, output = tmp_path / "plan" / f"{name}.json", tmp_path / "b.zarr.zip"
    counts = simulate.run(tmp_path / "model.json", plan, tmp_path / "work", output, log=lambda line: None)
    assert counts["done"] == 2
    with open_batch(output) as batch:
        (hard,) = (k for k, point in enumerate(read_plan(plan)["points"]) if point["theta"][1] < 0)
        assert [batch.diagnostics(k).get("structure") for k in (hard, 1 - hard)] == ["own", None]
        plane, powder = (batch.read(f"signal_{n}", 1 - hard) for n in ("plane", "powder"))
    assert plane.shape == (3, 3, 41) and powder.shape == (3, 41)
    np.testing.assert_allclose(plane.reshape(9, 41), spectrum(study).predict([0.25, 0.02]), rtol=1e-5, atol=1e-7)
    # 2 K is 0.17 meV: at -1 meV a line is e^(-11.6) of the one at 1 meV, below the tails of the Lorentzian part.
    assert 0 < plane[:, :, 0].max() < 0.1 * plane[:, :, 20].max()


def test_the_slice_is_the_mean_along_c(study):
    """The planes do not talk to each other: along c only form factor and polarisation change, and smoothly."""
    found = spectrum(study).predict([0.25, 0.02])
    grid = volume(study, "plane")
    lines = np.linspace(-0.33, 0.33, 41)
    weight = np.full(41, 1 / 40.0)
    weight[[0, -1]] *= 0.5
    model, structure = build.build_model(study)
    one = spectrum(study)
    mean = 0.0
    for w, share in zip(lines, weight, strict=True):
        edges = (*grid.edges[:2], np.array([w - 1e-4, w + 1e-4]))
        moved = replace(grid, edges=edges)
        mean = mean + share * SpectrumModel(model, structure, moved, one.energy, one.settings, one.conditions).predict(
            [0.25, 0.02]
        )
    # The trapezoidal rule is good to (0.66/40)² of the curvature.
    np.testing.assert_allclose(found, mean, atol=1e-3 * found.max())
