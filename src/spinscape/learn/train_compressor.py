"""The training of an autoencoder: keyed, resumable, stopped early, the same bits for the same seed."""

import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ..errors import DataError, TrainingError
from ..rng import digest_words, stream
from .autoencoder import Autoencoder, inputs_of, make_network, size_seen, voxels_seen
from .checkpoint import damaged, read_payload, write_payload
from .compressor import Pca, as_source, batches_of, check_fit, fit_pca, truncated
from .images import Transform, no_spread

STATE_CONTRACT = "compressor-training/1"
_START_SHARE = 0.1
"""Share of the steps over which the learning rate rises."""
_HELD_OUT = 0.1
"""Share of the images that judge the training."""
_MAX_HELD_OUT = 512
"""Images that judge the training at most: they are looked at after every epoch."""


@dataclass(frozen=True)
class History:
    """Squared errors of the network's inputs by epoch: on what it learnt from, and held out."""

    train: tuple[float, ...]
    held_out: tuple[float, ...]


def fit_autoencoder(
    source, settings, *, seed, transform=None, augment=None, checkpoint=None, progress=False, device="cpu", threads=1,
    front=None,
):  # fmt: skip
    """Train an autoencoder.

    Parameters
    ----------
    source : ImageSource or (n_image, n_voxel) array
    settings : AutoencoderSettings
    seed : int
    transform : Transform, optional
    augment : callable, optional
        ``augment(values, generator) -> values, valid``: images with artefacts for the encoder to see, while the decoder
        is to give the ones without, drawn anew for every batch (:class:`.augment.Artefacts`); ``valid`` may be None.
    checkpoint : str or Path, optional
        Where the training's state is kept; one of the same training is gone on with.
    progress : bool
    device : str
        ``"cuda"`` where there is one.
    threads : int
        Of torch while it trains: sums, and so the bits of the result, depend on them.
    front : Pca, optional
        Components of this very source and transform, where they are known: at least ``n_component``.

    Returns
    -------
    Autoencoder, History
    """
    source = as_source(source)
    check_fit(source, settings.n_latent)
    if settings.n_component:
        settings = replace(settings, n_component=min(settings.n_component, source.n_image - 1, source.n_voxel))
    front = _front(source, settings, transform or Transform(), front)
    scale = float(np.sqrt(np.max(front.variance))) * (0.3 if settings.n_component else 1.0)
    data = _Data(source, front, scale, settings, seed, augment)
    with _threads(threads):
        training = _Training(data, settings, seed, device)
        training.run(checkpoint, progress)
        network = training.best_network().cpu()
        plain = Autoencoder(settings, front, scale, network, np.zeros(front.n_voxel), data.reach)
        right = replace(plain, correction=_correction(plain, source))
        # Where the network itself errs by much, what is right in the mean is far off where most of the intensity is.
        return min(right, plain, key=lambda model: _square_error(model, source)), training.history


def _front(source, settings, transform, known):
    """Return components for the network to see, or mean and one variance where it sees voxels."""
    if settings.n_component and known is not None:
        if known.transform != transform or known.n_voxel != source.n_voxel:
            raise DataError(
                "the components are not those of these images", where="front", expected=transform, got=known.transform
            )
        return truncated(known, settings.n_component)
    if settings.n_component:
        return fit_pca(source, n_latent=settings.n_component, transform=transform)
    total, square, n = np.zeros(source.n_voxel), np.zeros(source.n_voxel), source.n_image
    for values, valid in batches_of(source):
        if valid is not None and not valid.all():
            raise DataError(
                "an autoencoder learns from whole images",
                where="autoencoder",
                got="masked voxels among the training images",
                fix="leave the voxels that some image lacks out of all of them; augment: teaches it to miss blocks",
            )
        seen = transform.forward(values.astype(np.float64))
        total += seen.sum(axis=0)
        square += (seen**2).sum(axis=0)
    mean = total / n
    variance = float(np.mean(np.maximum(square / n - mean**2, 0.0)))
    if not variance > 0:
        raise no_spread("autoencoder")
    return Pca(mean, np.zeros((1, source.n_voxel)), [variance], variance, transform)


