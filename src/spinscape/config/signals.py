"""How S(Q) over volumes is made from a study's stored correlations."""

from .axes import conditions, volume


def signals_section(study):
    """Return what makes S(Q) of correlations, as plain data; None where a study keeps none."""
    if study.simulate.kind != "montecarlo":
        return None
    settings = study.simulate.settings(study)["montecarlo"]
    kept = settings["correlations"]
    if kept is None or not kept["pairs"]:
        return None
    return {
        "supercell": settings["supercell"],
        "field": list(conditions(study).to_dict()["field"]),
        "settings": kept["settings"],
        "volumes": {name: volume(study, name).to_dict() for name in study.volumes},
    }
