"""What the stages of the workflow need of a validated study, as plain data.

The workflow calls these functions while it is being parsed: nothing heavy is imported.
"""

import hashlib
import json

from .axes import conditions, path, vectors, volume
from .build_model import build_crystal, build_model
from .comparisons import compared_files, comparison_modules, comparison_section, names_of_compared_files
from .couplings import parameter_names, theta_from_couplings
from .fits import fit_files, fit_modules, fit_section
from .grids import grid_points
from .learning import compression_section, learn_section, names_of_kind
from .measurements import files_of, is_local, measurement_modules, measurement_section
from .phases import phase_section
from .refine import n_part, refine_section
from .spinwave import spinwave_settings

__all__ = [
    "build_crystal",
    "build_model",
    "compared_files",
    "comparison_modules",
    "comparison_section",
    "compression_section",
    "conditions",
    "files_of",
    "fit_files",
    "fit_modules",
    "fit_section",
    "grid_points",
    "is_local",
    "learn_section",
    "measurement_modules",
    "measurement_section",
    "measurements_of",
    "model_section",
    "n_part",
    "names_of_compared_files",
    "names_of_kind",
    "parameter_names",
    "path",
    "phase_section",
    "plan_header",
    "refine_section",
    "replicas",
    "report_section",
    "spinwave_settings",
    "theta_from_couplings",
    "vectors",
]

MODEL_SECTIONS = ("crystal", "couplings", "hamiltonian", "structure")


def digest(data):
    """Return a short hash of plain data, independent of the order of keys."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def model_section(study):
    """Return the sections that the model is made of, as plain data."""
    return {name: study.section(name) for name in MODEL_SECTIONS}


def plan_header(study):
    """Return what every batch of a study's plan holds beside its points: plain data."""
    settings = {
        "kind": study.simulate.kind,
        "model": digest(model_section(study)),
        "conditions": conditions(study).to_dict(),
        **study.simulate.settings(study),
    }
    return {
        "study": study.study,
        "seed": study.seed,
        "kind": study.simulate.kind,
        "settings": settings,
        "parameter_names": list(parameter_names(study)),
        "ranks_per_point": study.simulate.group_size,
        "failed_fraction": study.simulate.failed_fraction,
    }


def replicas(study):
    """Return which share of the points is simulated how many times; None where each is once."""
    return None if study.replicas is None else study.replicas.model_dump()


def report_section(study):
    """Return what the report stage needs of a study, as plain data."""
    return {
        "study": study.study,
        "title": study.title,
        "seed": study.seed,
        "kind": study.simulate.kind,
        "paths": [path(study, name).to_dict() for name in study.simulate.paths],
        "volumes": [volume(study, name).to_dict() for name in study.volumes],
        **_shown_settings(study),
        "conditions": conditions(study).to_dict(),
    }


def _shown_settings(study):
    """Return what the report reads of the simulator's settings."""
    if study.simulate.kind == "dynamics":
        return {"dynamics": study.simulate.settings(study), "shown": study.simulate.shown_rows(study)}
    if study.simulate.kind == "spinwave":
        return {"spinwave": study.simulate.settings(study)}
    return study.simulate.settings(study) if study.simulate.kind == "montecarlo" else {}


def measurements_of(study, fit_name, data_folder):
    """Return the names of a fit's measurements, without the optional ones whose files are not at hand."""
    names = study.fits[fit_name].measurements
    return [n for n in names if not study.measurements[n].optional or is_local(study.measurements[n], data_folder)]
