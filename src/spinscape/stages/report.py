"""Stage ``report``: one self-contained page for a study."""

import json
from pathlib import Path

import numpy as np

from ..errors import StoreError
from ..hamiltonian.conditions import Conditions
from ..lattice.qspace import QPath
from ..lattice.volumes import QGrid
from ..plot.crystal import crystal_figure, drawn_parts
from ..plot.landscape import landscape_figure
from ..plot.report import FitContent, ReportContent, TrainingContent, render_report, report_figure
from ..plot.spectra import data_model_figure
from ..plot.training import held_out_figure, training_figure
from ..store.files import write_whole
from ..store.provenance import provenance
from . import fit_arrays, report_dynamics, report_montecarlo, report_spinwave
from .model_file import read_model
from .report_columns import figure_of_column
from .report_compare import comparison_content
from .report_compression import compression_section_content
from .report_phases import phase_section_content
from .report_rounds import rounds_content


def run(
    section,
    index,
    model,
    fits,
    arrays,
    metrics,
    output,
    *,
    phases=(),
    compressions=(),
    comparisons=(),
    rounds=((), ()),
    code=None,
):
    """Write the report of a study.

    Parameters
    ----------
    section : dict
        ``build.report_section``.
    index, model : str or Path
        Of the stages ``collect`` and ``model``.
    fits, arrays : list of str or Path
        JSON and HDF5 file of each fit, in one order.
    metrics : list of str or Path
        JSON file of each trained model.
    output : str or Path
    phases : list of (str or Path, str or Path)
        JSON and HDF5 file of each map of phases.
    compressions : list of str or Path
        JSON file of each comparison of compressors.
    comparisons : list of str or Path
        JSON file of each comparison of models.
    rounds : (list, list)
        What :func:`~spinscape.stages.report_rounds.rounds_content` takes; empty lists where there are no rounds.
    code : str, optional
        Fingerprint of the code.
    """
    collected = _json(index)
    results = [_json(path) for path in fits]
    content = ReportContent(
        study=section["study"],
        title=section["title"],
        fits=tuple(_fit(result, path) for result, path in zip(results, arrays, strict=True)),
        training=tuple(_training(_json(path)) for path in metrics),
        sections=(
            *_parts(section, index, model),
            *(phase_section_content(*pair, space=_space(section, model)) for pair in phases),
            *((rounds_content(*rounds),) if rounds[0] else ()),
            *(compression_section_content(path) for path in compressions),
            *(comparison_content(path) for path in comparisons),
        ),
        figures=(_crystal(section, model), *_simulated(section, index, model)),
        facts=_facts(section, collected, index),
        provenance=provenance(
            code=code, seed=section["seed"], data={r["fit"]: r["provenance"].get("data", {}) for r in results}
        ),
    )
    write_whole(output, render_report(content))


def _json(path):
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        fix = "run its stage again"
        raise StoreError("a result cannot be read", where=str(path), got=str(error), fix=fix) from None


def _crystal(section, model_path):
    model, structure = read_model(model_path)
    paths = [QPath.from_dict(path) for path in section["paths"]]
    figure = crystal_figure(model=model, structure=structure, paths=paths)
    names = ", ".join(model.parameter_names)
    beside = "; right, the paths of the simulations." if paths else "."
    return report_figure(
        figure,
        caption=f"{drawn_parts(structure).capitalize()} of {names}{beside}",
        alt=f"Crystal with the bonds of {names}" + (", and paths through the Brillouin zone" if paths else ""),
    )


def _parts(section, index, model):
    """Return the parts of the page that kinds of simulation have of their own."""
    kinds = {"dynamics": report_dynamics, "spinwave": report_spinwave}
    return kinds[section["kind"]].sections(section, index, model) if section["kind"] in kinds else ()


def _space(section, model):
    """Return the reciprocal vectors, and the slices and volumes of a study by name."""
    grids = {grid.name: grid for grid in map(QGrid.from_dict, section["volumes"])}
    return {"reciprocal": read_model(model)[0].crystal.reciprocal, "grids": grids}


def _simulated(section, index, model):
    """Return the figures of the simulations themselves, for kinds that have some."""
    return report_montecarlo.figures(section, index, model) if section["kind"] == "montecarlo" else ()


