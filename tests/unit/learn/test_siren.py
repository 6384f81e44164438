"""The network: its start, its values and gradients against autograd and differences, its standardisation."""

import numpy as np
import pytest
import torch

from spinscape.errors import ConfigError, ShapeError
from spinscape.learn.domain import TrainingDomain
from spinscape.learn.sine_layers import SineLayers
from spinscape.learn.siren import BLOCK_ROWS, Siren, SirenSettings, initial_weights

SINGLE = 3e-6
"""What single precision leaves of sums over 32 units."""


@pytest.fixture
def domain():
    return TrainingDomain(
        ("J", "D", "K"),
        np.linspace([0.5, 0.0, 2.0], [0.9, 0.3, 2.0], 7),
        np.linspace(0.0, 40.0, 9),
        [20.0, 1.0, -3.0],
        [60.0, 1.0, 4.0],
        target_mean=0.2,
        target_std=0.1,
    )


@pytest.fixture
def net(domain):
    return Siren(SirenSettings(width=32, hidden_layers=2), domain, seed=4)


def coords_of(domain, n, seed=0):
    rng = np.random.default_rng(seed)
    return domain.centre + rng.uniform(-1, 1, (n, 7)) * domain.half_width * np.isin(np.arange(7), domain.active)


def reference(net, coords):
    """The network in ten lines of numpy, double precision."""
    w = {name: p.detach().double().numpy() for name, p in net.named_parameters()}
    d = net.domain
    x = ((coords - d.centre) / d.half_width)[:, d.active]
    h = np.sin(x @ w["first_weight"].T + w["first_bias"])
    for matrix, bias in zip(w["hidden_weight"], w["hidden_bias"], strict=True):
        h = np.sin(h @ matrix.T + bias)
    return (h @ w["last_weight"].T + w["last_bias"])[:, 0] * d.target_std + d.target_mean


def test_paper_and_study_sizes():
    domain = TrainingDomain(("J", "Jp"), np.eye(3), np.arange(3.0), [0, 0], [1, 1])
    assert Siren(SirenSettings(hidden_layers=3), domain).n_weight == 64 * 6 + 64 + 3 * (64 * 64 + 64) + 65
    flat = TrainingDomain(("J", "Jp"), np.eye(3) * [1, 1, 0], np.arange(3.0), [0, 0], [1, 1])
    assert Siren(SirenSettings(), flat).n_weight == 17089 <= 20000


