"""Settings that every test shares."""

from hypothesis import settings

# No deadlines: wall time on a shared machine says nothing. The same examples on every run: a red test stays red.
settings.register_profile("spinscape", deadline=None, derandomize=True)
settings.load_profile("spinscape")
