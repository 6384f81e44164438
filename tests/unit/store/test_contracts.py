import numpy as np
import pytest

from spinscape.errors import ShapeError, StoreError
from spinscape.store.contracts import check_contract, check_study, differences, digest
from spinscape.store.provenance import provenance, versions


def test_keys_follow_from_content_alone(toy):
    header = toy.header()
    assert header.key == toy.header().key
    assert header.result_key == toy.header(("x", "y")).result_key
    assert header.key != toy.header(("x", "y")).key


@pytest.mark.parametrize(
    "change",
    [
        {"study": "other"},
        {"parameter_names": ("J", "K")},
        {"origin": {"kind": "toy", "seed": 2, "code": "aa"}},
        {"origin": {"kind": "toy", "seed": 1, "code": "bb"}},
    ],
)
def test_what_values_depend_on_changes_the_result_key(toy, change):
    assert toy.header(**change).result_key != toy.header().result_key


def test_a_coordinate_that_is_off_in_its_last_bit_is_a_difference(toy):
    other = toy.header(template=toy.template((0.0, np.nextafter(0.1, 1.0), 0.3)))
    assert set(differences(toy.header(), other)) == {"arrays and coordinates"}


def test_code_alone_is_no_difference(toy):
    other = toy.header(origin={"kind": "toy", "seed": 1, "code": "bb"})
    assert differences(toy.header(), other) == {}


def test_a_point_that_stands_twice_is_refused(toy):
    with pytest.raises(StoreError, match="same id"):
        toy.header(("a", "b", "a"))


def test_theta_must_fit_the_points(toy):
    with pytest.raises(ShapeError, match="theta"):
        toy.header(("a", "b"), theta=[[1.0, 2.0]])


@pytest.mark.parametrize("codes", [{"done": 1}, {"absent": 1, "done": 2}, {"absent": 0}])
def test_codes_without_absent_and_done_are_refused(toy, codes):
    with pytest.raises(StoreError, match="result codes"):
        toy.header(result_codes=codes)


def test_a_reserved_array_name_is_refused(toy):
    with pytest.raises(StoreError, match="taken"):
        toy.header(template={"theta": toy.template()["signal"]})


def test_arrays_may_not_disagree_about_a_shared_axis(toy):
    both = {"one": toy.template()["signal"], "two": toy.template((0.0, 0.2, 0.3))["signal"]}
    with pytest.raises(StoreError, match="different values"):
        toy.header(template=both)


def test_contract_and_study_say_what_was_expected():
    with pytest.raises(StoreError) as caught:
        check_contract("simulations/9", "simulations/1", where="b.zarr.zip")
    assert (caught.value.expected, caught.value.got) == ("simulations/1", "simulations/9")
    assert caught.value.where == "b.zarr.zip" and caught.value.fix
    with pytest.raises(StoreError, match="another study"):
        check_study("a", "b", where="b.zarr.zip")
    check_study("a", None, where="b.zarr.zip")


def test_digest_refuses_what_json_cannot_hold():
    with pytest.raises(ValueError, match="JSON"):
        digest({"a": float("nan")})


def test_provenance_is_plain_and_names_what_made_it():
    record = provenance(code="abc", seed=3)
    assert record["code"] == "abc" and record["seed"] == 3
    assert record["versions"]["numpy"] == np.__version__
    assert "no-such-package" not in versions(("no-such-package",))
