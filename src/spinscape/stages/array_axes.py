"""How an array of the simulations is drawn: which of its axes are seen, what is written beside them."""

from typing import Any, NamedTuple

import numpy as np


class Drawn(NamedTuple):
    """Part of an array that a figure can show.

    Parameters
    ----------
    values : (n_point, …) float64
        With at most two axes for each point.
    axes : list of {"label", "values"}
        Of these axes: words with the unit, and where the values lie.
    text : str
        What was left out, in words: the temperature that is shown, where a volume is cut.
    """

    values: np.ndarray
    axes: list
    text: str


def drawn_part(spec, values):
    """Return what is drawn of an array of several points.

    Parameters
    ----------
    spec : dict
        ``dims``, ``shape`` and ``coords`` of the array, as in a store's template.
    values : (n_point, ...) float64

    Returns
    -------
    Drawn
        Images at the lowest temperature, tables over all; no axes of one value; two axes, others cut in their middle.
    """
    values, kept, words = np.asarray(values, dtype=np.float64), [], []
    sizes = dict(zip(spec["dims"], spec["shape"], strict=True))
    several = any(n > 1 and not dim.startswith("temperature") for dim, n in sizes.items())
    for dim, n in sizes.items():
        at = len(kept) + 1
        if n > 1 and not (several and dim.startswith("temperature")) and len(kept) < 2:
            kept.append(dim)
            continue
        axis = axis_of(spec, dim)
        chosen = int(np.argmin(axis["values"])) if dim.startswith("temperature") else n // 2
        values = np.take(values, chosen, axis=at)
        if n > 1:
            words.append(f"{axis['label']} = {axis['values'][chosen]:.3g}")
    return Drawn(values, [axis_of(spec, dim) for dim in kept], ", ".join(words))


def axis_of(spec, dim) -> dict[str, Any]:
    """Return the words beside an axis of an array and its values; numbers from 0 where it has no coordinate.

    >>> energy = {"dims": ["energy"], "values": [1.0, 2.0], "unit": "meV"}
    >>> axis_of({"dims": ["energy"], "shape": [2], "coords": {"energy": energy}}, "energy")
    {'label': 'energy (meV)', 'values': [1.0, 2.0]}
    """
    coords, (kind, _, place) = spec["coords"], dim.partition("_")
    along = coords.get(f"distance_{place}") if kind == "q" else coords.get(dim)
    # Wave vectors have three numbers each: no axis to draw along.
    if along is None or list(along.get("dims", [dim])) != [dim]:
        return {"label": dim.replace("_", " "), "values": list(range(spec["shape"][list(spec["dims"]).index(dim)]))}
    values = [float(x) for x in along["values"]]
    if kind == "q":
        return {"label": f"distance along the path {place} ({along['unit']})", "values": values}
    if kind == "modulus":
        return {"label": f"|Q| ({along['unit']})", "values": values}
    if kind in "uvw" and f"basis_{place}" in coords:
        row = coords[f"basis_{place}"]["values"]["uvw".index(kind)]
        return {"label": f"along ({' '.join(f'{x:g}' for x in row)}) (r.l.u.)", "values": values}
    name = "temperature" if kind == "temperature" else dim.replace("_", " ")
    return {"label": f"{name} ({along['unit']})" if along["unit"] else name, "values": values}
