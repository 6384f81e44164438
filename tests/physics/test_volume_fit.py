"""Volumes: S(Q) in three, S(Q, ω) in four dimensions, through files of Mantid with gaps to couplings that are known."""

import importlib.util
from pathlib import Path

import h5py
import numpy as np
import pytest


@pytest.fixture(scope="module")
def volumes():
    file = Path(__file__).parents[2] / "benchmarks" / "volumes.py"
    spec = importlib.util.spec_from_file_location("benchmark_volumes", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ["diffuse", "spectrum"])
def test_a_volume_with_gaps_gives_its_couplings_back(volumes, kind, tmp_path):
    path = tmp_path / "volume.nxs"
    assert volumes.make(kind, 15_000, path) > 13_000
    with h5py.File(path) as file:
        signal = file["MDHistoWorkspace/data/signal"][()]
        assert signal.ndim == (3 if kind == "diffuse" else 4)
        assert 0.04 < np.isnan(signal).mean() < 0.25 and np.any(signal == 0.0)
    found = volumes.fit(kind, path)
    assert found["measured"] == np.isfinite(signal).sum()
    # Standard deviations are those of counting: four of them, for two or three couplings.
    assert np.abs(found["pulls"]).max() < 4.0
    assert np.all(np.array(found["std"]) < 0.12)
    # The deviance of Poisson's law at two counts a voxel is 1.1 a degree of freedom, not 1.
    assert 1.0 < found["deviance_per_dof"] < 1.2


def test_a_generator_gives_the_same_couplings(volumes, tmp_path):
    """Learnt from 80 simulated volumes: its own error is a small part of that of counting, and so is the difference."""
    path = tmp_path / "volume.nxs"
    volumes.make("diffuse", 4_000, path)
    direct, learnt = volumes.fit("diffuse", path), volumes.fit_by_generator(path, n_point=80)
    difference = np.abs(np.subtract(learnt["couplings"], direct["couplings"])) / direct["std"]
    assert difference.max() < 0.1 and max(learnt["share_of_generator"]) < 0.1
    assert np.abs(learnt["pulls"]).max() < 4.0


@pytest.mark.parametrize("kind", ["diffuse", "spectrum"])
def test_latent_numbers_give_them_too(volumes, kind, tmp_path):
    """Distances in principal components, scale and constant eliminated: little information is lost."""
    path = tmp_path / "volume.nxs"
    volumes.make(kind, 4_000, path)
    direct, latent = volumes.fit(kind, path), volumes.fit_by_latent_chi2(path, kind=kind, n_point=100)
    assert np.abs(latent["pulls"]).max() < 4.0
    # An encoder sees less than the likelihood does, and cannot know more.
    ratio = np.divide(latent["std"], direct["std"])
    assert ratio.min() > 0.9 and ratio.max() < 1.3
    assert np.abs(np.subtract(latent["couplings"], direct["couplings"]) / latent["std"]).max() < 2.0
    n_left = volumes.N_LATENT[kind] - len(latent["couplings"]) - 2
    assert latent["latent_chi2_per_dof"] == pytest.approx(1.0, abs=4 * np.sqrt(2 / n_left))


def test_a_generator_gives_those_of_a_spectrum(volumes, tmp_path):
    """Lines that move over the volume take more latent numbers, and more simulations, than diffuse scattering."""
    path = tmp_path / "volume.nxs"
    volumes.make("spectrum", 4_000, path)
    direct, learnt = volumes.fit("spectrum", path), volumes.fit_by_generator(path, kind="spectrum")
    difference = np.abs(np.subtract(learnt["couplings"], direct["couplings"]))
    assert np.all(difference < 0.5 * np.array(direct["std"])) and np.abs(learnt["pulls"]).max() < 4.0
    # Its own error tells how far it is from the direct fit.
    own = np.multiply(learnt["share_of_generator"], learnt["std"])
    assert np.all(difference < 4.0 * own) and np.all(own < 0.5 * np.array(direct["std"]))


def test_the_intervals_of_a_spectrum_are_neither_too_small_nor_too_large(volumes, tmp_path):
    """Over 200 draws of counts and gaps, each through a file; J and Jp are nearly one number."""
    pulls = volumes.coverage("spectrum", 4_000, 200, tmp_path / "volume.nxs")
    assert np.abs(pulls.mean(axis=0)).max() < 4 / np.sqrt(200)
    assert np.abs(pulls.std(axis=0) - 1.0).max() < 4 / np.sqrt(2 * 200)
    shares = np.mean(np.abs(pulls) < 1.96, axis=0)
    assert np.abs(shares - 0.95).max() < 4 * np.sqrt(0.95 * 0.05 / 200)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["diffuse", "spectrum"])
def test_a_network_gives_them_within_its_own_error(volumes, kind, tmp_path):
    path = tmp_path / "volume.nxs"
    volumes.make(kind, 15_000, path)
    found = volumes.fit_by_siren(path, kind=kind)
    assert found["held_out_r2"] > (0.99 if kind == "diffuse" else 0.95)
    assert np.abs(found["pulls"]).max() < 4.0 and max(found["std"]) < 0.3
    if kind == "diffuse":
        # What the network does not know is no more than what counting leaves open.
        assert np.all(np.array(found["network"]) < 1.5 * np.array(found["counting"]))
