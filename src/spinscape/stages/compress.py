"""Stage ``compress``: compressors of simulated volumes compared, the best of them, and the generator it allows."""

import json
import logging
import shutil
import time
from pathlib import Path

import numpy as np

from ..config.learning import CompressionSection
from ..errors import DataError, located
from ..learn import compression
from ..learn.augment import AugmentSettings, momenta_from_store
from ..learn.compression import HeldOut, Method, Row, Trainer
from ..learn.compressor import batches_of, check_fit, truncated
from ..learn.compressor_file import save_compressor
from ..learn.generator import fit_generator
from ..learn.generator_error import LEAST_POINTS, with_measured_error
from ..learn.generator_file import save_generator
from ..learn.images import ArrayImages, StoreImages, Transform, check_intensities, split_points
from ..learn.siren import default_device
from ..rng import digest_words
from ..store.contracts import digest
from ..store.files import write_whole
from ..store.read import StudyStore
from .forward_generator import temperatures_of
from .model_file import read_model
from .projected import with_projections

COMPRESSION = "compression/3"
SLOPES = "coupling_energy"
"""Array of ⟨∂E/∂θ⟩, at each temperature."""
SHOWN = 2000
"""Points whose latent numbers are kept for the report."""
BATCH = 256
"""Images that are read together where they are not held in memory."""
IN_MEMORY = 2**30
"""Bytes up to which images are held in memory and not read again for each training."""

_log = logging.getLogger(__name__)


def run(section, seed, index, output, generator, metrics, work, *, model=None):
    """Compare compressors and write the one to be used.

    Parameters
    ----------
    section : dict
        ``build.compression_section``.
    seed : int
        Of the study.
    index : str or Path
        Index of the simulated points.
    output, generator, metrics : str or Path
        The compressor, the generator, and a JSON file with all errors.
    work : str or Path
        Folder where trainings that are done are noted: one that was killed goes on from there.
    model : str or Path, optional
        The model's file: needed for arrays that are made from correlations.
    """
    declared = CompressionSection.model_validate(section["model"])
    options = {"study": section["study"], "replicas": section["replicas"]}
    with located(f"learn.{section['name']}"), StudyStore(index, **options) as store:
        arrays = _arrays(store, declared.arrays, section, model)
        split = _Split(store, arrays, declared, section["replicas"], seed)
        where = momenta_from_store(arrays, declared.arrays, section["reciprocal"])
        trainer = Trainer(split.train, where=where, progress=True, device=default_device())
        _check_methods(declared, trainer)
        seeds = [digest_words("compression", seed, k)[0] for k in range(declared.n_seed)]
        plan = compression.planned(_methods(declared, split.held_out), seeds)
        notes = Path(work) / f"{section['name']}-{digest([section, seed, store.index['batches']])[:16]}"
        rows = _rows(plan, trainer, split.held_out, notes)
        best = compression.best_row(rows, method=declared.keep)
        made = trainer.trained(next(m for m, *_ in plan if m.name == best.method), best.n_latent, best.seed)
        about = {"study": store.study, "arrays": list(declared.arrays), "shapes": _shapes(arrays, declared.arrays)}
        about["temperatures"] = {name: temperatures_of(arrays, name) for name in declared.arrays}
        about["held_out_error"] = best.held_out
        save_compressor(output, made, metadata=about)
        found = _generator(made, trainer, split, store, seed, generator, about, declared.generator)
        spaces = _spaces(made, best.method, trainer, split, store)
    document = {**_document(section["name"], declared, rows, best, split, found), "spaces": spaces}
    write_whole(metrics, json.dumps(document, indent=1, ensure_ascii=False))
    shutil.rmtree(notes, ignore_errors=True)


def _shapes(store, arrays):
    return {name: list(store.template[name]["shape"]) for name in arrays}


def _arrays(store, names, section, model):
    """Return a store that has all arrays, those among them that are made from correlations."""
    if model is None or set(names) <= set(store.template):
        return store
    return with_projections(store, names, model=read_model(model)[0], signals=section["signals"])


