# Rounds of further points. How many there are, and how large, stands in the study, so the graph of jobs is known before
# anything has run: round r is chosen from the results of the rounds before it, then simulated like every other batch.
use rule collect as collect_round with:
    output:
        "<results>/{study}/rounds/{round}/index.json",
    log:
        "<results>/{study}/logs/rounds/{round}/collect.log",
    benchmark:
        "<results>/{study}/benchmarks/rounds/{round}/collect.tsv"


use rule phases as phases_round with:
    input:
        index="<results>/{study}/rounds/{round}/index.json",
        rounds=of_study(round_points),
        study="<results>/{study}/model.json",
        # A compressor learns from the points of all rounds; the schema refuses to choose rounds by one.
        compressor=[],
    output:
        map="<results>/{study}/rounds/{round}/{name}.json",
        arrays="<results>/{study}/rounds/{round}/{name}.h5",
    log:
        "<results>/{study}/logs/rounds/{round}/phases_{name}.log",
    benchmark:
        "<results>/{study}/benchmarks/rounds/{round}/phases_{name}.tsv"


rule choose:
    input:
        unpack(of_study(chosen_from)),
    output:
        "<results>/{study}/rounds/{round}/points.json",
    log:
        "<results>/{study}/logs/rounds/{round}/choose.log",
    benchmark:
        "<results>/{study}/benchmarks/rounds/{round}/choose.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        mem_mb=scaled(2000),
        runtime=30,
    params:
        section=of_study(lambda study, wildcards: build.refine_section(study)),
        seed=of_study(lambda study, wildcards: study.seed),
        code=of_study(choose_code),
    script:
        "../scripts/choose.py"


rule plan_round:
    input:
        "<results>/{study}/rounds/{round}/points.json",
    output:
        "<results>/{study}/plan/r{round}-{part}.json",
    log:
        "<results>/{study}/logs/rounds/{round}/plan-{part}.log",
    benchmark:
        "<results>/{study}/benchmarks/rounds/{round}/plan-{part}.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        mem_mb=scaled(1000),
        runtime=10,
    params:
        header=of_study(lambda study, wildcards: build.plan_header(study)),
        batch_size=of_study(lambda study, wildcards: study.simulate.batch_size),
        code=code("plan_round", "spinscape.stages.plan_round"),
    script:
        "../scripts/plan_round.py"
