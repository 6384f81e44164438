"""What the report of a spin-wave study shows of the simulations themselves: spectra of a few points of the grid."""

from collections import Counter

import numpy as np

from ..errors import SpinscapeError
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.structures import GroundStateSearch
from ..lattice.powder_axis import PowderAxis
from ..lattice.qspace import EnergyAxis, QPath
from ..lattice.volumes import QGrid
from ..plot.dynamics import path_figure, slice_figure
from ..plot.report import SectionContent, report_figure
from ..simulate.lines import form_of, parts_of
from ..simulate.modes import blocks_of, checked_couplings, solve
from ..simulate.seen import UNIT_TEXT
from ..simulate.spiral import merged_parts
from ..store.read import StudyStore
from .model_file import read_model

N_SHOWN = 3
"""Points that spectra are shown of."""
_SHARES = (0.25, 0.5, 0.75)
"""Of the intensity at energy loss: where slices are taken."""
_COUNTED = 2000
"""Points that are asked for the origin of their structure."""


def sections(section, index, model_path):
    """Return the parts of the report of a study of kind ``spinwave``: a tuple of SectionContent.

    Parameters
    ----------
    section : dict
        ``build.report_section``; ``spinwave`` holds the settings of the simulator.
    index, model_path : str or Path
    """
    with StudyStore(index, study=section["study"]) as store:
        if not store.n_point:
            return ()
        data = _Data(section, store, model_path)
        figures = [_map(data, axis) for axis in data.maps]
        figures += [_slices(data, grid) for grid in data.grids if len(grid.shape) == 2]
        return (
            SectionContent("Simulated spectra", figures=tuple(figures), facts=_facts(data), table="The simulations"),
        )


class _Data:
    """What the part is made from."""

    def __init__(self, section, store, model_path):
        self.store, self.settings = store, section["spinwave"]
        self.model, self.structure = read_model(model_path)
        self.conditions = Conditions.from_dict(section["conditions"])
        self.energy = EnergyAxis.from_dict(self.settings["energy"])
        self.maps = [QPath.from_dict(one) for one in self.settings["paths"]]
        self.maps += [PowderAxis.from_dict(one) for one in self.settings.get("powders", ())]
        self.grids = [QGrid.from_dict(one) for one in self.settings.get("grids", ())]
        how = self.settings["spinwave"]
        self.unit, self.component = UNIT_TEXT[how.get("units", "spin")], how["component"]
        self.energy_factor = how["energy_factor"]
        n = min(N_SHOWN, store.n_point)
        order = np.lexsort(store.theta.T[::-1])
        self.points = [int(p) for p in order[np.unique(np.linspace(0, store.n_point - 1, n).round().astype(int))]]

    def title(self, point):
        """Return the couplings of a point that differ over the grid, and where its structure is from."""
        names, theta = self.store.parameter_names, self.store.theta
        varied = [k for k in range(len(names)) if np.ptp(theta[:, k]) > 0]
        text = ", ".join(f"{names[k]} = {theta[point, k] + 0.0:.3g} meV" for k in varied)
        return text + {"own": "\nits own ground state", "relaxed": "\nrelaxed"}.get(self.origin(point), "")

    def origin(self, point):
        """Return where the structure of a point is from: ``declared``, ``relaxed`` or ``own``."""
        return self.store.diagnostics(point).get("structure", "declared")

    def waves(self, point, axis):
        """Return the energies of modes along a path, (n_q, n_mode) meV; None where the structure is not at hand."""
        known = self.structure is not None and not isinstance(self.structure, GroundStateSearch)
        if not isinstance(axis, QPath) or not known or self.origin(point) != "declared":
            return None
        form = form_of(self.model, self.structure, axis.points, self.conditions)
        theta = checked_couplings(self.store.theta[point], self.store.parameter_names)
        try:
            energies = solve(form, theta, blocks=blocks_of(form))[0]
        except SpinscapeError:
            return None
        return self.energy_factor * merged_parts(parts_of(self.structure), energies)[0]