class _Split:
    """Points to learn from and points held out, with the truth of these."""

    def __init__(self, store, arrays, declared, replicas, seed):
        train, test, groups = _replicated(store) if replicas else _by_hash(store, declared.held_out, seed)
        if not len(test) or not len(train):
            raise DataError(
                "no points to learn from, or none that are held out",
                where="points",
                expected="both, with a result",
                got=f"{len(train)} to learn from, {len(test)} held out",
                fix="raise replicas.share, or simulate more points; where they have failed, their logs say why",
            )
        self.train, self.theta, self.train_points = _images(arrays, declared.arrays, train), store.theta[train], train
        source = _images(arrays, declared.arrays, test)
        done = store.state[test] == store.result_codes["done"]
        self.settled = done if groups is None else np.array([done[groups == k].all() for k in np.unique(groups)])
        if groups is None:
            self.held_out, self.held_out_theta = HeldOut(source, truth=source), store.theta[test]
        else:
            first = np.unique(groups, return_index=True)[1]
            self.held_out, self.held_out_theta = HeldOut(source, groups=groups), store.theta[test][first]


def _check_methods(declared, trainer):
    """Raise before anything is trained where some method asks for what the images cannot teach."""
    for name, method in declared.methods.items():
        with located(f"methods.{name}"):
            check_fit(trainer.source, max(method.dimensions))
            some = trainer.source.read(np.arange(min(trainer.source.n_image, BATCH)))[0]
            check_intensities(some, method.transform, where=", ".join(declared.arrays))
            if getattr(method, "augment", None) is not None:
                trainer.check_momenta()
    if declared.generator.components is not None:
        with located("generator.components"):
            check_fit(trainer.source, declared.generator.components)


def _replicated(store):
    """Return first runs of other points, all runs of those with at least three, and the group of each run."""
    place = {row.tobytes(): k for k, row in enumerate(store.theta[store.replica > 0] + 0.0)}
    group = np.array([place.get(row.tobytes(), -1) for row in store.theta + 0.0])
    enough = [k for k in np.unique(group[group >= 0]) if np.sum(group == k) >= 3]
    test = np.flatnonzero(np.isin(group, enough))
    return np.flatnonzero(group < 0), test, group[test]


def _by_hash(store, share, seed):
    train, test = split_points(store.ids, seed=seed, held_out=share)
    return train, test, None


def _images(arrays, names, points):
    source = StoreImages(arrays, names, points)
    if 4 * source.n_image * source.n_voxel > IN_MEMORY:
        return source
    return ArrayImages(np.concatenate([values for values, _ in batches_of(source)]))


def _methods(declared, held_out):
    out = []
    for name, method in declared.methods.items():
        settings = method.model_dump(exclude={"kind", "dimensions", "transform", "augment"})
        transform = method.transform.model_dump()
        if transform["noise"] == "replicas":
            transform["noise"] = compression.noise_of_runs(held_out)
        transform = Transform(**transform)
        declared_artefacts = getattr(method, "augment", None)
        augment = None
        if declared_artefacts is not None:
            augment = AugmentSettings(**declared_artefacts.model_dump(exclude={"beyond"}))
            settings["beyond"] = declared_artefacts.beyond
        out.append(Method(name, method.kind, method.dimensions, transform, settings, augment))
    return out


def _rows(plan, trainer, held_out, notes):
    """Train all compressors of the plan, those aside that are noted as done."""
    notes.mkdir(parents=True, exist_ok=True)
    book = notes / "rows.jsonl"
    done = {(row.method, row.n_latent, row.seed): row for row in _noted(book)}
    rows = []
    for method, d, seed in plan:
        row = done.get((method.name, d, seed))
        if row is None:
            checkpoint = notes / f"{method.name}-{d}-{seed}.pt"
            row = trainer.row(method, d, seed, held_out, checkpoint=checkpoint)
            with book.open("a") as file:
                file.write(json.dumps(row.to_dict()) + "\n")
            checkpoint.unlink(missing_ok=True)
            _log.info("%s, D = %d: held-out error %.4g, own %.4g", method.name, d, row.held_out, row.own)
        rows.append(row)
    return rows


