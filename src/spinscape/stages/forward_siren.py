"""The forward model ``siren`` of a fit."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..config.learning import SirenSection
from ..hamiltonian.model import Model
from ..infer.forward import siren_forward
from ..infer.held_out import HeldOut
from ..learn.checkpoint import load_siren
from ..learn.dataset import split_points
from ..simulate.spectrum_settings import SpinwaveSettings
from ..store.read import StudyStore
from .forward_spinwave import on_measurements
from .rows import learnt_rows


def intervals(declared):
    """A network has couplings alone."""
    return {}


def forward(declared, job, measurements):
    """Return the :class:`~spinscape.infer.forward.SirenForward`; mode energies are those of the study's spin waves."""
    bands, siren = None, load_siren(job.files["siren"])
    if "spinwave" in job.forward_settings:
        settings = SpinwaveSettings.from_dict(job.forward_settings["spinwave"])
        bands = on_measurements(job, measurements, settings)
    held_out = _held_out(siren, job, measurements)
    return siren_forward(siren, measurements, fixed=job.fixed, bands=bands, held_out=held_out)


@dataclass(frozen=True)
class _Images:
    """Reads simulated spectra of measurements.

    Parameters
    ----------
    index : str or Path
        Of the simulations.
    section : dict
        ``build.learn_section``.
    model : Model
    names : tuple of str
        Array of each measurement.
    points : (n,) int64
        Those that the network has not learnt from.
    """

    index: str | Path
    section: dict
    model: Model
    names: tuple[str, ...]
    points: np.ndarray

    def __call__(self, places):
        """Return S at some of the points, (m, n_q, n_energy) float64 for each measurement."""
        with StudyStore(self.index, study=self.section["study"]) as store:
            found = [self.rows(store).read_many(name, self.points[places]) for name in self.names]
        return tuple(one.reshape(*one.shape[:2], -1).astype(np.float64) for one in found)

    def rows(self, store):
        """Return the simulations as the network learns them."""
        return learnt_rows(store, self.section, SirenSection.model_validate(self.section["model"]), self.model)


def _held_out(siren, job, measurements):
    """Return the simulations that a network has not learnt from; None where they lie on other axes than measured."""
    section, arrays, about = job.forward_settings["learn"], job.forward_settings["arrays"], siren.metadata
    if "index" not in job.files or "n_train" not in about:
        return None
    names, nothing = tuple(arrays.get(m.name) for m in measurements), np.zeros(0, dtype=np.int64)
    images = _Images(job.files["index"], section, job.model, names, nothing)
    with StudyStore(images.index, study=section["study"]) as store:
        rows = images.rows(store)
        if not all(_same_axes(rows, name, m) for name, m in zip(images.names, measurements, strict=True)):
            return None
        _, points = split_points(rows.theta, n_train=about["n_train"], seed=about["seed"])
    width = siren.domain.theta_upper - siren.domain.theta_lower
    return HeldOut(rows.theta[points], width, replace(images, points=points))


def _same_axes(rows, name, measurement):
    """Tell whether a measurement has the momenta and energies of an array."""
    if name not in rows.template:
        return False
    coords = rows.template[name]["coords"]
    known = coords["energy"]["values"] if "energy" in coords else []
    wanted = [] if measurement.energy is None else measurement.energy.centres
    pairs = (coords["hkl"]["values"], measurement.momentum.points), (known, wanted)
    return all(np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=0.0, atol=1e-6) for a, b in pairs)
