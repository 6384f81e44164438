"""Forward × objective: the function that a search minimises, with its linearisation."""

from dataclasses import dataclass, field

import numpy as np

from ..errors import FitError, UnstableError
from .protocols import GradientForward

RELATIVE_STEP = 1e-4
"""Step of numerical derivatives, in widths of the box: the truncation error is of its square."""


@dataclass
class Calls:
    """How often a forward model was asked, and how often there was no stable state."""

    n_call: int = 0
    n_unstable: int = 0


@dataclass(frozen=True, eq=False)
class Problem:
    """A function of the parameters: the objective of the forward model's spectra, +inf where they are unstable.

    Parameters
    ----------
    forward : Forward
    objective : Objective
    calls : Calls
        Counts evaluations; a fresh one for each search (:meth:`counting`).
    """

    forward: object
    objective: object
    calls: Calls = field(default_factory=Calls)

    def __call__(self, parameters):
        """Return the objective's value; +inf where the forward model raises ``UnstableError``."""
        return self.evaluate(parameters)[0]

    def evaluate(self, parameters):
        """Return the objective's value and the spectra; (+inf, None) where they are unstable."""
        predictions = self.predict(parameters)
        if predictions is None:
            return np.inf, None
        return self._finite(self.objective.value(predictions), parameters), predictions

    def predict(self, parameters):
        """Return the spectra, or None where they are unstable."""
        self.calls.n_call += 1
        try:
            return self.forward.predict(np.asarray(parameters, dtype=np.float64))
        except UnstableError:
            self.calls.n_unstable += 1
            return None

    def counting(self):
        """Return the same problem with its counts at zero."""
        return Problem(self.forward, self.objective)

    def blurred(self, factor):
        """Return the problem of lines ``factor`` times as wide, for the first steps of a search from afar.

        Raises ``FitError`` where the forward model has no resolution in energy.
        """
        if not hasattr(self.forward, "blurred"):
            raise FitError(
                "this forward model cannot be asked for wider lines",
                where="strategy.kind: descents",
                expected="forward: {kind: spinwave, ...}, or widths: [1]",
                got=type(self.forward).__name__,
                fix="set widths: [1], or use the strategy multistart",
            )
        objective = self.objective.coarse() if hasattr(self.objective, "coarse") else self.objective
        return Problem(self.forward.blurred(factor), objective)

    def reweighted(self, multiplicities):
        """Return the problem with pixels counted as often as ``multiplicities`` say."""
        return Problem(self.forward, self.objective.reweighted(multiplicities), self.calls)

    def sample_gradient(self, parameters, generator, *, n_pixel):
        """Return value and gradient (p,) on ``n_pixel`` valid pixels drawn without replacement.

        Raises ``UnstableError`` from the forward model; ``FitError`` where it cannot be differentiated by pixels.
        """
        if not hasattr(self.forward, "predict_pixels"):
            raise FitError(
                "this forward model cannot be asked for a few pixels and differentiated",
                where="strategy.kind: adam",
                expected="a differentiable forward model (kind: siren)",
                got=type(self.forward).__name__,
                fix="use the strategy multistart, or the forward siren",
            )
        self.calls.n_call += 1
        chosen = _draw([p.n_pixel for p in self.objective.pixels], n_pixel, generator)
        sub = self.objective.subset(chosen)
        values, pullback = self.forward.predict_pixels(parameters, tuple(p.index for p in sub.pixels))
        value, slopes = sub.derivative_of_pixels(values)
        return self._finite(value, parameters), pullback(slopes)

    def linearise(self, parameters, box, *, central=True, predictions=None):
        """Return the spectra and their derivatives, each (p, n_q, n_energy), at a point of the box.

        The forward model's own derivatives by the couplings where it has them; for the rest differences: central
        ones, or one-sided ones of a fifth of the step, which cost half. At the box's edge and at that of stability
        differences are one-sided. ``predictions`` are the spectra there, where they are known already.
        """
        predictions = self.predict(parameters) if predictions is None else predictions
        if predictions is None:
            raise FitError(
                "the structure is unstable at the point to linearise at", where="fit", got=_text(box, parameters)
            )
        blocks = []
        if isinstance(self.forward, GradientForward):
            blocks.append(self.forward.gradient(np.asarray(parameters, dtype=np.float64)))
        n_known = len(blocks[0][0]) if blocks else 0
        for k in range(n_known, len(box.names)):
            column = self._difference(parameters, k, predictions, box, central)
            blocks.append(tuple(part[None] for part in column))
        return predictions, tuple(np.concatenate(parts) for parts in zip(*blocks, strict=True))

    def _difference(self, parameters, k, here, box, central):
        step = RELATIVE_STEP * box.width[k] * (1.0 if central else 0.2)
        ends, offsets = [], []
        for offset in (step, -step):
            moved = np.array(parameters, dtype=np.float64)
            moved[k] += offset
            needed = central or not any(offsets)
            inside = needed and box.lower[k] <= moved[k] <= box.upper[k]
            prediction = self.predict(moved) if inside else None
            ends.append(here if prediction is None else prediction)
            offsets.append(0.0 if prediction is None else offset)
        span = offsets[0] - offsets[1]
        if span == 0.0:
            raise FitError(
                "no derivative exists: the structure is unstable on both sides",
                where=f"fit, parameter {box.names[k]}",
                got=_text(box, parameters),
            )
        return tuple((up - down) / span for up, down in zip(*ends, strict=True))

    def _finite(self, value, parameters):
        if not np.isfinite(value):
            raise FitError(
                "the objective is not a number",
                where=f"objective {self.objective.kind}",
                expected="a finite value at stable parameters",
                got=f"{value} at {np.asarray(parameters).tolist()}",
                fix="check the data for infinite values and the forward model for overflow",
            )
        return float(value)


def _text(box, parameters):
    return ", ".join(f"{n} = {v:.6g}" for n, v in zip(box.names, parameters, strict=True))


def _draw(sizes, n_pixel, generator):
    """Return rising positions in each set: ``n_pixel`` of all, drawn without replacement."""
    total = sum(sizes)
    flat = np.sort(generator.choice(total, size=min(n_pixel, total), replace=False))
    cuts = np.searchsorted(flat, np.cumsum(sizes)[:-1])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return tuple(part - start for part, start in zip(np.split(flat, cuts), starts, strict=True))