def _noted(book):
    """Return the rows of a book; the last line of a job that was killed may be torn."""
    out = []
    for line in book.read_text().splitlines() if book.exists() else ():
        try:
            out.append(Row(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return out


def _generator(made, trainer, split, store, seed, output, about, asked):
    """Fit, judge and write the generator; return what is known of it."""
    if asked.components is not None:
        made = truncated(trainer.components(Transform(), asked.components), asked.components)
    latent = _encoded(made, split.train, np.arange(split.train.n_image))
    settled = store.state[split.train_points] == store.result_codes["done"]
    options = {"experts": asked.experts, "slopes": _slopes(store, split.train_points), "images": split.train}
    options["settled"] = settled
    found = fit_generator(split.theta, latent, made, seed=seed, parameter_names=store.parameter_names, **options)
    scores = compression.generator_error(
        found, split.held_out_theta, split.held_out, trainer.mean, settled=split.settled
    )
    found = _with_measured_error(found, split)
    save_generator(output, found, metadata={**about, **scores})
    shown = split.theta[:64]
    clock = time.process_time()
    found.predict(shown)
    seconds = (time.process_time() - clock) / len(shown)
    spent, n_run = store.cpu_seconds(), store.index["n_point"]
    return {
        **scores,
        "n_phase": found.n_phase,
        "n_latent": made.n_latent,
        "error_factor": found.error_factor,
        "seconds": seconds,
        "simulation_seconds": None if spent is None else spent / n_run,
    }


def _slopes(store, points):
    """Return the derivatives of the free energy by the couplings, (n_point, n_parameter); None where none are stored.

    They tell of one temperature: where images hold several, phases meet at several places.
    """
    spec = store.template.get(SLOPES)
    if spec is None or list(spec["shape"]) != [1, len(store.parameter_names)]:
        return None
    slopes = store.read_many(SLOPES, points)[:, 0].astype(np.float64)
    return slopes if np.all(np.isfinite(slopes)) else None


def _with_measured_error(found, split):
    """Return the generator with its own error measured at the held-out points, where these are enough."""
    # Runs that ended in different phases have no mean that could be called the truth.
    points = zip(split.held_out.points(), split.settled, strict=True)
    runs = (values if split.held_out.truth is None else truth for (values, truth, _), settled in points if settled)
    if split.settled.sum() < LEAST_POINTS:
        return found
    try:
        return with_measured_error(found, split.held_out_theta[split.settled], runs)
    except DataError as error:
        _log.warning("the generator's own error is not measured: %s", error.what)
        return found


def _spaces(made, method, trainer, split, store):
    """Return couplings and latent numbers of some points: of the compressor that is kept, and principal components."""
    n = split.train.n_image
    shown = np.unique(np.linspace(0, n - 1, min(n, SHOWN)).round().astype(int))
    pca = trainer.components(made.transform, min(3, n - 1, split.train.n_voxel))
    named = {"principal components": pca, f"{method}, D = {made.n_latent}": made}
    latents = {name: _encoded(one, split.train, shown) for name, one in named.items()}
    return {
        "parameter_names": list(store.parameter_names),
        "theta": split.theta[shown].tolist(),
        "latents": {name: latent[:, np.argsort(-latent.var(axis=0))[:3]].tolist() for name, latent in latents.items()},
        "errors": _latent_errors(made, split.train.read(shown[:: -(-len(shown) // BATCH)])[0]),
    }


def _encoded(compressor, source, points):
    """Return latent numbers (n, n_latent) of some images of a source, few of them read at a time."""
    parts = [points[k : k + BATCH] for k in range(0, len(points), BATCH)]
    return np.concatenate([compressor.encode(source.read(part)[0]) for part in parts])


def _latent_errors(made, values):
    """Return the median error of each latent number over its spread, of whole images and with half of each missing.

    None where the compressor states no errors.
    """
    if made.kind != "variational":
        return None
    half = np.arange(made.n_voxel) % 2 == 0
    spread = made.encode(values).std(axis=0)
    parts = {"whole": None, "half": half}
    return {n: (np.median(made.encode_with_std(values, m)[1], axis=0) / spread).tolist() for n, m in parts.items()}


def _document(name, declared, rows, best, split, found):
    return {
        "contract": COMPRESSION,
        "name": name,
        "arrays": list(declared.arrays),
        "n_train": split.train.n_image,
        "n_held_out": split.held_out.n_point,
        "n_voxel": split.train.n_voxel,
        "rows": [row.to_dict() for row in rows],
        "chosen": best.to_dict(),
        "sufficient": {
            method: {m: compression.sufficient(rows, method, m)[0] for m in ("own", "held_out")}
            for method in declared.methods
        },
        "statements": [compression.statement(rows, method) for method in declared.methods],
        "generator": found,
    }
