"""What the report of a study of dynamics shows: S(Q, ω), lines and their widths, sums, slices."""

import numpy as np

from ..errors import SpinscapeError
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.model import MagneticStructure
from ..lattice.qspace import EnergyAxis, QPath
from ..lattice.volumes import QGrid
from ..observables.bands import fit_line
from ..observables.dynamic_weights import weighting_factor
from ..plot.dynamics import lines_figure, path_figure, slice_figure, zone_figure
from ..plot.numbers import with_uncertainty
from ..plot.report import SectionContent, report_figure
from ..simulate.modes import modes
from ..simulate.quadratic import quadratic_form
from ..store.read import StudyStore
from .model_file import read_model

N_SHOWN, N_POINT = 3, 4
"""Temperatures and points that maps are shown of."""
_UNSURE = 0.5
"""Relative error of an energy or width from which on no line is said to have been found."""
_CUTS = (0.0, 0.45, 0.9)
"""Of the largest spin-wave energy, or of the energy axis: where slices are taken."""
_OVERDAMPED = 2.0
"""Width over energy from which on a damped oscillator does not swing."""


def sections(section, index, model_path):
    """Return the parts of the report of a study of kind ``dynamics``: a tuple of SectionContent.

    Parameters
    ----------
    section : dict
        ``build.report_section``; ``dynamics`` holds the settings of the simulator, ``shown`` the temperatures to draw.
    index, model_path : str or Path
    """
    with StudyStore(index, study=section["study"]) as store:
        if not store.n_point:
            return ()
        data = _Data(section, store, model_path)
        return (_spectra(data), *_line_parts(data), _zone(data))


class _Data:
    """What the parts are made from."""

    def __init__(self, section, store, model_path):
        self.store = store
        self.model, structure = read_model(model_path)
        self.structure = structure if isinstance(structure, MagneticStructure) else None
        self.settings = section["dynamics"]
        self.temperatures = np.array(self.settings["temperatures"], dtype=np.float64)
        self.energy = EnergyAxis.from_dict(self.settings["energy"])
        self.conditions = Conditions.from_dict(section["conditions"])
        where = self.settings["paths"]
        self.paths = [QPath.from_dict(one) for one in where if "distance" in one]
        self.grids = [QGrid.from_dict(one) for one in where if "distance" not in one]
        self.weighting = self.settings["spectrum"]["weighting"]
        # Every fourth part of the grid: of a circle of couplings, its quarters.
        n = min(N_POINT, store.n_point)
        self.points = np.arange(n) * store.n_point // n
        shown = min(N_SHOWN, len(self.temperatures))
        order = np.argsort(self.temperatures, kind="stable")
        spread = order[np.unique(np.linspace(0, len(order) - 1, shown).round().astype(int))]
        self.shown = np.array(section["shown"], dtype=int) if section["shown"] else spread

    def read(self, name, point):
        """Return an array of one point."""
        return self.store.read(name, int(point))

    def label(self, point):
        """Return the couplings of a point as text; none where there is one point alone."""
        names, theta = self.store.parameter_names, self.store.theta[point]
        varied = [k for k in range(len(names)) if np.ptp(self.store.theta[:, k]) > 0]
        # A cosine of 90° is zero.
        rounding = 1e-12 * np.abs(self.store.theta).max(initial=0.0)
        theta = np.where(np.abs(theta) < rounding, 0.0, theta)
        return ", ".join(f"{names[k]} = {theta[k]:.3g} meV" for k in varied)

    def title(self, point, temperature):
        """Return the title of a panel."""
        label = self.label(point)
        return f"{label}{', ' if label else ''}{self.temperatures[temperature]:.4g} K"

    def spin_waves(self, point, momentum):
        """Return the energies of linear spin waves of the declared structure, (n_q, n_mode), or None."""
        if self.structure is None:
            return None
        try:
            form = quadratic_form(self.model, self.structure, momentum.points, self.conditions)
            return modes(form, self.store.theta[point]).energies
        except SpinscapeError:
            return None  # the structure is not stable at these couplings


def _spectra(data):
    figures = [_path(data, path) for path in data.paths]
    figures += [_slice(data, grid) for grid in data.grids if len(grid.shape) == 2]
    return SectionContent("S(Q, ω)", figures=tuple(figures), facts=_facts(data), table="How it was made")


