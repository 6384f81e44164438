"""Space groups by name: which of its settings a symbol means, and the operations of that setting.

A symbol such as ``Fd-3m`` or ``P2_1/c`` stands for several settings (origins, axes, cells), whose sites and lattices
differ. Without a suffix the standard setting of the International Tables is taken: unique axis b and cell choice 1,
hexagonal axes, origin choice 2 (the origin at an inversion centre). A suffix behind a colon chooses another one:
``Fd-3m:1``, ``R-3m:R``, ``P2_1/c:c1``, ``227:2``; ``hall:525`` is an entry of spglib's table of 530 settings.
"""

import difflib
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import spglib
import spglib.error

from ..errors import SymmetryError
from .crystal import read_only

# spglib's own advice: its functions raise instead of returning None with a deprecation warning on every call.
spglib.error.OLD_ERROR_HANDLING = False

N_SETTING = 530
METRIC_TOLERANCE = 1e-5
"""Relative error of the metric tensor: lattice parameters are written with at least five digits of agreement."""
_E_GLIDE = {39, 41, 64, 67, 68}  # written Cmca before 1992 and Cmce since


@dataclass(frozen=True, eq=False)
class SpaceGroup:
    """One setting of a space group.

    Parameters
    ----------
    number : int
        1 to 230.
    symbol : str
        Short Hermann-Mauguin symbol of the setting.
    choice : str
        spglib's name of the setting: origin ("1", "2"), axes ("H", "R", "b1", "cab"); empty where there is one.
    hall_number : int
        1 to 530.
    rotations : (n_operation, 3, 3) int64
        On fractional coordinates, x' = W x + t; centring translations included.
    translations : (n_operation, 3) float64
    """

    number: int
    symbol: str
    choice: str
    hall_number: int
    rotations: np.ndarray
    translations: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "rotations", read_only(self.rotations, np.int64))
        object.__setattr__(self, "translations", read_only(self.translations))

    @property
    def name(self):
        """The symbol with the suffix of its setting, as :func:`space_group` reads it back."""
        return f"{self.symbol}:{self.choice}" if self.choice else self.symbol


def space_group(name: str | int) -> SpaceGroup:
    """Return the space group and setting that ``name`` means.

    Parameters
    ----------
    name : str or int
        Number, Hermann-Mauguin symbol (short or full, underscores and spaces as you like), either with ``:setting``, or
        ``hall:N``.

    Returns
    -------
    SpaceGroup

    Examples
    --------
    >>> space_group("Fd-3m").name, space_group("Fd-3m:1").hall_number, space_group("P 1 21/n 1").number
    ('Fd-3m:2', 525, 14)
    """
    halls = _candidates(name)
    return setting(halls[0])


def setting(hall_number: int) -> SpaceGroup:
    """Return one of spglib's 530 settings."""
    kind = _kind(hall_number)
    operations: Any = spglib.get_symmetry_from_database(hall_number)
    return SpaceGroup(
        kind.number,
        _short_symbols(kind)[0],
        kind.choice,
        hall_number,
        operations["rotations"],
        # The database keeps translations as multiples of 1/24 in single steps of floating point.
        np.asarray(np.round(operations["translations"] * 24) / 24),
    )


def settings_of(name: str | int) -> list[SpaceGroup]:
    """Return every setting that ``name`` could mean, the standard one first: a list of :class:`SpaceGroup`."""
    return [setting(hall) for hall in _candidates(name)]


def _candidates(name):
    """Return the Hall numbers that a name may mean, the preferred one first; raise if there is none."""
    # The longest full symbol has some twenty characters; a longer text is only quoted in the error.
    text = str(name).strip()[:64]
    base, _, choice = text.partition(":")
    if base.strip().lower() == "hall":
        return [_hall_number(choice)]
    halls = _halls_by_name().get(_normal(base), [])
    if not halls:
        near = difflib.get_close_matches(_normal(base), _halls_by_name(), 3)
        raise SymmetryError(
            f"unknown space group {text!r}",
            where="crystal.space_group",
            expected="a number from 1 to 230 or a Hermann-Mauguin symbol such as P4/mmm or Fd-3m:2",
            got=name,
            fix=f"did you mean {' or '.join(near)}?" if near else "correct the symbol",
        )
    chosen = [h for h in halls if not choice.strip() or _kind(h).choice.lower() == choice.strip().lower()]
    if not chosen:
        raise SymmetryError(
            f"the space group {base.strip()} has no setting {choice.strip()!r}",
            where="crystal.space_group",
            expected=f"one of {', '.join(repr(_kind(h).choice) for h in halls)}",
            got=name,
            fix="choose one of its settings, or leave the suffix out for the standard one",
        )
    return sorted(chosen, key=_preference)