def _map(data, axis):
    panels = [
        {"title": data.title(p), "values": data.store.read(f"signal_{axis.name}", p), "curves": data.waves(p, axis)}
        for p in data.points
    ]
    what = f"of the powder {axis.name}" if isinstance(axis, PowderAxis) else f"on the path {axis.name}"
    drawn = " Dashed: energies of the modes." if any(one["curves"] is not None for one in panels) else ""
    return report_figure(
        path_figure(momentum=axis, energy=data.energy, panels=[panels], unit=data.unit),
        caption=f"Spectra {what} over the grid of couplings, component {data.component}, per chemical cell; "
        f"every panel has colours of its own, up to 99 % of its pixels.{drawn}",
        alt=f"Maps of the spectrum {what} at {len(panels)} sets of couplings",
    )


def _slices(data, grid):
    images = [np.asarray(data.store.read(f"signal_{grid.name}", p), dtype=np.float64) for p in data.points]
    windows = _windows(np.mean(images, axis=(0, 1, 2)), data.energy)
    edges, step = data.energy.edges, data.energy.step
    rows = [f"{edges[a]:.3g} to {edges[b]:.3g} meV" for a, b in windows]
    summed = [[image[..., a:b].sum(axis=-1) * step for image in images] for a, b in windows]
    return report_figure(
        slice_figure(
            grid=grid,
            rows=rows,
            columns=[data.title(p) for p in data.points],
            images=summed,
            reciprocal=data.model.crystal.reciprocal,
        ),
        caption=f"The spectrum on the slice {grid.name}, integrated over the energies named, component "
        f"{data.component}, per chemical cell; every panel has colours of its own.",
        alt=f"Slices of the spectrum, {grid.name}, at constant energy",
    )


def _windows(spectrum, energy):
    """Return (first, last + 1) of bins about the energies below which some shares of the intensity lie."""
    loss = np.where(energy.centres > 0.0, np.maximum(spectrum, 0.0), 0.0)
    total = np.cumsum(loss)
    half = max(1, round(0.04 * len(loss)))
    centres = (
        [int(np.searchsorted(total, share * total[-1])) for share in _SHARES] if total[-1] > 0 else [len(loss) // 2]
    )
    return list(dict.fromkeys((max(0, c - half), min(len(loss), c + half + 1)) for c in centres))


def _facts(data):
    """Return what the spectra were made with, label → value."""
    how, n = data.settings["spinwave"], min(data.store.n_point, _COUNTED)
    count = Counter(data.origin(p) for p in range(n))
    among = "" if n == data.store.n_point else f" (of the first {n} points)"
    return {
        "structures" + among: ", ".join(f"{number} {name}" for name, number in sorted(count.items())),
        "component": data.component,
        "unit": data.unit,
        "energy factor Zc": data.energy_factor,
        "line": how.get("line", "gaussian"),
        "FWHM (meV), E in meV": "a table" if "fwhm_table" in how else _polynomial(how["fwhm"]),
        "form factor": "yes" if how.get("form_factor") is not None else "no",
        "thermal factors": "yes" if how.get("thermal") else "no",
        "numbers": "means over bins" if how.get("bins") == "means" else "values at bin centres",
    }


def _polynomial(coefficients):
    """Return a polynomial as text.

    >>> _polynomial([14.3, -0.084])
    '14.3 − 0.084 E'
    """
    terms = [f"{abs(c):g}" + ("", " E", *(f" E^{n}" for n in range(2, len(coefficients))))[k]
             for k, c in enumerate(coefficients)]  # fmt: skip
    signs = ["−" if c < 0 else "+" for c in coefficients]
    first = terms[0] if signs[0] == "+" else "−" + terms[0]
    return " ".join([first, *(f"{s} {t}" for s, t in zip(signs[1:], terms[1:], strict=True))])