def _path(data, path):
    panels = []
    for point in data.points:
        signal, waves = data.read(f"signal_{path.name}", point), data.spin_waves(point, path)
        panels.append([{"title": data.title(point, t), "values": signal[t], "curves": waves} for t in data.shown])
    drawn = " Dashed: linear spin waves of the declared structure." if data.structure is not None else ""
    return report_figure(
        path_figure(momentum=path, energy=data.energy, panels=panels),
        caption=f"S(Q, E) along {path.name}, component {data.settings['spectrum']['component']}, weighting "
        f"{data.weighting}, per chemical cell; every panel has colours of its own, up to 99 % of its pixels.{drawn}",
        alt=f"Maps of S(Q, E) along {path.name} at {len(data.shown)} temperatures",
    )


def _slice(data, grid):
    e, step = data.energy.centres, data.energy.step
    top = e[-1]
    waves = data.spin_waves(data.points[0], data.paths[0]) if data.paths else None
    top = min(top, float(np.max(waves))) if waves is not None else top
    centres = [int(np.argmin(np.abs(e - part * top))) for part in _CUTS]
    half = max(1, round(0.03 * top / step))
    whole = [("all energies", slice(None))]
    cuts = [(f"{e[k]:.3g} ± {(half + 0.5) * step:.2g} meV", slice(max(0, k - half), k + half + 1)) for k in centres]
    columns = [(p, t) for p in data.points for t in data.shown][: 2 * N_SHOWN]
    images = [
        [data.read(f"signal_{grid.name}", p)[t][..., rows].sum(axis=-1) * step for p, t in columns]
        for _, rows in whole + cuts
    ]
    figure = slice_figure(
        grid=grid,
        reciprocal=data.model.crystal.reciprocal,
        rows=[name for name, _ in whole + cuts],
        columns=[data.title(*c) for c in columns],
        images=images,
    )
    return report_figure(
        figure,
        caption=f"S(Q, E) on {grid.name}, integrated over the energies named; every panel has colours of its own.",
        alt=f"Slices of S(Q, E) on {grid.name} at constant energy",
    )


def _facts(data):
    """Return what the spectra were made with, label → text."""
    s, notes = data.settings, data.store.diagnostics(int(data.points[0]))
    spins = "S" if s["length"]["kind"] == "S" else s["length"]["kind"]
    return {
        "supercell": s["supercell"],
        "trajectories at each temperature": s["start"]["n_configuration"],
        "integrator": s["trajectory"]["integrator"],
        "time step (ps)": notes["dt"],
        "largest relative error of frequencies": notes["frequency_error"],
        "largest drift of the energy per spin (meV)": notes["energy_drift"],
        "samples of a trajectory": notes["n_sample"],
        "energy that a trajectory resolves (meV)": notes["energy_step"],
        "window in time": s["spectrum"]["window"],
        "weighting": data.weighting,
        "length of the classical spins": spins,
        "line at zero energy": "kept" if s["spectrum"]["elastic"] else "taken off",
        "between wave vectors of the supercell": s["spectrum"]["rule"],
        "largest distance to one of them (1/Å)": notes["largest_q_distance"],
    }


def _line_parts(data):
    """Return a part on lines at the corners of the first path, for the points shown, where it has labels."""
    labelled = [(path, index, label) for path in data.paths[:1] for index, label in _corners(path)]
    if not labelled:
        return []
    parts = []
    for point in data.points[: 1 if data.structure is None else N_SHOWN]:
        table = [[_line(data, point, path, index, t) for t in range(len(data.temperatures))]
                 for path, index, _ in labelled]  # fmt: skip
        parts.append(_line_part(data, point, [label for _, _, label in labelled], table))
    return parts


def _corners(path):
    seen = {}
    for index, label in path.ticks:
        seen.setdefault(label, index)
    return [(index, label) for label, index in seen.items()]


