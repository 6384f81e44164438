"""The part of the report about compressors and the generator."""

import json
from pathlib import Path

import numpy as np

from ..errors import StoreError
from ..plot.compression import compression_figure
from ..plot.latents import latent_space_figure
from ..plot.report import SectionContent, report_figure
from .compress import COMPRESSION


def compression_section_content(path) -> SectionContent:
    """Return the section of the JSON file of the stage ``compress``."""
    try:
        found = json.loads(Path(path).read_text())
        contract = found["contract"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError("the errors of compressors cannot be read", where=str(path), got=str(error)) from None
    if contract != COMPRESSION:
        raise StoreError("the file obeys another contract", where=str(path), expected=COMPRESSION, got=contract)
    chosen, generator = found["chosen"], found["generator"]
    floor = generator["one_run"] or None
    figure = compression_figure(rows=found["rows"], floor=floor)
    better = floor is None or generator["error"] <= generator["four_runs"]
    return SectionContent(
        title=f"Compression: {found['name']}",
        text=f"Chosen: {chosen['method']} with D = {chosen['n_latent']}. {'; '.join(found['statements'])}.",
        figures=(
            report_figure(
                figure,
                caption=f"Error of compressed {', '.join(found['arrays'])} against the number of latent dimensions: "
                "dashed on the training images, noise included; solid on images that were not learnt from, against "
                "their truth. Lines are medians of the seeds, bars their range.",
                alt=f"Errors of {len(found['statements'])} methods against the number of latent dimensions",
            ),
            *_spaces(found["spaces"]),
        ),
        facts=_facts(found, chosen, generator),
        table="Compressor and generator",
        warnings=() if better else ("the generator errs by more than the mean of four simulations",),
    )


def _spaces(spaces):
    """Yield the figure of coupling space and latent spaces, where any coupling varies."""
    theta = np.array(spaces["theta"])
    if not np.any(np.ptp(theta, axis=0) > 0):
        return
    latents = {name: np.array(latent) for name, latent in spaces["latents"].items()}
    names = spaces["parameter_names"]
    yield report_figure(
        latent_space_figure(couplings=theta, names=names, units=["meV"] * len(names), latents=latents),
        caption="Couplings as red, green and blue, and where the latent numbers of largest variance take them: a phase "
        "is a dense spot, a jump a gap, a crossover a thread between spots.",
        alt=f"{len(theta)} points in coupling space and in {len(latents)} latent spaces, in the same colours",
    )


def _facts(found, chosen, generator):
    out = {
        "images to learn from": found["n_train"],
        "held-out points": found["n_held_out"],
        "voxels of an image": found["n_voxel"],
        "held-out error of the chosen compressor": f"{chosen['held_out']:.4g} ± {chosen['std']:.2g}",
    }
    if chosen["spoilt"] is not None:
        out["the same for images with artefacts and missing blocks"] = f"{chosen['spoilt']:.4g}"
    if found["spaces"]["errors"]:
        whole, half = (", ".join(f"{x:.2g}" for x in found["spaces"]["errors"][n]) for n in ("whole", "half"))
        out["errors of the latent numbers over their spread"] = f"{whole}; of images of which half is missing {half}"
    for method, by in found["sufficient"].items():
        out[f"least sufficient D of {method}"] = f"{by['held_out']} held out, {by['own']} on training images"
    out["held-out error of the generator"] = f"{generator['error']:.4g} ± {generator['std']:.2g}"
    if generator.get("settled_error") is not None and generator["n_settled"] < generator["n_point"]:
        settled = f"{generator['settled_error']:.3g} ({generator['n_settled']} points)"
        four = generator.get("settled_four_runs")
        settled += f"; of the mean of four simulations there {four:.3g}" if four else ""
        out["where all runs came to equilibrium"] = settled
    if generator.get("n_phase", 1) > 1:
        out["phases with processes of their own"] = str(generator["n_phase"])
        out["median and 90th percentile over points"] = f"{generator['median']:.2g}, {generator['p90']:.2g}"
        sure = generator["sure_error"]
        told = "" if sure is None else f", error there {sure:.3g}"
        out["points of whose phase it is sure"] = f"{100 * generator['sure']:.0f} %{told}"
    if generator.get("n_latent", chosen["n_latent"]) != chosen["n_latent"]:
        out["principal components that the generator rests on"] = str(generator["n_latent"])
    if generator.get("error_factor", 1.0) > 1.0:
        out["its stated errors are raised, by held-out points, by"] = f"{generator['error_factor']:.2f}"
    if generator["one_run"]:
        out["of the mean of four simulations"] = f"{generator['four_runs']:.4g}"
    out["CPU time of a generated image"] = f"{1e3 * generator['seconds']:.3g} ms"
    if generator["simulation_seconds"]:
        ratio = generator["simulation_seconds"] / max(generator["seconds"], 1e-9)
        out["CPU time of a simulation"] = f"{generator['simulation_seconds']:.3g} s, {ratio:.0f} times as much"
    return out
