"""Binding of the rule ``plan_round``."""

from spinscape.stages import plan_round
from spinscape.stages.logged import logged

with logged(snakemake.log[0]):
    plan_round.run(
        snakemake.params.header,
        snakemake.input[0],
        int(snakemake.wildcards.part),
        snakemake.params.batch_size,
        snakemake.output[0],
    )