def _facts(section, collected, index):
    codes = ", ".join(f"{n} {code}" for code, n in collected["codes"].items() if n)
    conditions = Conditions.from_dict(section["conditions"])
    temperature = "not given" if conditions.temperature is None else f"{conditions.temperature:g} K"
    return {
        "simulated points": f"{collected['n_point']} ({codes})",
        "batches": len(collected["batches"]),
        "size of the store": f"{collected['bytes'] / 1e6:.1f} MB",
        "kind of simulation": section["kind"],
        "temperature": temperature,
        **(report_montecarlo.facts(index, section["study"]) if section["kind"] == "montecarlo" else {}),
    }


def _fit(result, arrays_path):
    spectra, landscape = fit_arrays.read(arrays_path)
    simulated = any(one.simulated for one in spectra)
    figures = [_spectrum_figure(result, one) for one in spectra]
    if landscape is not None:
        figures.append(_landscape_figure(result, landscape, fit_arrays.read_region(arrays_path), simulated))
    return FitContent(result, tuple(figures), simulated)


def _spectrum_figure(result, one):
    shown = result["objective"]["shown"][one.name]
    if one.quantity != "spectrum":
        return figure_of_column(one, shown)
    figure = data_model_figure(
        momentum=one.momentum,
        energy=one.energy,
        data=one.data,
        model=one.fitted,
        residual=one.residual,
        valid=one.valid,
        curves=one.bands if one.bands.shape[1] else None,
        quantity=shown["quantity"],
        unit=shown["unit"],
        residual_label=shown["residual"],
        simulated=one.simulated,
    )
    what = "Simulated measurement" if one.simulated else "Measurement"
    return report_figure(
        figure,
        caption=f"{what} {one.name}: data, best fit, residuals and cuts, on the scale that the objective compares.",
        alt=f"Maps of data, model and residual over {one.momentum.name} and energy, and cuts at three momenta",
    )


def _landscape_figure(result, landscape, region, simulated):
    values = {**result["parameters"], **result["nuisances"]}
    covariance = landscape.covariance if np.all(np.isfinite(landscape.covariance)) else None
    figure = landscape_figure(
        names=landscape.names,
        units=landscape.units,
        axes_values=(landscape.x, landscape.y),
        values=landscape.values,
        minima=result["minima"],
        label=result["objective"]["label"],
        covariance=covariance,
        points=_variant_points(result, landscape.names),
        region=None if region is None else region[1:],
        centre=tuple(values[name]["value"] for name in landscape.names),
        error=result["correlation"]["method"] or "statistics",
        simulated=simulated,
    )
    filled = "" if region is None else ", and filled what is acceptable at 68 and 95 % with all else refitted"
    return report_figure(
        figure,
        caption=f"{_capital(result['objective']['label'])} over {' and '.join(landscape.names)} with every minimum "
        f"that the search met; right, the neighbourhood of the answer with its 68 and 95 % ellipses{filled}.",
        alt=f"Map of the objective over {' and '.join(landscape.names)} with its minima marked",
    )


def _capital(text):
    return text[:1].upper() + text[1:]


def _variant_points(result, names):
    """Return (label, x, y) of the variants that have both parameters."""
    return [
        (variant["label"], *(variant["parameters"][name] for name in names))
        for variant in result["variants"]
        if set(names) <= set(variant["parameters"])
    ]


def _training(metrics):
    history = metrics["history"]
    steps = np.array(history["step"])
    losses = {
        label: (steps, np.array(history[key]))
        for key, label in (("train_loss", "training"), ("held_out_loss", "held out"))
    }
    figures = [
        report_figure(
            training_figure(curves=losses, chosen=metrics["best_step"], y_label="mean squared error / variance"),
            caption=f"Training of {metrics['name']}: error of log(1 + S) on spectra it learns from and on others.",
            alt="Training and held-out loss against the step",
        )
    ]
    theta, names = np.array(metrics["held_out"]["theta"]), metrics["parameter_names"]
    if len(names) >= 2:
        figure = held_out_figure(names=names[:2], theta=theta[:, :2], errors=metrics["held_out"]["rms"])
        caption = f"Error of {metrics['name']} at held-out couplings, over the whole box of the grid."
        figures.append(report_figure(figure, caption=caption, alt="Held-out error over the couplings"))
    return TrainingContent(metrics["name"], metrics["facts"], tuple(figures), tuple(metrics["warnings"]))