def _hall_number(text):
    number = int(text) if text.strip().isdecimal() and len(text) < 8 else 0
    if not 1 <= number <= N_SETTING:
        raise SymmetryError(
            "not a Hall number", where="crystal.space_group", expected=f"hall:1 to hall:{N_SETTING}", got=f"hall:{text}"
        )
    return number


def _preference(hall):
    """Sort key: origin choice 2 before 1, then spglib's order, which begins with the standard setting."""
    return (_kind(hall).choice.startswith("1"), hall)


@functools.cache
def _kind(hall) -> Any:
    return spglib.get_spacegroup_type(hall)


@functools.cache
def _halls_by_name():
    table: dict[str, list[int]] = {}
    old_symbols: dict[str, list[int]] = {}
    for hall in range(1, N_SETTING + 1):
        kind = _kind(hall)
        names = {_normal(n) for n in (str(kind.number), *_short_symbols(kind), kind.international_full)}
        for name in sorted(names):
            table.setdefault(name, []).append(hall)
        if kind.number in _E_GLIDE:
            for letter in "abc":
                old_symbols.setdefault(_normal(kind.international_short).replace("e", letter), []).append(hall)
    return {**old_symbols, **table}


def _short_symbols(kind):
    """Return the short symbols of a setting, its own first, then that of the group."""
    symbols = [part.strip() for part in kind.international.split("=")]
    own = symbols[-1] if 3 <= kind.number <= 15 else symbols[0]
    if 3 <= kind.number <= 15:
        # P 1 2_1/n 1 is written P2_1/n.
        own = "".join([own.split()[0], *(word for word in own.split()[1:] if word != "1")])
    return ["".join(own.split()), *("".join(s.split()) for s in symbols), kind.international_short]


def _normal(symbol):
    text = "".join(symbol.split()).replace("_", "")
    return text[:1].upper() + text[1:].lower()


def metric_error(group: SpaceGroup, vectors: np.ndarray) -> float:
    """Return how far a lattice is from having the symmetry of a group: relative error of the metric tensor.

        W^T G W = G for every rotation W,   G = A A^T with the lattice vectors as rows of A

    Parameters
    ----------
    group : SpaceGroup
    vectors : (3, 3) float64, Å

    Returns
    -------
    float
    """
    metric = vectors @ vectors.T
    images = np.einsum("oji,jk,okl->oil", group.rotations, metric, group.rotations)
    return float(np.max(np.abs(images - metric)) / np.max(np.abs(metric)))


def check_metric(group: SpaceGroup, vectors: np.ndarray, *, name: str | int) -> None:
    """Raise :class:`SymmetryError` unless the lattice has the symmetry of the group, whose given ``name`` it quotes."""
    if metric_error(group, vectors) <= METRIC_TOLERANCE:
        return
    images = np.einsum("oji,jk,okl->oil", group.rotations, vectors @ vectors.T, group.rotations)
    fitting = [s.name for s in settings_of(str(name).partition(":")[0]) if metric_error(s, vectors) <= METRIC_TOLERANCE]
    raise SymmetryError(
        f"the lattice contradicts the space group {group.name} (number {group.number})",
        where="crystal.lattice",
        expected=f"something like {lattice_text(images.mean(axis=0))}",
        got=lattice_text(vectors @ vectors.T),
        fix=f"write space_group: {fitting[0]}, whose axes fit" if fitting else "correct the lattice or the space group",
    )


def lattice_text(metric):
    """Return lengths and angles of a metric tensor (3, 3), Å², as text.

    >>> lattice_text(np.diag([4.0, 9.0, 16.0]))
    'a b c = 2 3 4 Å, alpha beta gamma = 90 90 90 deg'
    """
    lengths = np.sqrt(np.diag(metric))
    cosines = [metric[i, j] / (lengths[i] * lengths[j]) for i, j in ((1, 2), (0, 2), (0, 1))]
    angles = np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))
    return (
        f"a b c = {' '.join(f'{x:.6g}' for x in lengths)} Å, "
        f"alpha beta gamma = {' '.join(f'{x:.6g}' for x in angles)} deg"
    )