class _Data:
    """What the network learns from, a batch at a time: what it sees (n, n_seen), and what it is to give (n, n_given).

    Images are held as components, and read anew from their source where voxels are needed.
    """

    def __init__(self, source, front, scale, settings, seed, augment):
        self._source, self._front, self._scale, self._augment = source, front, scale, augment
        self._components, self._voxels = settings.n_component > 0, settings.sees == "voxels"
        self._beyond = settings.beyond
        self.reach, total = np.zeros(source.n_voxel), []
        for values, valid in batches_of(source):
            away = front.transform.forward(values.astype(np.float64)) - front.mean
            self.reach = np.maximum(self.reach, np.abs(away).max(axis=0))
            if self._components:
                total.append(self._given(values, valid))
        self._target = torch.from_numpy(np.concatenate(total)) if total else None
        order = stream(seed, "split", "compressor", source.n_image).permutation(source.n_image)
        n_held_out = min(max(1, int(_HELD_OUT * len(order))), _MAX_HELD_OUT)
        self.held_out, self.train = np.sort(order[:n_held_out]), np.sort(order[n_held_out:])
        self._seed, self._size = seed, settings.batch_size
        self._noise = settings.input_noise / (size_seen(self.reach) if self._voxels else scale)

    @property
    def noise(self):
        """Standard deviation of the noise on what the decoder is to give."""
        return self._noise * (size_seen(self.reach) / self._scale if self._voxels else 1.0)

    def _given(self, values, valid):
        return inputs_of(self._front, self._scale, values, valid, components=self._components)

    def batch(self, index, generator, *, noisy=True):
        """Return what the encoder sees of some images and what the decoder is to give, as tensors."""
        index = np.asarray(index)
        if self._augment is None and not self._voxels and self._components:
            target = self._target[index]
            seen = target
        else:
            # A source is read in its own order: neighbours stand in one file.
            order = np.argsort(index)
            values, valid = self._source.read(index[order])
            back = np.argsort(order)
            values, valid = values[back], None if valid is None else valid[back]
            target = self._target[index] if self._components else torch.from_numpy(self._given(values, valid))
            if self._augment is not None:
                values, valid = self._augment(values, generator)
            seen = torch.from_numpy(self._seen(values, valid))
        if noisy and self._noise:
            seen = seen + self._noise * self._drawn(seen, generator)
        return seen, target

    def _seen(self, values, valid):
        if not self._voxels:
            return self._given(values, valid)
        return voxels_seen(self._front, self.reach, values, valid, beyond=self._beyond)

    def _drawn(self, seen, generator):
        """Return noise of unit size on measured voxels."""
        n = self._source.n_voxel if self._voxels else seen.shape[1]
        noise = torch.from_numpy(generator.standard_normal((len(seen), n), dtype=np.float32))
        return torch.cat([noise * (1.0 - seen[:, n:]), torch.zeros_like(noise)], dim=1) if self._voxels else noise

    def judged(self):
        """Yield batches of the images held out, the same artefacts on them each time."""
        for start in range(0, len(self.held_out), self._size):
            generator = stream(self._seed, "dataset", "augment", start)
            yield self.batch(self.held_out[start : start + self._size], generator, noisy=False)

    @property
    def key(self):
        """Words that tell other data."""
        front = (self._front.mean, self._front.components, self._front.variance, self.reach)
        target = np.zeros(0) if self._target is None else self._target.numpy()
        augment = "none" if self._augment is None else str(getattr(self._augment, "key", "unnamed"))
        return digest_words(*front, target, augment, self._source.n_image)


