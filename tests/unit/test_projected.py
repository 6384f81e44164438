"""S(Q) made from stored correlations: the same as the projection by hand, with axes and places of its own."""

from types import SimpleNamespace

import numpy as np
import pytest

from spinscape.config.build import build_model, compression_section
from spinscape.config.load import read_yaml, study_from_data
from spinscape.config.signals import signals_section
from spinscape.errors import DataError
from spinscape.hamiltonian.operations import model_operations
from spinscape.lattice.volumes import QGrid
from spinscape.learn.augment import momenta_from_store
from spinscape.learn.images import StoreImages
from spinscape.observables.diffuse import correlation_grid
from spinscape.observables.diffuse_projection import DiffuseSettings, Projector
from spinscape.simulate.spin_system import block
from spinscape.stages.projected import with_projections


def study_data():
    data = read_yaml("config/test/dy2ti2o7.yaml")
    data["simulate"] = {**data["simulate"], "correlations": {"pairs": True}}
    return data


@pytest.fixture(scope="module")
def made():
    study = study_from_data(study_data())
    model, signals = build_model(study)[0], signals_section(study)
    cell = block(model, signals["supercell"])
    grid = correlation_grid(model.crystal, cell, operations=model_operations(model, field=signals["field"]))
    rng = np.random.default_rng(1)
    spins = rng.normal(size=(3, *grid.shape[:2]))
    # Correlations of one configuration each: Hermitian matrices of rank one.
    amplitude = spins + 1j * rng.normal(size=spins.shape)
    pairs = amplitude[..., :, None].conj() * amplitude[..., None, :]
    stored = np.stack([pairs.real, pairs.imag], axis=-1)[:, None].astype(np.float32)
    dims = ["temperature_of_signal", "wave", "mode", "other_mode", "complex"]
    spec = {"dims": dims, "shape": list(stored.shape[1:]), "dtype": "float32", "unit": "1 per cell", "coords": {}}

    def read_many(name, indices):
        assert name == "pairs"
        return stored[np.asarray(indices)]

    store = SimpleNamespace(template={"pairs": spec}, n_point=3, read_many=read_many)
    return study, model, signals, grid, store, stored


def test_it_is_the_projection_of_the_correlations(made):
    _, model, signals, grid, store, stored = made
    name = next(iter(signals["volumes"]))
    where = QGrid.from_dict(signals["volumes"][name])
    seen = with_projections(store, [f"signal_{name}"], model=model, signals=signals)
    source = StoreImages(seen, [f"signal_{name}"])
    values, valid = source.read(np.array([2, 0]))
    project = Projector(grid, where, DiffuseSettings(**signals["settings"]))
    for row, point in zip(values, (2, 0), strict=True):
        one = stored[point, 0].astype(np.float64)
        assert np.array_equal(row, project(one[..., 0] + 1j * one[..., 1]).ravel())
    assert valid is None and source.n_voxel == np.prod(where.shape)
    found = momenta_from_store(seen, [f"signal_{name}"], np.eye(3))
    np.testing.assert_allclose(found.hkl, where.points, atol=1e-12)
    assert with_projections(store, ["pairs"], model=model, signals=signals) is store


def test_what_no_correlations_give_is_refused(made):
    _, model, signals, _, store, _ = made
    for names, known in ((["signal_none"], signals), (["signal_hhl"], None)):
        with pytest.raises(DataError, match="no array"):
            with_projections(store, names, model=model, signals=known)


def test_the_stage_is_told_how(made):
    study = made[0]
    data = study_data()
    name = next(iter(study.volumes))
    data["replicas"] = {"share": 0.3, "n": 4}
    methods = {"components": {"kind": "pca", "dimensions": [1]}}
    data["learn"] = {"small": {"kind": "compression", "arrays": [f"signal_{name}"], "methods": methods}}
    section = compression_section(study_from_data(data), "small")
    assert list(section["signals"]["supercell"]) == [2, 2, 2] and section["study"] == study.study
    assert np.shape(section["reciprocal"]) == (3, 3) and set(section["signals"]["volumes"]) == set(study.volumes)