def test_start_is_a_function_of_the_seed_with_the_stated_bounds(domain):
    settings = SirenSettings(width=64)
    one, same, other = (initial_weights(settings, domain, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(one[k], same[k]) for k in one)
    assert not np.array_equal(one["first_weight"], other["first_weight"])
    # Inputs: h, k, energy, J, K.
    np.testing.assert_allclose(np.abs(one["first_weight"]).max(0), [7.2, 7.2, 4.2, 1.8, 1.8], rtol=0.1)
    assert np.abs(one["hidden_weight"]).max() <= np.sqrt(6 / 64)


def test_start_keeps_the_spread_from_layer_to_layer(domain):
    """Sitzmann et al., theorem 1.8: sines of unit-variance pre-activations have variance near 1/2 in every layer."""
    w = initial_weights(SirenSettings(width=256, hidden_layers=4), domain, 0)
    h = np.sin(np.random.default_rng(0).uniform(-1, 1, (2000, 5)) @ w["first_weight"].T + w["first_bias"])
    for matrix, bias in zip(w["hidden_weight"], w["hidden_bias"], strict=True):
        h = np.sin(h @ matrix.T + bias)
        assert 0.35 < np.mean(h**2) < 0.55


def test_values_against_ten_lines_of_numpy_over_more_than_one_block(net, domain):
    coords = coords_of(domain, BLOCK_ROWS + 37)
    np.testing.assert_allclose(net.log_at(coords), reference(net, coords), atol=SINGLE)


def test_gradient_by_couplings_against_differences(net, domain):
    coords = coords_of(domain, 50)
    values, gradient = net.log_and_gradient_at(coords)
    np.testing.assert_array_equal(values, net.log_at(coords))
    for k in range(3):
        step = np.zeros(7)
        step[4 + k] = 1e-4
        want = (reference(net, coords + step) - reference(net, coords - step)) / 2e-4
        np.testing.assert_allclose(gradient[:, k], want if k != 1 else 0.0, atol=SINGLE)


def test_torch_face_agrees_and_is_differentiable(net, domain):
    coords = torch.from_numpy(coords_of(domain, 20)).requires_grad_()
    values = net.predict_log_torch(coords)
    np.testing.assert_allclose(values.detach().numpy(), net.log_at(coords.detach().numpy()), atol=SINGLE)
    values.sum().backward()
    want = net.log_and_gradient_at(coords.detach().numpy())[1]
    np.testing.assert_allclose(coords.grad.numpy()[:, 4:], want, atol=SINGLE)


def test_grids_hold_momenta_by_energies(net, domain):
    q, energy, theta = domain.q_points[:4], np.array([3.0, 1.0]), np.array([30.0, 1.0, 0.5])
    log = net.predict_log(q, energy, theta)
    one = net.log_at(np.concatenate([q[2], [1.0], theta])[None])
    assert log.shape == (4, 2) and log[2, 1] == pytest.approx(one[0], abs=SINGLE)
    np.testing.assert_allclose(net.predict(q, energy, theta), np.exp(log) - 1, atol=1e-12)
    values, gradient = net.predict_gradient(q, energy, theta)
    assert gradient.shape == (3, 4, 2)
    np.testing.assert_allclose(gradient, np.exp(log) * net.predict_log_gradient(q, energy, theta)[1], rtol=1e-12)
    np.testing.assert_array_equal(values, net.predict(q, energy, theta))


def test_no_rows_give_no_values(net):
    assert net.log_at(np.zeros((0, 7))).shape == (0,)


@pytest.mark.parametrize("n", [1, 40, 64])
def test_weight_gradients_in_kept_buffers_equal_autograd(net, n):
    rng = np.random.default_rng(n)
    inputs, target = (torch.from_numpy(rng.normal(size=s).astype(np.float32)) for s in ((n, 5), (n,)))
    out = {name: torch.full_like(p, 7.0) for name, p in net.named_parameters()}
    layers = SineLayers(net.named_weights(), 64)
    layers.weight_gradient(inputs, 2 * (layers.forward(inputs) - target), out)
    ((net(inputs) - target) ** 2).sum().backward()
    for name, p in net.named_parameters():
        np.testing.assert_allclose(out[name].numpy(), p.grad.numpy(), atol=2e-4, rtol=1e-4, err_msg=name)


def test_layers_see_weights_that_change_in_place(net):
    inputs = torch.ones(3, 5)
    layers = SineLayers(net.named_weights(), 3)
    before = layers.forward(inputs).clone()
    with torch.no_grad():
        net.last_bias.add_(1.0)
    np.testing.assert_allclose((layers.forward(inputs) - before).numpy(), 1.0, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda net: net.predict_log(np.zeros(3), [1.0], [1, 1, 1]), "q"),
        (lambda net: net.predict_log(np.zeros((2, 3)), [1.0], [1, 1]), "theta"),
        (lambda net: net.log_at(np.zeros((2, 6))), "coords"),
        (lambda net: net.predict_log_torch(torch.zeros(2, 6)), "coords"),
    ],
)
def test_wrong_shapes_are_named(net, call, name):
    with pytest.raises(ShapeError, match=name):
        call(net)


@pytest.mark.parametrize("setting", [{"width": 0}, {"hidden_layers": 0}, {"scale_q": -1.0}, {"scale_bias": np.inf}])
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(ConfigError, match=next(iter(setting))):
        SirenSettings(**setting)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no graphics card here")
def test_values_and_gradients_on_a_graphics_card(net, domain):
    coords = coords_of(domain, 100)
    want = net.log_and_gradient_at(coords)
    got = net.to("cuda").log_and_gradient_at(coords)
    np.testing.assert_allclose(got[0], want[0], atol=10 * SINGLE)
    np.testing.assert_allclose(got[1], want[1], atol=10 * SINGLE)
