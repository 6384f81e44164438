# From the YAML file of each study to its report. The package `spinscape` knows the physics, and checks every file that is
# read here; the rules know files, batches and resources.
from snakemake.utils import min_version

min_version("9.0")


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/model.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/collect.smk"
include: "workflow/rules/learn.smk"
include: "workflow/rules/compress.smk"
include: "workflow/rules/phases.smk"
include: "workflow/rules/refine.smk"
include: "workflow/rules/measurement.smk"
include: "workflow/rules/fit.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/report.smk"


# Too short for a job of their own on a cluster.
localrules:
    all,
    model,
    collect,
    collect_round,
    choose,
    plan_round,
    measurement,
    report,


rule all:
    default_target: True
    input:
        expand("<results>/{study}/report.html", study=STUDIES),
