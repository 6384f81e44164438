"""Errors keep what, where, expected, got and fix, in print, in pickles and when a place is put in front."""

import inspect
import pickle

import numpy as np
import pytest

from spinscape import errors
from spinscape.errors import ConfigError, ShapeError, SpinscapeError, UnstableError, check_shape

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, SpinscapeError)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_survives_pickling(kind):
    error = kind("it broke", where="a.yaml: grid", expected=[1, 2], got="x", fix="mend it")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(again) is kind
    assert str(again) == str(error)
    assert (again.what, again.where, again.expected, again.got, again.fix) == (
        "it broke",
        "a.yaml: grid",
        [1, 2],
        "x",
        "mend it",
    )


def test_parts_that_are_not_given_are_not_printed():
    assert str(ConfigError("it broke")) == "it broke"
    assert str(ConfigError("it broke", fix="mend it")) == "it broke\n  fix: mend it"


def test_falsy_values_are_printed():
    # 0 and an empty list are findings; only None means "not given".
    assert "got: 0" in str(ConfigError("it broke", got=0))
    assert "got: []" in str(ConfigError("it broke", got=[]))


def test_located_puts_a_place_in_front_and_keeps_the_rest():
    error = UnstableError("soft mode", where="Q = (0, 0, 0)", got=-0.3)
    located = error.located("study.yaml")
    assert isinstance(located, UnstableError)
    assert located.where == "study.yaml: Q = (0, 0, 0)"
    assert located.got == -0.3
    assert ConfigError("x").located("study.yaml").where == "study.yaml"
    assert error.where == "Q = (0, 0, 0)"


def test_a_shape_that_fits_passes():
    check_shape("spins", np.zeros((4, 3)), ("n_site", 3))
    check_shape("scalar", np.zeros(()), ())


@pytest.mark.parametrize("shape", [(4,), (3, 4), (4, 3, 1)])
def test_a_shape_that_does_not_fit_is_named(shape):
    with pytest.raises(ShapeError, match="spins has the wrong shape") as caught:
        check_shape("spins", np.zeros(shape), ("n_site", 3), hint="Spins are rows.")
    assert caught.value.got == shape
    assert caught.value.expected == ("n_site", 3)
    assert caught.value.fix == "Spins are rows."
