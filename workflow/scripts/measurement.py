"""Binding of the rule ``measurement``."""

import os

from spinscape.stages import measurement
from spinscape.stages.logged import logged

with logged(snakemake.log[0]):
    measurement.run(
        snakemake.params.section,
        snakemake.wildcards.name,
        snakemake.input.model,
        snakemake.params.seed,
        os.environ.get("SPINSCAPE_DATA") or None,
        snakemake.output[0],
        cache_folder=snakemake.params.downloads,
    )
