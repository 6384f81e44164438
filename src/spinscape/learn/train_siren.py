"""Training of a sinusoidal network from simulated spectra: resumable, the same bits for the same seed on a CPU."""

from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numpy as np
import torch

from ..errors import ConfigError
from .dataset import domain_from_store, layout_from_store, split_points
from .metrics import held_out_metrics
from .siren import Siren, default_device
from .training import Training


@dataclass(frozen=True)
class TrainSettings:
    """How a network is trained.

    Parameters
    ----------
    n_train : int
        Spectra to learn from; all others are held out.
    n_step : int
        Steps of the cosine schedule.
    batch_size : int
        Pixels of a step.
    lr_hidden, lr_other : float
        Learning rates of Muon (hidden matrices) and of Adam (first and last layer, biases).
    signal_share, signal_level : float
        See :class:`~spinscape.learn.pixels.PixelStream`.
    check_every, check_pixels : int
        The held-out loss is taken every so many steps, on so many pixels.
    patience : int
        Training ends early after so many checks without a lower held-out loss.
    checkpoint_every : int
        Steps between checkpoints.
    max_bytes : int
        Memory for training spectra.
    score_pixels : int or None
        Pixels of each held-out spectrum in the final scores; None for all.
    n_thread : int
        Threads of a CPU training. Bits are the same only for the same number.
    """

    n_train: int
    n_step: int
    batch_size: int = 2048
    lr_hidden: float = 0.02
    lr_other: float = 0.01
    signal_share: float = 0.5
    signal_level: float = 0.12
    check_every: int = 500
    check_pixels: int = 32768
    patience: int = 20
    checkpoint_every: int = 2000
    max_bytes: int = 2**30
    score_pixels: int | None = 8192
    n_thread: int = 1

    def __post_init__(self):
        counts = ("n_train", "n_step", "batch_size", "check_every", "check_pixels", "patience", "checkpoint_every")
        for name in (*counts, "max_bytes", "n_thread"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1", where=f"siren.{name}", got=getattr(self, name))
        for name in ("lr_hidden", "lr_other"):
            if not 0 < getattr(self, name) < np.inf:
                raise ConfigError(f"{name} must be a positive number", where=f"siren.{name}", got=getattr(self, name))
        if not 0 <= self.signal_share < 1:
            raise ConfigError("signal_share must be in [0, 1)", where="siren.signal_share", got=self.signal_share)

    def to_dict(self):
        """Return plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A trained network and how it came about.

    Parameters
    ----------
    net : Siren
        With the weights of the lowest held-out loss.
    history : dict of str to list
        ``step``, ``train_loss``, ``held_out_loss`` (mean squared errors in units of the target's variance),
        ``learning_rate`` (factor of the schedule), ``cpu_seconds``.
    metrics : dict
        See :func:`~spinscape.learn.metrics.held_out_metrics`.
    best_step : int
        Step of the lowest held-out loss.
    stopped_early : bool
    resumed_from : int
        Step of the checkpoint that the training went on from; 0 where there was none.
    """

    net: Siren
    history: dict
    metrics: dict
    best_step: int
    stopped_early: bool
    resumed_from: int


def train_siren(
    store, *, settings, train, seed, box=None, names=None, checkpoint=None, progress=True, device=None, on_check=None
):
    """Train a network Φ(Q, ω, θ) → log(1 + S) on the spectra of a store.

    Parameters
    ----------
    store : StudyStore
    settings : SirenSettings
    train : TrainSettings
    seed : int
        Of the split, the start and the batches.
    box : dict of str to (float, float), optional
        Declared bounds of the couplings.
    names : sequence of str, optional
        Arrays to learn; all spectra where left out.
    checkpoint : str or Path, optional
        Where to keep the state of the training; one of the same training is continued, one of another is overwritten.
    progress : bool
        Show a progress bar.
    device : torch.device or str, optional
        The graphics card where there is one, else the CPU.
    on_check : callable, optional
        Called with the :class:`~spinscape.learn.training.Training` after each check.

    Returns
    -------
    TrainingResult

    Raises
    ------
    TrainingError
        For too few spectra, a constant target, spectra that are not finite, and a training that diverges.
    """
    layout = layout_from_store(store, names)
    chosen, held_out = split_points(store.theta, n_train=train.n_train, seed=seed)
    domain = domain_from_store(store, layout, chosen, box=box)
    net = Siren(settings, domain, seed=seed).to(device or default_device())
    with _threads(train.n_thread):
        training = Training(net, store, layout, chosen, held_out, train, seed)
        resumed_from = training.restore(checkpoint)
        training.run(checkpoint, progress=progress, on_check=on_check)
        net.load_state_dict(training.best_weights)
        net = net.cpu()
        metrics = held_out_metrics(net, store, layout, held_out, n_pixel=train.score_pixels, seed=seed)
    net.metadata.update(
        train=train.to_dict(),
        seed=seed,
        arrays=list(layout.names),
        n_train=len(chosen),
        history=training.history,
        metrics=metrics,
        best_step=training.best_step,
        stopped_early=training.stopped_early,
    )
    return TrainingResult(net, training.history, metrics, training.best_step, training.stopped_early, resumed_from)


@contextmanager
def _threads(n_thread):
    """Let torch use so many threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_thread)
    try:
        yield
    finally:
        torch.set_num_threads(before)
