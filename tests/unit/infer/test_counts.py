"""Counts behind a measurement: recovered where errors are those of counting, refused where not."""

from dataclasses import replace

import numpy as np
import pytest

from spinscape.errors import FitError
from spinscape.infer.counts import counts_of

COUNTS = np.array([[0.0, 3.0, 5.0], [1.0, 0.0, 12.0]])


def with_errors(measure, per_unit):
    return measure(COUNTS / per_unit, std=np.sqrt(np.maximum(COUNTS, 1.0)) / per_unit)


def test_errors_of_counting_give_the_counts_back(measure):
    found = counts_of(with_errors(measure, 7.5))
    assert found.counts == pytest.approx(COUNTS) and np.all(found.exposure == pytest.approx(7.5))
    assert not found.estimated


def test_what_the_file_or_the_user_says_comes_first(measure):
    plain = measure(COUNTS / 2.0)
    told = replace(plain, provenance={"counts_per_unit": 2.0})
    assert counts_of(told).counts == pytest.approx(COUNTS)
    assert counts_of(told, counts_per_unit=4.0).counts == pytest.approx(2.0 * COUNTS)
    each = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert counts_of(measure(COUNTS / each), counts_per_unit=each).counts == pytest.approx(COUNTS)


def test_counts_that_are_not_whole_are_estimates(measure):
    assert counts_of(measure(COUNTS + 0.3), counts_per_unit=1.0).estimated


def test_masked_pixels_are_never_read(measure):
    valid = np.ones(COUNTS.shape, bool)
    valid[0, 0] = False
    signal = COUNTS.copy()
    signal[0, 0] = np.nan
    found = counts_of(measure(signal, valid=valid), counts_per_unit=1.0)
    assert found.counts[0, 0] == 0.0 and not found.estimated


def test_other_errors_negative_counts_and_no_errors_are_refused(measure):
    with pytest.raises(FitError, match="not known"):
        counts_of(measure(COUNTS))
    with pytest.raises(FitError, match="one exposure"):
        counts_of(measure(COUNTS, std=np.ones(COUNTS.shape)))
    with pytest.raises(FitError, match="negative pixels"):
        counts_of(measure(COUNTS - 1.0), counts_per_unit=1.0)
    with pytest.raises(FitError, match="positive"):
        counts_of(measure(COUNTS), counts_per_unit=0.0)
