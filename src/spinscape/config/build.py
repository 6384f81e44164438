"""From a validated study to the package's own objects.

Functions that the workflow calls while it is being parsed (``plan_header``, ``grid_points``) import nothing heavy;
those that need symmetry import it inside.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

from ..errors import ConfigError
from ..hamiltonian.conditions import Conditions
from ..lattice.crystal import lattice_vectors
from ..lattice.qspace import EnergyAxis, path_through

MODEL_SECTIONS = ("crystal", "couplings", "hamiltonian", "structure")


def digest(data):
    """Return a short hash of plain data, independent of the order of keys."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def model_section(study):
    """Return the sections that the model is made of, as plain data."""
    return {name: study.section(name) for name in MODEL_SECTIONS}


def parameter_names(study):
    """Return the names of θ: all couplings, in the order of the file."""
    return tuple(study.couplings)


def vectors(study):
    """Return the lattice vectors as rows, (3, 3), Å."""
    lattice = study.crystal.lattice
    # Not model_dump, which gives text with units.
    return lattice_vectors(**dict(lattice))


def conditions(study):
    """Return the conditions of the simulations."""
    return Conditions(study.conditions.temperature, study.conditions.field or (0.0, 0.0, 0.0))


def path(study, name):
    """Return a declared path."""
    reciprocal = 2.0 * np.pi * np.linalg.inv(vectors(study)).T
    declared = study.paths[name]
    base = declared if declared.like is None else study.paths[declared.like]
    return path_through(
        base.vertices,
        n_point=base.points,
        reciprocal=reciprocal,
        name=name,
        labels=declared.labels or base.labels,
        shift=declared.shift,
    )


def energy_axis(declared):
    """Return the axis of an energy section."""
    return EnergyAxis.from_range(first=declared.first, last=declared.last, step=declared.step)


def spinwave_settings(simulate):
    """Return the plain settings of the spin-wave simulator (``SpinwaveSettings.from_dict`` reads them)."""
    smear = simulate.q_smear
    return {
        "energy_factor": simulate.energy_factor,
        "component": simulate.intensity.component,
        "cap": simulate.intensity.cap,
        "fwhm": list(simulate.resolution.fwhm),
        "q_smear": 0.0 if smear == "none" else smear.sigma,
    }


def theta_from_couplings(study, values):
    """Return θ (n_parameter,) from the free couplings' values, the fixed ones filled in."""
    return np.array([values[n] if c.value is None else c.value for n, c in study.couplings.items()])


def plan_header(study):
    """Return what every batch of a study's plan holds beside its points: plain data."""
    settings = {
        "kind": study.simulate.kind,
        "model": digest(model_section(study)),
        "paths": [path(study, name).to_dict() for name in study.simulate.paths],
        "energy": energy_axis(study.simulate.energy).to_dict(),
        "conditions": conditions(study).to_dict(),
        "spinwave": spinwave_settings(study.simulate),
    }
    return {
        "study": study.study,
        "seed": study.seed,
        "kind": study.simulate.kind,
        "settings": settings,
        "parameter_names": list(parameter_names(study)),
        "ranks_per_point": 1,
        "failed_fraction": study.simulate.failed_fraction,
    }


def grid_points(study):
    """Return the couplings of every point, (n_point, n_parameter) float64, in internal units."""
    from ..hamiltonian import grids

    grid = study.grid
    free = [name for name, coupling in study.couplings.items() if coupling.value is None]
    if grid.kind in ("random", "sobol"):
        make = grids.random_points if grid.kind == "random" else grids.sobol_points
        columns = make([grid.box[name] for name in free], n_point=grid.n_point, seed=study.seed)
    elif grid.kind == "lattice":
        columns = grids.lattice_points([np.linspace(a.first, a.last, a.n) for a in (grid.axes[name] for name in free)])
    elif grid.kind == "list":
        columns = grids.list_points([[point[name] for name in free] for point in grid.points])
    else:
        axes = {name: np.linspace(axis.first, axis.last, axis.n) for name, axis in grid.axes.items()}
        columns = grid.unit * grids.mapped_points(axes, [grid.couplings[name] for name in free])
    out = np.empty((len(columns), len(study.couplings)))
    for k, (name, coupling) in enumerate(study.couplings.items()):
        out[:, k] = columns[:, free.index(name)] if coupling.value is None else coupling.value
    return out


