"""Stage ``learn``: a network that stands in for the simulator, trained on the store."""

import json
from pathlib import Path

from ..config.learning import SirenSection
from ..errors import located
from ..learn.checkpoint import save_siren
from ..learn.siren import SirenSettings
from ..learn.train_siren import TrainSettings, train_siren
from ..store.files import write_whole
from ..store.read import StudyStore
from .model_file import read_model
from .rows import learnt_rows

GOOD_R2 = 0.99
"""Held-out R² below which the report warns of the network."""


def run(section, seed, index, output, metrics, work, *, model=None):
    """Train a network and write it, and what is known of it.

    Parameters
    ----------
    section : dict
        ``build.learn_section``.
    seed : int
        Of the study.
    index : str or Path
        Index of the simulated points.
    output, metrics : str or Path
        The network, and a JSON file for the report.
    work : str or Path
        Folder of the checkpoint; a training that was killed goes on from it.
    model : str or Path, optional
        The model's file: needed for arrays that are made from correlations.
    """
    declared = SirenSection.model_validate(section["model"])
    checkpoint = Path(work) / f"{section['name']}.checkpoint.pt"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    with located(f"learn.{section['name']}"), StudyStore(index, study=section["study"]) as store:
        result = train_siren(
            learnt_rows(store, section, declared, None if model is None else read_model(model)[0]),
            settings=SirenSettings(width=declared.width, hidden_layers=declared.hidden_layers),
            train=TrainSettings(n_train=declared.n_train, n_step=declared.n_step, batch_size=declared.batch_size),
            seed=seed,
            box=section["box"],
            names=declared.arrays,
            checkpoint=checkpoint,
        )
    save_siren(output, result.net)
    write_whole(metrics, json.dumps(_document(section["name"], result), indent=1))
    checkpoint.unlink(missing_ok=True)


def _document(name, result):
    scores, history = result.metrics, result.history
    warnings = []
    if scores["r2"] < GOOD_R2:
        warnings.append(f"the network explains only {scores['r2']:.4f} of the held-out spectra: train it for longer")
    return {
        "name": name,
        "parameter_names": list(result.net.parameter_names),
        "facts": {
            "trained numbers": result.net.n_weight,
            "spectra to learn from": result.net.metadata["n_train"],
            "held-out spectra": len(scores["theta"]),
            "held-out R² of log(1 + S), over the whole box": round(scores["r2"], 5),
            "held-out rms of log(1 + S)": round(scores["rms"], 5),
            "steps": history["step"][-1],
            "step of the weights kept": result.best_step,
            "CPU seconds": round(history["cpu_seconds"][-1], 1),
        },
        "history": history,
        "best_step": result.best_step,
        "held_out": {"theta": scores["theta"], "rms": scores["rms_by_point"]},
        "warnings": warnings,
    }
