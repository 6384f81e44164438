"""Errors that say what, where, what was expected, what was found, and the fix."""

from contextlib import contextmanager


class SpinscapeError(Exception):
    """Base of every error that a user can cause or meet.

    Parameters
    ----------
    what : str
        One sentence: what went wrong.
    where : str, optional
        File and key, or the array, that it happened in.
    expected, got : object, optional
        What would have been right, and what was found.
    fix : str, optional
        What to do about it.

    Examples
    --------
    >>> print(ConfigError("unknown key", where="a.yaml: grid.bx", expected="box", got="bx", fix="rename it"))
    unknown key
      where: a.yaml: grid.bx
      expected: box
      got: bx
      fix: rename it
    """

    def __init__(self, what, *, where=None, expected=None, got=None, fix=None):
        self.what, self.where, self.expected, self.got, self.fix = what, where, expected, got, fix
        rows = [("where", where), ("expected", expected), ("got", got), ("fix", fix)]
        super().__init__("\n".join([what, *(f"  {name}: {text}" for name, text in rows if text is not None)]))

    def __reduce__(self):
        """Survive pickling between processes: keyword arguments are kept in the state."""
        return (_rebuild, (type(self), self.what, self.where, self.expected, self.got, self.fix))

    def located(self, where):
        """Return the same error with a place put in front of its own (file: key)."""
        place = where if self.where is None else f"{where}: {self.where}"
        return type(self)(self.what, where=place, expected=self.expected, got=self.got, fix=self.fix)


def _rebuild(kind, what, where, expected, got, fix):
    return kind(what, where=where, expected=expected, got=got, fix=fix)


class ConfigError(SpinscapeError):
    """A study's YAML cannot be understood or contradicts itself."""


class UnitError(ConfigError):
    """A quantity has no unit, an unknown one, or one of another dimension."""


class ExpressionError(ConfigError):
    """An expression is malformed, not linear, or names an unknown coupling."""


class SymmetryError(ConfigError):
    """An exchange matrix, a bond or a structure clashes with the crystal's symmetry."""


class ShapeError(SpinscapeError):
    """An array has the wrong shape."""


class UnstableError(SpinscapeError):
    """The magnetic structure is not a stable stationary point at these couplings."""


class DataError(SpinscapeError):
    """A data file cannot be read, or does not match what the study declares."""


class FetchError(DataError):
    """A data file could not be had, or is not the declared one."""


class AbsentError(FetchError):
    """A data file could not be had at all: neither at hand nor at its address."""


class StoreError(SpinscapeError):
    """A stored file is unreadable, truncated, or breaks its contract."""


class TrainingError(SpinscapeError):
    """A model cannot be trained on, or loaded from, what was given."""


class FitError(SpinscapeError):
    """A fit cannot be done: nothing to fit, no finite objective, an inconsistent request."""


@contextmanager
def located(source):
    """Put a file, or a section of a study, in front of the place of an error that passes."""
    try:
        yield
    except SpinscapeError as error:
        raise error.located(source) from None


def check_shape(name, array, expected, *, hint=""):
    """Raise :class:`ShapeError` unless ``array.shape`` fits ``expected``.

    ``expected`` holds an integer for a fixed length and a string (the axis's name) for a free one.

    >>> import numpy as np
    >>> check_shape("spins", np.zeros((4, 3)), ("n_site", 3))
    """
    shape = tuple(array.shape)
    fits = len(shape) == len(expected) and all(
        isinstance(want, str) or want == have for want, have in zip(expected, shape, strict=True)
    )
    if not fits:
        raise ShapeError(
            f"{name} has the wrong shape", where=name, expected=tuple(expected), got=shape, fix=hint or None
        )
