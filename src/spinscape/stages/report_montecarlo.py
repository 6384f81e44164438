"""What the report of a Monte Carlo study shows: C(T), slices of S(Q), and how well the points were sampled."""

import numpy as np

from ..errors import ConfigError
from ..lattice.simplices import simplices
from ..lattice.volumes import QGrid
from ..observables.charges import Charges
from ..plot.montecarlo import MAX_CURVES, charges_figure, curves_figure, maps_figure, slices_figure
from ..plot.report import report_figure
from ..simulate.spin_system import block
from ..store.read import StudyStore
from .model_file import read_model
from .projected import projected, projector

N_SHOWN = 3
CLASSES = ("disordered", "competing", "ordered")
"""Points whose slices are shown."""
_FEW = 5
"""Colours of R̂ end at 1 + this many tenths."""


def figures(section, index, model_path):
    """Return the figures of a study of kind ``montecarlo``: a tuple of ReportFigure; none where no point has arrays.

    Parameters
    ----------
    section : dict
        ``build.report_section``; ``volumes`` holds the slices that may be shown.
    index, model_path : str or Path
    """
    with StudyStore(index, study=section["study"]) as store:
        if not store.n_point:
            return ()
        data = _Data(section, store, model_path)
        made = (_curves(data), _slices(data), _charges(data), _maps(data))
        return tuple(figure for figure in made if figure is not None)


class _Data:
    """What the figures are made from."""

    def __init__(self, section, store, model_path):
        self.store, self.section = store, section
        self.model, _ = read_model(model_path)
        self.settings = section["montecarlo"]
        self.temperatures = np.array(self.settings["temperatures"])
        theta = store.theta
        self.varied = [k for k in range(theta.shape[1]) if np.ptp(theta[:, k]) > 0]

    def all(self, name):
        """Return an array of every point."""
        return self.store.read_many(name, np.arange(self.store.n_point))

    def label(self, point):
        """Return the varied couplings of a point as text."""
        names, theta = self.store.parameter_names, self.store.theta[point]
        return ", ".join(f"{names[k]} = {theta[k]:.3g} meV" for k in self.varied)

    def class_of(self, point):
        """Return the class that a point was given, or an empty text."""
        return self.store.diagnostics(int(point)).get("class", "")

    def spread(self, n):
        """Return about ``n`` points from one end of the grid to the other."""
        key = self.store.theta @ np.arange(1, self.store.theta.shape[1] + 1)
        order = np.argsort(key, kind="stable")
        return order[np.unique(np.linspace(0, len(order) - 1, n).round().astype(int))]


def _curves(data):
    if len(data.temperatures) < 2:
        return None
    points = data.spread(min(MAX_CURVES, 5))
    read = lambda name: data.store.read_many(name, points)  # noqa: E731
    trace = lambda name: np.trace(read(name), axis1=2, axis2=3) / 3.0  # noqa: E731
    lines = read("heat_capacity_slope") if "heat_capacity_slope" in data.store.template else None
    panels = [
        {"label": "C", "unit": "k_B per spin", "values": read("heat_capacity"), "lines": lines}
        | {"errors": read("heat_capacity_error")},
        {"label": "χ, trace/3", "unit": "μ_B/T per spin", "values": trace("susceptibility")}
        | {"errors": trace("susceptibility_error")},
    ]
    for order in data.settings["orders"][:2]:
        name = f"order_{order['name']}"
        panels.append(
            {"label": f"⟨|{order['name']}|⟩", "unit": "", "values": read(name)[..., 0]}
            | {"errors": read(f"{name}_error")[..., 0]}
        )
    figure = curves_figure(temperatures=data.temperatures, panels=panels, labels=[data.label(p) for p in points])
    return report_figure(
        figure,
        caption="Heat capacity by fluctuation with error bars (dashed: by the slope of the energy), susceptibility and "
        "order parameters of points from one end of the grid to the other.",
        alt="Heat capacity, susceptibility and order parameters against temperature",
    )


def _slices(data):
    kept = data.settings["correlations"]
    grids = [QGrid.from_dict(volume) for volume in data.section["volumes"]]
    grids = [grid for grid in grids if len(grid.shape) == 2]
    if kept is None or not grids:
        return None
    points = _shown(data)
    images = {grid.name: _images(data, grid, points) for grid in grids}
    slices = [[(grid, image) for image in images[grid.name]] for grid in grids if images[grid.name] is not None]
    if not slices:
        return None
    temperature = kept["temperatures"][0]
    columns = [", ".join(filter(None, (data.class_of(p), data.label(p)))) for p in points]
    names = [row[0][0].name for row in slices]
    figure = slices_figure(slices=slices, columns=columns, rows=names, reciprocal=data.model.crystal.reciprocal)
    settings = kept["settings"]
    return report_figure(
        figure,
        caption=f"S(Q) at {temperature:g} K, component {settings['component']}, form factor "
        f"{'included' if settings['form_factor'] else 'left out'}, per chemical cell; between the waves that the "
        f"supercell holds: {settings['rule']}. Colours end at 99.5 % of the pixels.",
        alt="Slices of the diffuse scattering",
    )


