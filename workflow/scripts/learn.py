"""Binding of the rule ``learn``."""

from spinscape.stages import learn
from spinscape.stages.logged import logged

with logged(snakemake.log[0]):
    learn.run(
        snakemake.params.section,
        snakemake.params.seed,
        snakemake.input.index,
        snakemake.output.model,
        snakemake.output.metrics,
        snakemake.params.work,
        model=snakemake.input.study,
    )
