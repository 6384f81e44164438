"""The cache of compiled kernels follows every kernel file, not only the one that a function stands in."""

import importlib.util

from spinscape.kernels import jit
from spinscape.kernels.bogoliubov import combine
from spinscape.kernels.metropolis import metropolis_sweep
from spinscape.kernels.random_numbers import minus_logarithm


def test_the_stamp_knows_names_and_contents(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    first = jit.source_stamp(tmp_path)
    assert jit.source_stamp(tmp_path) == first
    (tmp_path / "a.py").write_text("x = 2\n")
    second = jit.source_stamp(tmp_path)
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert len({first, second, jit.source_stamp(tmp_path)}) == 3


def test_compiled_kernels_are_cached_under_the_stamp():
    assert combine._cache._cache_file._source_stamp[0] == jit._STAMP


def test_another_stamp_compiles_again(tmp_path, monkeypatch):
    script = tmp_path / "kernel.py"
    script.write_text("from spinscape.kernels import jit\n@jit.compiled\ndef double(x):\n    return 2 * x\n")

    def cache_hits(stamp):
        monkeypatch.setattr(jit, "_STAMP", stamp)
        spec = importlib.util.spec_from_file_location("kernel", script)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert module.double(3) == 6
        return sum(module.double.stats.cache_hits.values())

    assert [cache_hits("old"), cache_hits("old"), cache_hits("new")] == [0, 1, 0]


def test_borrowing_kernels_count_no_references():
    """Counting arrays in inner loops took most of the time of small kernels."""
    for kernel in (metropolis_sweep, minus_logarithm):
        assert kernel.targetoptions["_nrt"] is False
        assert kernel._cache._cache_file._source_stamp[0] == jit._STAMP
    assert minus_logarithm.targetoptions["forceinline"]
