"""Training: it learns, gives the same bits, goes on after a kill, stops early, and says what is wrong."""

import numpy as np
import pytest
import torch

from spinscape.errors import ConfigError, TrainingError
from spinscape.learn import training as loop
from spinscape.learn.dataset import layout_from_store, read_log_spectra
from spinscape.learn.metrics import held_out_metrics
from spinscape.learn.siren import SirenSettings
from spinscape.learn.train_siren import TrainSettings, train_siren

SMALL = SirenSettings(width=24, hidden_layers=2, scale_q=3.0, scale_energy=3.0, scale_theta=1.0)
QUICK = TrainSettings(n_train=18, n_step=120, batch_size=128, check_every=30, check_pixels=512, checkpoint_every=40)


def trained(store, box, *, settings=SMALL, train=QUICK, seed=1, **more):
    more = {"progress": False, "device": "cpu", **more}
    return train_siren(store, settings=settings, train=train, seed=seed, box=box, **more)


def same_bits(one, other):
    return (
        all(torch.equal(a, b) for a, b in zip(one.net.parameters(), other.net.parameters(), strict=True))
        and one.history["held_out_loss"] == other.history["held_out_loss"]
    )


def replaced(**changes):
    return TrainSettings(**{**QUICK.to_dict(), **changes})


def test_it_learns_spectra_that_it_has_not_seen(make_store, box):
    store = make_store(60)
    result = trained(store, box, train=replaced(n_train=50, n_step=1000, batch_size=256, check_every=250))
    assert result.metrics["r2"] > 0.99
    losses = result.history["held_out_loss"]
    assert losses[-1] < 0.1 * losses[0] and result.best_step == result.history["step"][int(np.argmin(losses))]
    # Finer than the data: between two trained momenta and energies, at new couplings.
    theta, q, energy = np.array([2.0, 4.0]), np.array([[0.225, 0.2, 0.0]]), np.array([4.1, 5.3])
    line = 2.0 + 4.0 * (1 - np.cos(2 * np.pi * 0.425)) / 2
    want = 0.8 * np.exp(-0.5 * ((energy - line) / 0.9) ** 2)
    np.testing.assert_allclose(result.net.predict(q, energy, theta)[0], want, atol=0.05)


def test_muon_learns_faster_than_adam_alone(make_store, box):
    """Rates for the hidden matrices of next to nothing leave Adam on the rest: what the start alone can do."""
    store, train = make_store(60), replaced(n_train=50, n_step=400, batch_size=256)
    without = replaced(**{**train.to_dict(), "lr_hidden": 1e-9})
    assert (
        trained(store, box, train=train).history["held_out_loss"][-1]
        < 0.5 * (trained(store, box, train=without).history["held_out_loss"][-1])
    )


def test_metrics_against_numpy(store, box):
    result = trained(store, box)
    layout, indices = layout_from_store(store), np.array([3, 11])
    target = read_log_spectra(store, layout, indices).astype(np.float64)
    got = np.array([result.net.predict_log(layout.q_points, layout.energy, store.theta[i]) for i in indices])
    metrics = held_out_metrics(result.net, store, layout, indices)
    assert metrics["r2"] == pytest.approx(1 - np.sum((got - target) ** 2) / np.sum((target - target.mean()) ** 2))
    np.testing.assert_allclose(metrics["rms_by_point"], np.sqrt(np.mean((got - target) ** 2, axis=(1, 2))))
    assert metrics["theta"] == store.theta[indices].tolist() and metrics["n_pixel"] == 500
    some = held_out_metrics(result.net, store, layout, indices, n_pixel=200, seed=2)
    assert some["n_pixel"] == 200 and some["r2"] == pytest.approx(metrics["r2"], abs=0.1)


def test_same_seed_same_bits_and_another_seed_others(store, box):
    one = trained(store, box)
    assert same_bits(one, trained(store, box))
    assert not same_bits(one, trained(store, box, seed=2))


def test_result_says_how_it_came_about(store, box):
    result = trained(store, box)
    assert result.history["step"] == [30, 60, 90, 120] and result.history["learning_rate"][-1] == 0.0
    assert set(result.history) == set(loop.HISTORY) and not result.stopped_early
    kept = result.net.metadata
    assert kept["seed"] == 1 and kept["arrays"] == ["signal_a", "signal_b"] and kept["metrics"] == result.metrics


class KilledError(Exception):
    pass


@pytest.mark.parametrize("when", [60, 90])
def test_a_killed_training_goes_on_bit_for_bit(store, box, tmp_path, when):
    def kill(training):
        if training.step == when:
            raise KilledError

    checkpoint = tmp_path / "siren.ckpt"
    with pytest.raises(KilledError):
        trained(store, box, checkpoint=checkpoint, on_check=kill)
    resumed = trained(store, box, checkpoint=checkpoint)
    assert resumed.resumed_from == when // 40 * 40
    assert same_bits(resumed, trained(store, box))


