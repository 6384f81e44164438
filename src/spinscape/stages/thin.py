"""``spinscape thin``: a study's fit repeated with fewer counts, its errors and intervals against their number."""

import json
from pathlib import Path

import numpy as np

from ..errors import FitError
from ..infer.intervals import information_covariance
from ..infer.thinning import fitted_couplings, thinning
from ..plot.counts import counts_figure
from ..store.files import write_whole
from .open_fit import open_fit

BASIN = 0.1
"""Distance from the truth, in widths of the box, beyond which a fit is in another basin."""


def run(study, levels, n_replica, output, *, fit=None, measurement=None, data_folder=None):
    """Thin a measurement of a fit to several numbers of counts, refit, draw and tabulate.

    Parameters
    ----------
    study : Study
    levels : sequence of float
        Numbers of counts; those above what was counted are left out, and it is said.
    n_replica : int
    output : str or Path
        Figure (.png); the numbers are written beside it (.json).
    fit, measurement : str, optional
        The study's only ones by default.
    data_folder : str or Path, optional

    Returns
    -------
    str
        The table.

    Notes
    -----
    The truth is that of a simulated measurement where it says so, else the fit of all counts, whose own variance is
    taken off that of the differences.
    """
    one = open_fit(study, fit, measurement, data_folder=data_folder)
    names, total = one.forward.coupling_names, one.counts(one.current)
    possible = [level for level in levels if level < total]
    if not possible:
        raise FitError("fewer counts than the least number asked for", where="--counts", expected=f"below {total:.3g}",
                       got=", ".join(f"{level:g}" for level in levels))  # fmt: skip

    known = one.current.provenance.get("couplings", {})
    true = all(name in known for name in names)

    def of(measurement, truth):
        return fitted_couplings(one.problem(measurement), one.box, one.strategy, seed=study.seed, truth=truth)

    if true:
        truth, stds = np.array([known[name] for name in names]), None
    else:
        truth, stds = _of_all_counts(one, study.seed)
    rows = thinning(
        one.current, of, levels=possible, truth=truth, distances=BASIN * one.box.width[: len(names)],
        n_replica=n_replica, seed=study.seed, truth_std=stds,
    )  # fmt: skip
    document = {
        "study": study.study,
        "fit": one.name,
        "couplings": list(names),
        "truth": truth.tolist(),
        "truth_is": "simulated" if true else "the fit of all counts",
        "counts": total,
        "levels": [row.to_dict() for row in rows],
    }
    write_whole(Path(output).with_suffix(".json"), json.dumps(document, indent=1, ensure_ascii=False))
    figure = counts_figure(document, simulated=one.current.simulated)
    figure.savefig(output, dpi=150)
    return table(document, left_out=[level for level in levels if level not in possible])


def _of_all_counts(one, seed):
    """Return couplings and their standard deviations from the whole measurement."""
    problem = one.problem()
    best = one.strategy.minimise(problem.counting(), one.box, seed).best.parameters
    n = len(one.forward.coupling_names)
    return best[:n], information_covariance(problem, best, one.box).std[:n]


def table(document, *, left_out=()):
    """Return the study as lines of text."""
    lines = []
    for row in document["levels"]:
        parts = [f"{row['counts']:9.3g} counts: {100 * row['basin']:3.0f} % in the right basin"]
        for k, name in enumerate(document["couplings"]):
            says = f"{name} off by {row['rms'][k]:.2g}, says ± {row['std'][k]:.2g} meV"
            covers = [100 * row[key]["0.95"][k] for key in ("covered", "profile")]
            parts.append(f"{says}, 95 % covers {covers[0]:.0f} % (profile {covers[1]:.0f} %)")
        lines.append("; ".join(parts) + (f"; {row['n_failed']} failed" if row["n_failed"] else ""))
    if left_out:
        lines.append(f"only {document['counts']:.3g} counts were measured: not thinned to "
                     + ", ".join(f"{level:g}" for level in left_out))  # fmt: skip
    return "\n".join([*lines, f"truth: {document['truth_is']}"])
