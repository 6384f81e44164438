"""What a map of phases compares beside the arrays themselves: latent numbers, further observables; and its labels."""

import numpy as np
from scipy.optimize import nnls
from scipy.spatial.distance import pdist

from ..errors import DataError, StoreError
from ..learn.compressor_file import load_compressor
from ..learn.images import StoreImages
from .model_file import read_model
from .projected import with_projections

ORDER = "order_"
"""Arrays of order parameters start with it, those of their errors end with ``_error``."""
ORDERED = 0.5
"""A group of points bears the name of an order parameter whose median there is this part of its largest value."""
_BATCH = 256
_PROBES = 64


def arrays_of(store, declared, section, model):
    """Return a store that has all arrays of a map, those among them that are made from correlations."""
    if model is None or set(declared.arrays) <= set(store.template):
        return store
    return with_projections(store, declared.arrays, model=read_model(model)[0], signals=section["signals"])


def latent_features(store, arrays, declared, path):
    """Return latent numbers of all points, scaled so that distances are about those of images, (n_point, n_latent).

    Unscaled, a network may put little of an image into a large number.
    """
    if path is None:
        raise DataError("a map of latent numbers needs a compressor", where=f"phases: {declared.latent}")
    compressor, about = load_compressor(path)
    source = StoreImages(arrays, declared.arrays)
    wanted = (store.study, list(declared.arrays), source.n_voxel)
    found = (about.get("study"), list(about.get("arrays", ())), compressor.n_voxel)
    if found != wanted:
        words = [
            f"{', '.join(names) or 'no arrays'} of the study {study}, {n} voxels" for study, names, n in (wanted, found)
        ]
        raise StoreError(
            "the compressor has learnt from something else",
            where=str(path),
            expected=words[0],
            got=words[1],
            fix="name the arrays of the compressor in the map; where the simulations have changed, compress again",
        )
    parts = [np.arange(k, min(k + _BATCH, source.n_image)) for k in range(0, source.n_image, _BATCH)]
    latent = np.concatenate([compressor.encode(source.read(part)[0]) for part in parts])
    return latent * _sizes(compressor, latent)


def _sizes(compressor, latent):
    """Return factors of latent numbers, (n_latent,), that make distances those of images as the transform shows them.

    |x_i − x_j|² ≈ Σ_d size_d² (z_id − z_jd)²,   x = transform(decode(z)), pairs of some points, least squares
    """
    chosen = latent[np.unique(np.linspace(0, len(latent) - 1, min(_PROBES, len(latent))).astype(int))]
    seen = compressor.transform.forward(compressor.decode(chosen))
    square, _ = nnls(np.column_stack([pdist(column[:, None], "sqeuclidean") for column in chosen.T]), pdist(seen) ** 2)
    if not square.any():
        raise DataError("latent numbers that are the same at all points", where="phases: latent")
    return np.sqrt(square)


def with_companions(features, store, weights):
    """Return features with further arrays of the simulations beside them.

    Each block is brought to a total variance of 1 over the points, then to its weight; without further arrays features
    stay as they are.

    Parameters
    ----------
    features : (n_point, n) float64
    store : StudyStore
    weights : dict of str to float
    """
    if not weights:
        return features
    blocks = [_scaled(features, 1.0, "arrays")]
    for name, weight in weights.items():
        if name not in store.template:
            raise DataError(
                f"the simulations have no array {name!r}",
                where="phases: beside",
                expected=f"some of {', '.join(sorted(store.template))}",
                fix="name arrays that the study simulates",
            )
        values = store.read_many(name, np.arange(store.n_point)).reshape(store.n_point, -1).astype(np.float64)
        if not np.all(np.isfinite(values)):
            raise DataError("an array that is compared holds numbers that are not finite", where=name)
        blocks.append(_scaled(values, weight, name))
    return np.hstack(blocks)


def _scaled(values, weight, name):
    size = np.sqrt(values.var(axis=0).sum())
    if not size > 1e-12 * (1.0 + np.abs(values).max()):
        raise DataError(
            "an array that is compared is the same at all points", where=f"phases: {name}", fix="leave it out"
        )
    return np.sqrt(weight) * values / size


def groups_of(found):
    """Return what a map is drawn by, (n_point,) int, how many there are and their name: phases, or else clusters."""
    n_cluster = int(found.label.max()) + 1
    if found.n_phase < 2 and n_cluster > 1:
        return found.label, n_cluster, "clusters"
    return found.phase, found.n_phase, "phases"


def group_labels(store, group, number):
    """Return the names of the order parameters that each of some groups of points has, a list of str for each.

    The first statistic of an order parameter is its mean modulus; the lowest temperature counts.
    """
    names = [name for name in store.template if name.startswith(ORDER) and not name.endswith("_error")]
    labels: list[list[str]] = [[] for _ in range(number)]
    for name in names:
        values = store.read_many(name, np.arange(store.n_point))
        modulus = values.reshape(store.n_point, -1, values.shape[-1])[:, _coldest(store, name), 0]
        for k in range(number):
            if modulus.max() > 0 and np.median(modulus[group == k]) >= ORDERED * modulus.max():
                labels[k].append(name.removeprefix(ORDER))
    return labels


def _coldest(store, name):
    axis = store.template[name]["coords"].get("temperature")
    return 0 if axis is None else int(np.argmin(axis["values"]))