def build_crystal(study):
    """Return the crystal with every site of every orbit."""
    from ..lattice import symmetry

    declared = study.crystal
    sites = [
        symmetry.SiteSpec(
            label=site.label,
            ion=site.ion,
            position=site.position,
            spin=1.0 if declared.unit_spins else site.spin,
            g=np.eye(3) * site.g if np.isscalar(site.g) else np.array(site.g),
        )
        for site in declared.sites
    ]
    if declared.space_group is None:
        return symmetry.crystal_from_sites(vectors(study), sites)
    return symmetry.crystal_from_space_group(vectors(study), declared.space_group, sites)


def build_structure(study, crystal):
    """Return the declared magnetic structure with site indices of the crystal."""
    from ..hamiltonian.model import MagneticStructure

    moments = study.structure.moments
    site = [site_index(crystal, m.site, m.index, where=f"structure.moments.{k}") for k, m in enumerate(moments)]
    structure = MagneticStructure(
        np.array(study.structure.magnetic_cell),
        np.array(site),
        np.array([m.cell for m in moments]),
        np.array([m.direction for m in moments]),
    )
    volume = abs(round(float(np.linalg.det(structure.magnetic_cell))))
    if volume == 0 or len(moments) != volume * crystal.n_site:
        raise ConfigError(
            "the moments do not fill the magnetic cell",
            where="structure.moments",
            expected=f"{volume * crystal.n_site} moments ({volume} chemical cells of {crystal.n_site} sites)",
            got=f"{len(moments)} moments",
            fix="list each site of each chemical cell of the magnetic cell once",
        )
    if np.any(np.linalg.norm(structure.direction, axis=1) < 0.5):
        raise ConfigError("a moment has no direction", where="structure.moments", expected="a vector that is not zero")
    return structure


def site_index(crystal, label, index, *, where):
    """Return the index in the crystal of the ``index``-th site of the orbit ``label``."""
    members = [k for k, name in enumerate(crystal.labels) if name == label]
    if index >= len(members):
        raise ConfigError(
            f"site {label} has only {len(members)} positions",
            where=where,
            expected=f"index below {len(members)}",
            got=index,
        )
    return members[index]


def build_model(study):
    """Return the model and the magnetic structure of a study (or of its model sections alone).

    Returns
    -------
    Model, MagneticStructure
    """
    from .terms import build_terms

    crystal = build_crystal(study)
    return build_terms(study, crystal), build_structure(study, crystal)


def learn_section(study, name):
    """Return what the learn stage needs of a study, as plain data."""
    grid = study.grid
    box = {name: list(pair) for name, pair in grid.box.items()} if grid.kind in ("random", "sobol") else None
    return {"model": study.section("learn")[name], "box": box, "name": name}


def measurement_section(study, name):
    """Return what the measurement stage needs of a study, as plain data."""
    measurement = study.measurements[name]
    out = {
        "measurement": study.section("measurements")[name],
        "path": path(study, measurement.path).to_dict(),
        "conditions": conditions(study).to_dict(),
    }
    if measurement.simulated is not None:
        out["spinwave"] = spinwave_settings(study.simulate)
        out["theta"] = theta_from_couplings(study, measurement.simulated.couplings).tolist()
        out["energy"] = energy_axis(measurement.simulated.energy).to_dict()
    return out


def fit_section(study, name):
    """Return what the fit stage needs of a study, as plain data."""
    return {
        "fit": study.section("fits")[name],
        "spinwave": spinwave_settings(study.simulate),
        "couplings": {n: c.value for n, c in study.couplings.items()},
    }


def report_section(study):
    """Return what the report stage needs of a study, as plain data."""
    return {
        "study": study.study,
        "title": study.title,
        "seed": study.seed,
        "kind": study.simulate.kind,
        "paths": [path(study, name).to_dict() for name in study.simulate.paths],
        "conditions": conditions(study).to_dict(),
    }


def files_of(measurement):
    """Return the declared files of a measurement."""
    return (measurement.signal, measurement.momentum, measurement.energy)


def is_local(measurement, data_folder):
    """Tell whether every file of a measurement lies below the data folder."""
    return data_folder is not None and all((Path(data_folder) / f.file).is_file() for f in files_of(measurement))


def measurements_of(study, fit_name, data_folder):
    """Return the names of a fit's measurements, without the optional ones whose files are not at hand."""
    names = study.fits[fit_name].measurements
    return [n for n in names if not study.measurements[n].optional or is_local(study.measurements[n], data_folder)]
