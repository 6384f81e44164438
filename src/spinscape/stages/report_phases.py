"""The part of the report about a map of phases."""

import json
from pathlib import Path

import h5py

from ..errors import StoreError
from ..plot.phases import evidence_figure, phase_map_figure, representatives_figure
from ..plot.report import SectionContent, report_figure
from .phases import PHASES

AFFINITY = ("graph_degree",)
"""Methods whose merges are judged by an affinity, not by a distance."""
FIELD = ("first", "second", "phase", "share", "third")
"""Arrays of the boundaries over two coordinates, and over three."""


def phase_section_content(path, arrays, *, space=None) -> SectionContent:
    """Return the section of a map from the two files of the stage ``phases``.

    ``space`` has the ``reciprocal`` vectors (3, 3) in 1/Å and ``grids``, the
    :class:`~spinscape.lattice.volumes.QGrid` of each volume by its name: slices are then drawn as they lie in space.
    """
    try:
        found = json.loads(Path(path).read_text())
        with h5py.File(arrays, "r") as file:
            data = {name: file[name][()] for name in file}
            contract = file.attrs["contract"]
    except (OSError, ValueError, KeyError) as error:
        raise StoreError("a map of phases cannot be read", where=str(path), got=str(error)) from None
    if (contract, found.get("contract")) != (PHASES, PHASES):
        raise StoreError("a map of phases obeys another contract", where=str(path), expected=PHASES, got=contract)
    return SectionContent(
        title=f"Phases: {found['name']}",
        text=f"Map {found['name']}: {found['reason']}.",
        figures=tuple(_figures(found, data, space or {})),
        facts=_facts(found),
        table="Clusters, borders and boundaries",
        warnings=() if found["n_phase"] else (found["reason"],),
    )


def _figures(found, data, space):
    group = data["label"] if found["groups"] == "clusters" else data["phase"]
    figure = phase_map_figure(
        coordinates=data["coordinates"],
        names=found["coordinate_names"],
        units=found["coordinate_units"],
        phase=group,
        what=found["groups"],
        latent=data["latent"],
        boundaries=found["boundaries"],
        field=[data[f"field_{part}"] for part in FIELD if f"field_{part}" in data] or None,
        edges=(data["edge_places"], data["edge_half"]) if len(data.get("edge_places", ())) else None,
    )
    yield report_figure(
        figure,
        caption=f"{found['groups'].capitalize()}, by the method {found['method']} on {_compared(found)}, crossovers "
        f"grey; beside them {_numbers(found)} as red, green and blue." + _lines(found, data),
        alt=f"Map of {found['n_phase']} phases over {' and '.join(found['coordinate_names'])}",
    )
    if found["numbers"]:
        yield report_figure(
            evidence_figure(
                numbers=found["numbers"],
                silhouette=found["silhouette"],
                score=found["score"],
                stability=found["stability"],
                chosen=int(data["label"].max()) + 1,
                asked=found["rule"]["stability"],
                score_label="affinity of the merge" if found["method"] in AFFINITY else "distance of the merge",
            ),
            caption="What the number of clusters was chosen by: silhouette, the merge that would leave one fewer, and "
            "how well clusterings of resampled points agree.",
            alt="Silhouette and merge distance against the number of clusters, and a histogram of bootstrap agreement",
        )
    for name, shown in found["shown"].items():
        yield _representatives(found, data, name, shown, space)


def _representatives(found, data, name, shown, space):
    """Return the figure of one array of the point in the middle of each phase or cluster."""
    images = data[f"array_{name}"]
    grid = space.get("grids", {}).get(name.removeprefix("signal_"))
    figure = representatives_figure(
        images=images,
        titles=[_title(found, k) for k in range(len(images))],
        axes=shown["axes"],
        label=name.replace("signal_", "S(Q) "),
        grid=grid if grid is not None and grid.shape == images.shape[1:] else None,
        reciprocal=space.get("reciprocal"),
    )
    at = f" at {shown['at']}" if shown["at"] else ""
    return report_figure(
        figure,
        caption=f"{name}{at} of the point nearest to the middle of each of the {found['groups']}.",
        alt=f"{name} of {len(images)} {found['groups']}",
    )


def _compared(found):
    """Say in words what was compared."""
    arrays = ", ".join(found["arrays"])
    what = arrays if found["latent"] is None else f"the latent numbers of {arrays} by the compressor {found['latent']}"
    return what if not found["beside"] else f"{what}, with {', '.join(found['beside'])}"


def _numbers(found):
    """Say in words what the colours are."""
    of = "principal components" if found["latent"] is None else f"principal components of those of {found['latent']}"
    return f"the first three latent numbers ({of})"


def _title(found, k):
    """Return the name of a phase or cluster, with the order parameters that it has."""
    names = found["labels"][k]
    return f"{found['groups'][:-1]} {k + 1}" + (f": {', '.join(names)}" if names else "")


def _lines(found, data):
    """Say in words what is drawn through the map."""
    if f"field_{FIELD[0]}" not in data:
        return ""
    what = "boundaries" if found["n_phase"] > 1 else "borders of the clusters, which no jump makes phases"
    text = f" Lines are {what}; the grey band is where maps of resampled points do not all agree."
    if not len(data.get("edge_places", ())):
        return text
    if len(found["coordinate_names"]) > 2:
        return text
    return text + " White points lie where the energies of both sides are equal, their bars are the bands of 95 %."


def _facts(found):
    out = {"phases": found["n_phase"], "points": found["n_point"], "points in crossovers": 0}
    out["points in crossovers"] = sum(c["n_point"] for c in found["crossovers"])
    for k, names in enumerate(found["labels"]):
        if names:
            out[f"order of {found['groups'][:-1]} {k + 1}"] = ", ".join(names)
    for border in found["borders"]:
        first, second = (r + 1 for r in border["regions"])
        out[f"jump between regions {first} and {second}, in units of the change inside"] = round(border["contrast"], 2)
    for edge in (*found["boundaries"], *found["unplaced"]):
        first, second = (p + 1 for p in edge["phases"])
        low, high = edge["between"]
        place = f"{edge['place']:.6g} ± {edge['std']:.2g} by their energies" if "place" in edge else edge["why"]
        out[f"boundary between phases {first} and {second}, at {low:.4g} to {high:.4g} by what is compared"] = place
    for edge in found["energy_borders"]:
        first, second = (p + 1 for p in edge["phases"])
        out[f"border of {found['groups']} {first} and {second} by energies"] = _by_energies(found, edge)
    return out


def _by_energies(found, edge):
    """Say in words what the energies tell of a border."""
    if not edge["places"]:
        return f"not placed: {edge['reason']}"
    units = zip(edge["half"], found["coordinate_names"], found["coordinate_units"], strict=True)
    # Along the border itself the band has no width but rounding.
    wide = [(half, name, unit) for half, name, unit in units if half > 1e-9 * max(edge["half"])]
    bands = ", ".join(f"{half:.2g} {unit}".rstrip() + f" along {name}" for half, name, unit in wide)
    return f"{edge['reason']}, at {edge['places']} places of {edge['asked']}; half of the band {bands}"