def _line(data, point, path, index, t):
    """Return the line at one corner of a path: the mean over the copies of that wave vector."""
    same = np.flatnonzero(np.all(np.abs(path.points - path.points[index]) < 1e-9, axis=1))
    signal = data.read(f"signal_{path.name}", point)[t][same].mean(axis=0)
    error = data.read(f"error_{path.name}", point)[t][same].mean(axis=0)
    factor = weighting_factor(data.weighting, data.energy.centres, temperature=data.temperatures[t])
    line = fit_line(data.energy.centres, signal, error, factor, least=2.5 * data.energy.step)
    if line is None or line.energy > data.energy.edges[-1]:
        return None
    sure = line.energy_error < _UNSURE * line.energy and line.width_error < max(_UNSURE * line.width, data.energy.step)
    return line if sure else None


def _line_part(data, point, labels, table):
    get = lambda name: np.ma.array(  # noqa: E731
        [[getattr(line, name) if line else 1.0 for line in row] for row in table],
        mask=[[line is None for line in row] for row in table],
    )
    lengths = data.read("length_factor", point)[:, 0]
    spin = float(data.model.crystal.spins[0])
    order = np.argsort(data.temperatures)
    at = {name: get(name)[:, order] for name in ("energy", "energy_error", "width", "width_error")}
    figure = lines_figure(
        temperatures=data.temperatures[order], labels=labels, energies=at["energy"], energy_errors=at["energy_error"],
        widths=at["width"], width_errors=at["width_error"], lengths=lengths[order],
        quantum=(1.0, float(np.sqrt((spin + 1.0) / spin))),
    )  # fmt: skip
    facts = {}
    for t in order:
        values = [f"{label} {_text(row[t])}" for label, row in zip(labels, table, strict=True)]
        facts[f"{data.temperatures[t]:.4g} K"] = "; ".join(values)
    where = data.label(point)
    return SectionContent(
        "Lines" + (f" at {where}" if where else ""),
        figures=(
            report_figure(
                figure,
                caption="Damped harmonic oscillators fitted to S(Q, E) at the corners of the first path: energy, width "
                f"over energy (dotted: {_OVERDAMPED:g}, from where on they do not swing), and the length of the spins.",
                alt="Energy and width of lines and length of the spins against temperature",
            ),
        ),
        facts=facts,
        table="Energy of the line in meV, and width over energy",
    )


def _text(line):
    if line is None:
        return "–"
    ratio = line.width / line.energy
    error = ratio * float(np.hypot(line.width_error / line.width, line.energy_error / line.energy))
    damped = ", overdamped" if ratio > _OVERDAMPED else ""
    energy = with_uncertainty(line.energy, line.energy_error)
    return f"{energy}, {with_uncertainty(ratio, error)}{damped}"


def _zone(data):
    names = data.settings["zone_weightings"]
    panels = []
    for p in data.points:
        values, errors = data.read("zone", p), data.read("zone_error", p)
        panels.append([{"title": data.title(p, t), "values": values[t], "errors": errors[t]} for t in data.shown])
    figure = zone_figure(energy=data.energy, panels=panels, weightings=names)
    return SectionContent(
        "Sum over the zone",
        figures=(
            report_figure(
                figure,
                caption="The trace of S, summed over all wave vectors, with each weighting; which maximum there is "
                "depends on it. The line at zero energy is cut off.",
                alt="Spectra summed over the zone with several weightings",
            ),
        ),
        facts=_sums(data, names),
        table="Total moment per spin by each weighting, and energy of the states",
    )


def _sums(data, names):
    """Return the sum rule, label → text: S_eff² classically, S(S+1) for a quantum magnet in detailed balance."""
    n = data.model.crystal.n_site
    spins = data.model.crystal.spins
    out = {"S(S+1)": float(np.mean(spins * (spins + 1.0)))}
    for p in data.points:
        moment, error = data.read("moment", p) / n, data.read("moment_error", p) / n
        energy, scatter = data.read("state_energy", p), data.read("state_energy_error", p)
        for t in np.argsort(data.temperatures):
            texts = [f"length² {moment[t, 0]:.5g}"]
            texts += [f"{name} {with_uncertainty(moment[t, 1 + k], error[t, 1 + k])}" for k, name in enumerate(names)]
            texts.append(f"energy {with_uncertainty(energy[t], scatter[t])} meV")
            out[data.title(p, t)] = "; ".join(texts)
    return out
