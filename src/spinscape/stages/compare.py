"""Stage ``compare``: which of several fitted models the data prefer."""

import json
import logging
from pathlib import Path

import numpy as np

from ..config.comparisons import ComparisonSection
from ..errors import StoreError
from ..infer.compare import Candidate, compare
from ..store.files import write_whole
from ..store.provenance import provenance
from .fit_job import Job

_log = logging.getLogger(__name__)


def run(section, name, model, measurements, fits, files, seed, output, *, code=None):
    """Compare the models of some fits and write the answer.

    Parameters
    ----------
    section : dict
        ``build.comparison_section``.
    name : str
    model : str or Path
    measurements : list of str or Path
    fits : list of str or Path
        JSON file of each fit: refits start at their answers.
    files : list of dict of str to (str or Path)
        What each fit's parts read of other stages.
    seed : int
        Of the study.
    output : str or Path
        JSON.
    code : str, optional
        Fingerprint of the code.
    """
    said = ComparisonSection.model_validate(section["comparison"])
    candidates, prepared = [], ()
    for fit, path, own in zip(said.fits, fits, files, strict=True):
        job = Job(section["fits"][fit], model, measurements, own, seed)
        problem, box = job.problem(job.fit)
        prepared = job.prepared(job.fit)
        candidates.append(Candidate(fit, problem, box, _best(path, box)))
    found = compare(candidates, measurements=prepared, block=said.block, n_fold=said.n_fold, seed=seed)
    document = {
        "comparison": name,
        "measurements": [m.name for m in prepared],
        "simulated": any(m.simulated for m in prepared),
        **found.to_dict(),
        "provenance": provenance(code=code, seed=seed, data={}),
    }
    write_whole(output, json.dumps(document, indent=1, ensure_ascii=False))
    _log.info("comparison %s: %s", name, found.sentence)


def _best(path, box):
    try:
        result = json.loads(Path(path).read_text())
        estimates = {**result["parameters"], **result["nuisances"]}
        return np.array([estimates[name]["value"] for name in box.names])
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(
            "a fit's result cannot be read", where=str(path), got=str(error), fix="run the fit again"
        ) from None
