"""The report's part on a comparison of models."""

import json
from pathlib import Path

from ..plot.report import SectionContent


def comparison_content(path):
    """Return the part of the page of one comparison: its sentence, and the models' numbers."""
    found = json.loads(Path(path).read_text())
    gains = {d["name"]: d for d in found["differences"]}
    facts = {}
    for model in found["models"]:
        gain = gains[model["name"]]
        facts[model["name"]] = (
            f"{model['n_parameter']} parameters, deviance {model['deviance']:.1f}, "
            f"left-out blocks {gain['held_out']:+.1f} ± {gain['error']:.1f}, "
            f"log evidence {gain['log_evidence']:+.1f}, BIC {model['bic']:.1f}"
        )
    data = ", ".join(found["measurements"])
    kind = "simulated " if found["simulated"] else ""
    return SectionContent(
        title=f"Comparison {found['comparison']}",
        text=f"Models of {kind}{data}: {found['sentence']}.",
        facts=facts,
        table="Models; differences are to the one that describes left-out blocks best",
    )
