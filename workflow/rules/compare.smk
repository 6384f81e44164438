rule compare:
    input:
        model="<results>/{study}/model.json",
        measurements=of_study(compared_measurements),
        fits=of_study(compared_fits),
        files=of_study(compared_files),
    output:
        "<results>/{study}/comparisons/{name}.json",
    log:
        "<results>/{study}/logs/comparisons/{name}.log",
    benchmark:
        "<results>/{study}/benchmarks/comparisons/{name}.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        mem_mb=scaled(2000),
        runtime=60,
    params:
        section=built(build.comparison_section),
        files=of_study(lambda study, wildcards: list(build.compared_files(study, wildcards.name))),
        names=of_study(lambda study, wildcards: build.names_of_compared_files(study, wildcards.name)),
        seed=of_study(lambda study, wildcards: study.seed),
        code=of_study(comparison_code),
    script:
        "../scripts/compare.py"
