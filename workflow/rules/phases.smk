rule phases:
    input:
        index="<results>/{study}/collect/index.json",
        rounds=of_study(round_points),
        study="<results>/{study}/model.json",
        compressor=of_study(phase_compressor),
    output:
        map="<results>/{study}/phases/{name}.json",
        arrays="<results>/{study}/phases/{name}.h5",
    log:
        "<results>/{study}/logs/phases/{name}.log",
    benchmark:
        "<results>/{study}/benchmarks/phases/{name}.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        mem_mb=scaled(4000),
        runtime=60,
    params:
        section=built(build.phase_section),
        seed=of_study(lambda study, wildcards: study.seed),
        code=code("phases", "spinscape.stages.phases"),
    script:
        "../scripts/phases.py"
