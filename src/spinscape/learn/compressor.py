"""Compressors of images into a few numbers: what they have in common, PCA among them.

latent z = encode(S, valid) of shape (n, D);   decode(z) of shape (n, n_voxel), in the unit of S
"""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Protocol

import numpy as np
from sklearn.decomposition import IncrementalPCA

from ..errors import ConfigError, DataError, check_shape
from ..lattice.crystal import read_only
from .images import ArrayImages, ImageSource, Transform, no_spread
from .randomised_pca import leading_components

_BATCH = 256
"""Images that are held at once where a source is streamed."""
METHODS = ("auto", "incremental", "randomised")
_LARGE = 4096
"""Voxels from which on a randomised method finds the components."""


class Compressor(Protocol):
    """Images to latent numbers and back. Masked voxels are not zeros: they are not looked at."""

    kind: str
    n_latent: int
    n_voxel: int
    transform: Transform

    def encode(self, values: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
        """Return the latent numbers (n, n_latent) of images (n, n_voxel)."""
        ...

    def decode(self, latent: np.ndarray) -> np.ndarray:
        """Return the images (n, n_voxel) of latent numbers (n, n_latent)."""
        ...

    def typical_image(self) -> np.ndarray:
        """Return the image (n_voxel,) at the mean of what the transform gives of the images learnt from."""
        ...

    def payload(self) -> dict:
        """Return tensors and plain values, for a file."""
        ...


def check_fit(source: ImageSource, n_latent):
    """Raise where a source cannot teach so many latent numbers."""
    if not 1 <= n_latent <= source.n_voxel:
        raise ConfigError(
            "the number of latent dimensions is out of range",
            where="dimensions",
            expected=f"1 to the {source.n_voxel} voxels of an image",
            got=n_latent,
            fix="take fewer dimensions",
        )
    if source.n_image <= n_latent:
        raise DataError(
            "fewer images than latent dimensions",
            where="dimensions",
            expected=f"more than {n_latent} images to learn from",
            got=source.n_image,
            fix="simulate more points, hold fewer of them out, or take fewer dimensions",
        )


def batches_of(source, *, size=_BATCH):
    """Yield ``(values, valid)`` of a whole source, a batch at a time."""
    for start in range(0, source.n_image, size):
        yield source.read(np.arange(start, min(start + size, source.n_image)))


@dataclass(frozen=True, eq=False)
class Pca:
    """Principal components. Make it with :func:`fit_pca`.

    Parameters
    ----------
    mean : (n_voxel,) float64
        Of what the transform gives.
    components : (n_latent, n_voxel) float64
        Rows, orthonormal.
    variance : (n_latent,) float64
        Of the training images along each.
    noise : float
        Variance of a voxel that the components leave: the weight of the data where voxels are masked.
    transform : Transform
    """

    mean: np.ndarray
    components: np.ndarray
    variance: np.ndarray
    noise: float
    transform: Transform = field(default_factory=Transform)
    kind: str = "pca"

    def __post_init__(self):
        for name in ("mean", "components", "variance"):
            object.__setattr__(self, name, read_only(getattr(self, name)))
        check_shape("components", self.components, (len(self.variance), len(self.mean)))

    @property
    def n_latent(self):
        """Number of components."""
        return len(self.variance)

    @property
    def n_voxel(self):
        """Number of voxels of an image."""
        return len(self.mean)

    def encode(self, values, valid=None):
        """Return the coordinates along the components, (n, n_latent).

        Where voxels are masked, the most probable ones given the others: with Gaussian images of the training's
        variances and noise, (Vᵀ V/σ² + 1/λ)⁻¹ Vᵀ x/σ² over the measured voxels.
        """
        seen = checked_images(values, valid, self.n_voxel)
        if valid is None:
            return (self.transform.forward(seen) - self.mean) @ self.components.T
        mask = np.broadcast_to(valid, seen.shape)
        x = np.where(mask, self.transform.forward(np.where(mask, seen, 0.0)) - self.mean, 0.0)
        ridge = np.diag(self.noise / np.maximum(self.variance, 1e-300))
        if np.ndim(valid) == 1:
            # One mask for all images: one system for all.
            part = self.components[:, valid]
            return np.linalg.solve(part @ part.T + ridge, self.components @ x.T).T
        out = np.empty((len(x), self.n_latent))
        for k, (row, here) in enumerate(zip(x, mask, strict=True)):
            part = self.components[:, here]
            out[k] = np.linalg.solve(part @ part.T + ridge, part @ row[here])
        return out

    def covariance(self, valid, *, noise):
        """Return the covariance of an image's coordinates given its measured voxels, (n_latent, n_latent).

            (Vᵀ V/σ² + 1/λ)⁻¹,   V the components at the measured voxels

        Parameters
        ----------
        valid : (n_voxel,) bool
        noise : float
            σ², the variance of a voxel's noise after the transform.
        """
        part = self.components[:, np.asarray(valid, dtype=bool)]
        return np.linalg.inv(part @ part.T / noise + np.diag(1.0 / np.maximum(self.variance, 1e-300)))

    def decode(self, latent):
        """Return images (n, n_voxel)."""
        return self.transform.inverse(self.mean + np.asarray(latent, dtype=np.float64) @ self.components)

    def decode_slope(self, latent):
        """Return d(image)/d(latent), (n, n_latent, n_voxel)."""
        seen = self.mean + np.asarray(latent, dtype=np.float64) @ self.components
        return self.transform.slope(seen)[:, None] * self.components[None]

    def typical_image(self):
        """Return the image (n_voxel,) at the mean of what the transform gives of the images learnt from."""
        return self.transform.inverse(self.mean)

    def payload(self):
        """Return tensors and plain values, for a file."""
        return {
            "mean": self.mean,
            "components": self.components,
            "variance": self.variance,
            "plain": {"noise": self.noise, "transform": self.transform.to_dict()},
        }

    @classmethod
    def from_payload(cls, payload):
        """Rebuild from :meth:`payload`."""
        plain = payload["plain"]
        arrays = (np.asarray(payload[name]) for name in ("mean", "components", "variance"))
        return cls(*arrays, float(plain["noise"]), Transform(**plain["transform"]))


def fit_pca(source, *, n_latent, transform=None, method="auto"):
    """Return principal components of the images of a source.

    Parameters
    ----------
    source : ImageSource or (n_image, n_voxel) array
        Without masked voxels.
    n_latent : int
    transform : Transform, optional
    method : str
        ``"incremental"``: the images are streamed once; exact where one batch holds all images, within a small part of
        the noise otherwise (scikit-learn). ``"randomised"``: they are streamed four times, for much less work where
        images are large (:mod:`.randomised_pca`). ``"auto"`` chooses by size.

    Returns
    -------
    Pca
    """
    source = as_source(source)
    transform = transform or Transform()
    check_fit(source, n_latent)
    if method not in METHODS:
        raise ConfigError("no such method", where="pca", expected=f"one of {', '.join(METHODS)}", got=method)
    large = source.n_voxel > _LARGE and 4 * n_latent < source.n_image
    if method == "randomised" or (method == "auto" and large):
        return _randomised(source, n_latent, transform)
    found = IncrementalPCA(n_components=n_latent)
    # A last batch smaller than the number of components is not taken by the library: it joins the one before.
    for start, end in _spans(source.n_image, max(_BATCH, 4 * n_latent), n_latent):
        # Images that are all the same have no variance to divide by: told below.
        with np.errstate(invalid="ignore", divide="ignore"):
            found.partial_fit(_whole(source.read(np.arange(start, end)), transform, np.float64))
    if not found.var_.max() > 0:
        raise no_spread("pca")
    return Pca(found.mean_, found.components_, found.explained_variance_, float(found.noise_variance_), transform)


def _randomised(source, n_latent, transform):
    n_image, n_voxel = source.n_image, source.n_voxel
    mean, components, variance, total = leading_components(
        lambda: (_whole(batch, transform, np.float32) for batch in batches_of(source)),
        n_image=n_image,
        n_voxel=n_voxel,
        n_latent=n_latent,
    )
    left = max(min(n_image, n_voxel) - n_latent, 1)
    return Pca(mean, components, variance, max(total - float(variance.sum()), 0.0) / left, transform)


def _whole(batch, transform, dtype):
    """Return what the transform gives of whole images, or raise where one has masked voxels."""
    values, valid = batch
    if valid is not None and not valid.all():
        raise DataError(
            "principal components are learnt from whole images",
            where="pca",
            got="masked voxels among the training images",
            fix="leave the voxels that some image lacks out of all of them; what is compressed later may lack any",
        )
    if not np.all(np.isfinite(values)):
        raise DataError("a voxel that counts as known is not finite", where="images", fix="find out what made it")
    return transform.forward(values.astype(dtype)).astype(dtype, copy=False)


def truncated(pca, n_latent):
    """Return the first components of a PCA as one of its own."""
    if not 1 <= n_latent <= pca.n_latent:
        raise ConfigError("no such component", where="n_latent", expected=f"1 to {pca.n_latent}", got=n_latent)
    n_left = max(pca.n_voxel - n_latent, 1)
    noise = (pca.noise * max(pca.n_voxel - pca.n_latent, 0) + float(pca.variance[n_latent:].sum())) / n_left
    return replace(pca, components=pca.components[:n_latent], variance=pca.variance[:n_latent], noise=noise)


def _spans(n, size, least):
    edges = [*range(0, n, size), n]
    if len(edges) > 2 and edges[-1] - edges[-2] < least:
        del edges[-2]
    return list(pairwise(edges))


def as_source(images):
    """Return an :class:`ImageSource`: what is one already, or an array of images."""
    return images if hasattr(images, "read") else ArrayImages(images)


def checked_images(values, valid, n_voxel):
    """Return images as (n, n_voxel) float64, or raise where they are not, or where an image has no voxel."""
    values = np.asarray(values, dtype=np.float64)
    check_shape("values", values, ("n", n_voxel), hint="one image in each row")
    known = values if valid is None else values[np.broadcast_to(valid, values.shape)]
    if not np.all(np.isfinite(known)):
        raise DataError("a voxel that counts as known is not finite", where="images", fix="mask it")
    if valid is not None and not np.all(np.any(np.broadcast_to(valid, values.shape), axis=1)):
        raise DataError("an image without any measured voxel", where="images", fix="leave it out")
    return values