class _Training:
    """A training under way; all of its state goes into the checkpoint."""

    def __init__(self, data, settings, seed, device):
        self.data, self.settings, self.seed, self.device = data, settings, seed, device
        start = stream(seed, "initialise", "compressor", settings.kind)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(start.integers(2**62)))
            self.network = make_network(settings, len(data.reach)).to(device)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=settings.learning_rate)
        self.n_batch = -(-len(data.train) // settings.batch_size)
        self.epoch, self.best_epoch, self.best = 0, 0, float("inf")
        self.best_weights = _copied(self.network)
        self.errors: list[list[float]] = []

    @property
    def history(self):
        """Errors of every epoch."""
        train, held_out = zip(*self.errors, strict=True)
        return History(train, held_out)

    def run(self, checkpoint, progress):
        """Take the epochs that are left."""
        self._restore(checkpoint)
        left = range(self.epoch, self.settings.n_epoch)
        for epoch in tqdm(left, desc=self.settings.kind, unit="epoch", disable=not progress):
            if epoch - self.best_epoch > self.settings.patience:
                break
            train = self._one_epoch(epoch)
            self._judge(train)
            self.epoch = epoch + 1
            if checkpoint is not None and (self.epoch % 20 == 0 or self.epoch == self.settings.n_epoch):
                self._save(checkpoint)

    def _one_epoch(self, epoch):
        generator = stream(self.seed, "batch", "compressor", epoch)
        order = self.data.train[generator.permutation(len(self.data.train))]
        total = 0.0
        for k in range(self.n_batch):
            part = slice(k * self.settings.batch_size, (k + 1) * self.settings.batch_size)
            self.optimiser.param_groups[0]["lr"] = self._rate(epoch * self.n_batch + k)
            total += self._one_step(order[part], generator) * len(order[part])
        return total / len(order)

    def _one_step(self, index, generator):
        seen, target = (part.to(self.device) for part in self.data.batch(index, generator))
        mean, log_variance = self.network.code(seen)
        code, extra = mean, torch.zeros((), device=self.device)
        if log_variance is not None:
            draw = generator.standard_normal(mean.shape, dtype=np.float32)
            code = mean + torch.exp(0.5 * log_variance) * torch.from_numpy(draw).to(self.device)
            divergence = 0.5 * (mean**2 + torch.exp(log_variance) - 1.0 - log_variance).sum(dim=1).mean()
            # Squared error in units of the noise and half a divergence are one log likelihood.
            extra = self.settings.kl_weight * 2.0 * self.data.noise**2 * divergence / target.shape[1]
        error = ((self.network.decoder(code) - target) ** 2).mean()
        loss = error + extra
        if not torch.isfinite(loss):
            raise TrainingError("the training diverged", where=self.settings.kind, fix="lower learning_rate")
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(error.detach())

    def _rate(self, step):
        """Return the learning rate: a cosine up over the first steps, and one down to zero."""
        last, start = self.settings.n_epoch * self.n_batch, _START_SHARE * self.settings.n_epoch * self.n_batch
        if step < start:
            share = 0.5 * (1.0 - np.cos(np.pi * (step + 1) / start))
        else:
            share = 0.5 * (1.0 + np.cos(np.pi * (step - start) / max(last - start, 1.0)))
        # A plain number: files hold no others.
        return float(self.settings.learning_rate * max(share, 1e-4))

    @torch.no_grad()
    def _judge(self, train):
        total = 0.0
        for batch in self.data.judged():
            seen, target = (part.to(self.device) for part in batch)
            total += float(((self.network.decoder(self.network.code(seen)[0]) - target) ** 2).mean(dim=1).sum())
        held_out = total / len(self.data.held_out)
        self.errors.append([train, held_out])
        if held_out < self.best:
            self.best, self.best_epoch, self.best_weights = held_out, self.epoch, _copied(self.network)

    def best_network(self):
        """Return the network with the weights of the lowest held-out error."""
        self.network.load_state_dict(self.best_weights)
        return self.network

    def _key(self):
        plain = json.dumps([self.settings.to_dict(), self.seed, torch.get_num_threads()], sort_keys=True)
        return "".join(f"{word:08x}" for word in digest_words(plain, *map(int, self.data.key)))

    def _save(self, path):
        plain = {name: getattr(self, name) for name in ("epoch", "best_epoch", "best", "errors")}
        payload = {"key": self._key(), "plain": json.dumps(plain), "weights": _copied(self.network)}
        write_payload(
            path,
            STATE_CONTRACT,
            {**payload, "best_weights": self.best_weights, "optimiser": self.optimiser.state_dict()},
        )

    def _restore(self, path):
        if path is None or not Path(path).exists():
            return
        payload = read_payload(path, STATE_CONTRACT)
        if payload.get("key") != self._key():
            return
        with damaged(path):
            for name, value in json.loads(payload["plain"]).items():
                setattr(self, name, value)
            self.network.load_state_dict(payload["weights"])
            self.optimiser.load_state_dict(payload["optimiser"])
            self.best_weights = payload["best_weights"]


def _correction(model, source):
    """Return what makes the decoded images right in the mean of each voxel, on the scale of the transform.

    With a logarithm, noise of relative size r lowers the mean by r²/2; where noise is small this is zero.
    """
    total, count = np.zeros(source.n_voxel), np.zeros(source.n_voxel)
    logarithm = model.transform.kind == "log1p"
    for values, valid in batches_of(source):
        residual = model.transform.forward(values.astype(np.float64)) - model.decode_seen(model.encode(values, valid))
        residual = np.exp(residual) if logarithm else residual
        known = np.ones(residual.shape, bool) if valid is None else valid
        total += np.where(known, residual, 0.0).sum(axis=0)
        count += known.sum(axis=0)
    mean = np.where(count > 0, total / np.maximum(count, 1), float(logarithm))
    return np.log(mean) if logarithm else mean


def _square_error(model, source):
    """Return Σ (decode(encode(S)) − S)² over the known voxels of a source."""
    total = 0.0
    for values, valid in batches_of(source):
        away = model.decode(model.encode(values, valid)) - values
        total += float(np.sum((away if valid is None else np.where(valid, away, 0.0)) ** 2))
    return total


def _copied(network):
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


@contextmanager
def _threads(number):
    """Let torch use so many threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