def _shown(data):
    """Return a few points to show: equilibrated ones where there are some, one of each class where points have one."""
    done = np.flatnonzero(data.store.state == data.store.result_codes["done"])
    chosen = data.spread(data.store.n_point)
    good = [int(p) for p in chosen if p in set(done.tolist())] or [int(p) for p in chosen]
    by_class: dict[str, list[int]] = {}
    for point in good:
        by_class.setdefault(data.class_of(point), []).append(point)
    if len(by_class) > 1:
        known = [by_class[name] for name in CLASSES if name in by_class]
        return [points[len(points) // 2] for points in known]
    return [good[k] for k in np.unique(np.linspace(0, len(good) - 1, N_SHOWN).round().astype(int))]


def _images(data, grid, points):
    """Return S(Q) on a slice of some points at the first temperature, or None where nothing is there to make it of."""
    if f"signal_{grid.name}" in data.store.template:
        return data.store.read_many(f"signal_{grid.name}", points)[:, 0]
    if "pairs" not in data.store.template:
        return None
    how = {"supercell": data.settings["supercell"], "settings": data.settings["correlations"]["settings"]}
    project = projector(data.model, grid, field=data.section["conditions"]["field"], **how)
    return [projected(project, one) for one in data.store.read_many("pairs", points)[:, 0]]


def _charges(data):
    """Return the charges of simplices in the last configuration of a point's first replica, or None of other spins."""
    if "configurations" not in data.store.template or set(data.model.crystal.kind) != {"ising"}:
        return None
    cell = block(data.model, data.settings["supercell"])
    try:
        charges = Charges(data.model.crystal, simplices(data.model.crystal), cell)
    except ConfigError:
        return None  # no corner-sharing simplices, or axes across them
    point, t = _shown(data)[0], data.temperatures
    kept = data.store.read("configurations", point)
    panels = []
    for k in [int(np.argmin(t)), int(np.argmax(t))][: len(t)]:
        found = charges.of(kept[k, 0])
        share = float(np.mean(found != 0))
        title = f"{t[k]:g} K: {100 * share:.3g} % charged"
        panels.append({"title": title, "positions": charges.positions, "charges": found})
    figure = charges_figure(panels=panels, box=cell.matrix @ data.model.crystal.vectors)
    return report_figure(
        figure,
        caption="Charges of the simplices (defects of the ice rule, the monopoles of a spin ice) in the last "
        f"configuration of one replica at {data.label(point) or 'the only point'}; area: size of the charge.",
        alt="Charges of tetrahedra in space",
    )


def _maps(data):
    cold = int(np.argmin(data.temperatures))
    acceptance, kinds = data.all("acceptance"), _kinds(data.settings)
    shown = {f"acceptance of {kind}": acceptance[:, :, k] for k, kind in enumerate(kinds[:2])}
    shown["autocorrelation of the energy (rounds)"] = data.all("autocorrelation")
    shown["R̂"] = data.all("r_hat")
    limits = {"R̂": (1.0, 1.0 + 0.1 * _FEW)}
    theta, names = data.store.theta, data.store.parameter_names
    if len(data.varied) >= 2:
        first, second, *others = data.varied
        kept = np.ones(len(theta), dtype=bool)
        for k in others:
            middle = np.unique(theta[:, k])[len(np.unique(theta[:, k])) // 2]
            kept &= theta[:, k] == middle
        kept = kept if kept.sum() > 3 else np.ones(len(theta), dtype=bool)
        axes, labels, units = (theta[kept, first], theta[kept, second]), (names[first], names[second]), ("meV", "meV")
        maps = [_panel(name, values[kept, cold], limits) for name, values in shown.items()]
        where = f"at {data.temperatures[cold]:g} K over two couplings" + (
            ", the others in the middle" if others else ""
        )
    elif len(data.temperatures) > 1:
        k = data.varied[0] if data.varied else 0
        axes = tuple(grid.ravel() for grid in np.meshgrid(theta[:, k], data.temperatures, indexing="ij"))
        labels, units = (names[k], "temperature"), ("meV", "K")
        maps = [_panel(name, values.ravel(), limits) for name, values in shown.items()]
        where = "over coupling and temperature"
    else:
        return None
    figure = maps_figure(names=labels, units=units, axes_values=axes, maps=maps)
    return report_figure(
        figure,
        caption=f"How the points were sampled, {where}: accepted part of the moves, integrated autocorrelation time of "
        "the energy, and the largest split-chain R̂ of energy, order parameters and star-averaged S(Q).",
        alt="Maps of acceptance, autocorrelation and R-hat over the grid",
    )


def _panel(name, values, limits):
    return {"label": name, "values": values, "limits": limits.get(name)}


def _kinds(settings):
    """Return the kinds of moves in the order of the array ``acceptance``."""
    from ..simulate.montecarlo_settings import MonteCarloSettings

    return list(dict.fromkeys(move.kind for move in MonteCarloSettings.from_dict(settings).all_moves))


def facts(index, study):
    """Return label and value of what the points say of themselves: classes, codes, how they were rescued."""
    with StudyStore(index, study=study, include_all=True) as store:
        notes = [store.diagnostics(k) for k in range(store.n_point)]
        done = store.state == store.result_codes["done"]
    out = {"equilibrated": f"{int(done.sum())} of {len(done)} points"}
    classes = sorted({note["class"] for note in notes if "class" in note})
    for name in classes:
        of_class = np.array([note.get("class") == name for note in notes])
        out[f"points with {name} spins"] = f"{int(of_class.sum())}, {int((of_class & done).sum())} equilibrated"
    for how in ("slow", "tempered"):
        n = sum(note.get(how, 0) > 0 for note in notes)
        out |= {f"points with temperatures {'annealed again' if how == 'slow' else how}": n} if n else {}
    return out