def test_blocks_of_points_do_not_disturb_a_resume(store, box, tmp_path):
    train = replaced(max_bytes=8 * 500 * 7)

    def kill(training):
        if training.step == 90:
            raise KilledError

    with pytest.raises(KilledError):
        trained(store, box, train=train, checkpoint=tmp_path / "c", on_check=kill)
    resumed = trained(store, box, train=train, checkpoint=tmp_path / "c")
    assert resumed.resumed_from == 80 and same_bits(resumed, trained(store, box, train=train))


def test_a_finished_training_is_not_done_again(store, box, tmp_path):
    first = trained(store, box, checkpoint=tmp_path / "c")
    again = trained(store, box, checkpoint=tmp_path / "c", on_check=lambda training: pytest.fail("took steps"))
    assert again.resumed_from == 120 and same_bits(first, again)


@pytest.mark.parametrize(
    "change", [{"seed": 2}, {"train": replaced(lr_other=0.02)}, {"settings": SirenSettings(24, 1)}]
)
def test_a_checkpoint_of_another_training_is_not_continued(store, box, tmp_path, change):
    trained(store, box, checkpoint=tmp_path / "c")
    other = trained(store, box, checkpoint=tmp_path / "c", **change)
    assert other.resumed_from == 0 and same_bits(other, trained(store, box, **change))


def test_a_damaged_checkpoint_is_one_clear_error(store, box, tmp_path):
    trained(store, box, checkpoint=tmp_path / "c")
    whole = (tmp_path / "c").read_bytes()
    (tmp_path / "c").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TrainingError, match="cannot be read"):
        trained(store, box, checkpoint=tmp_path / "c")


def test_early_stop_keeps_the_best_weights(store, box, monkeypatch):
    losses = iter([0.9, 0.5, 0.6, 0.7, 0.8, 0.9])

    def scripted(self):
        self.recent, loss = [], next(losses)
        self.bad_checks = 0 if loss < self.best_loss else self.bad_checks + 1
        if loss < self.best_loss:
            self.best_loss, self.best_step = loss, self.step
            self.best_weights = loop._copied(self.net.state_dict())
        self.history["held_out_loss"].append(loss)

    monkeypatch.setattr(loop.Training, "_check", scripted)
    stopped = trained(store, box, train=replaced(n_step=3000, patience=3))
    assert stopped.stopped_early and stopped.best_step == 60 and len(stopped.history["held_out_loss"]) == 5


def test_a_net_that_only_memorises_stops_early(make_store, box):
    """Two spectra to learn from, noise for targets: the held-out loss soon rises."""
    store = make_store(12)
    rng = np.random.default_rng(0)
    for array in store.arrays.values():
        array[:] = rng.exponential(0.3, array.shape)
    train = replaced(n_train=2, n_step=4000, batch_size=256, patience=4, check_every=25)
    result = trained(store, box, train=train)
    assert result.stopped_early and result.best_step < result.history["step"][-1] < 2000


def test_divergence_is_an_error_that_names_the_step(store, box):
    with pytest.raises(TrainingError, match="diverged") as caught:
        trained(store, box, train=replaced(lr_other=1e38, lr_hidden=1e38))
    assert "step" in caught.value.where


def test_too_few_points_and_bad_data_end_before_training(store, box):
    with pytest.raises(TrainingError, match="not enough"):
        trained(store, box, train=replaced(n_train=24))
    store.arrays["signal_a"][:, 0, 0] = np.nan
    with pytest.raises(TrainingError, match="no intensity"):
        trained(store, box)


def test_one_path_can_be_learnt_alone(store, box):
    assert trained(store, box, names=["signal_b"]).net.domain.q_points.shape == (9, 3)


def test_progress_goes_to_standard_error_and_only_where_asked(store, box, capsys):
    trained(store, box)
    assert capsys.readouterr() == ("", "")
    trained(store, box, progress=True)
    out, err = capsys.readouterr()
    assert out == "" and "siren" in err and "held_out" in err


def test_threads_of_torch_are_given_back(store, box):
    before = torch.get_num_threads()
    trained(store, box, train=replaced(n_step=1))
    assert torch.get_num_threads() == before


def test_both_gradients_give_the_same_training(store, box, monkeypatch):
    explicit = trained(store, box)
    monkeypatch.setattr(loop, "CpuGradient", lambda net, n_row: loop.AutogradGradient(net))
    automatic = trained(store, box)
    # Rounding only: a hundred steps of single precision.
    np.testing.assert_allclose(explicit.history["held_out_loss"], automatic.history["held_out_loss"], rtol=0.02)


@pytest.mark.parametrize(
    "setting", [{"n_step": 0}, {"batch_size": 0}, {"lr_hidden": np.nan}, {"signal_share": 1.0}, {"max_bytes": 0}]
)
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(ConfigError, match=next(iter(setting))):
        replaced(**setting)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no graphics card here")
def test_training_on_a_graphics_card(make_store, box):
    train = replaced(n_train=50, n_step=1500, batch_size=256, check_every=250)
    result = trained(make_store(60), box, train=train, device=None)
    assert result.metrics["r2"] > 0.99 and result.net.first_weight.device.type == "cpu"
