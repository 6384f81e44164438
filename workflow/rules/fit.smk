rule fit:
    input:
        model="<results>/{study}/model.json",
        measurements=of_study(fitted_measurements),
        files=of_study(fit_files),
    output:
        result="<results>/{study}/fits/{name}.json",
        arrays="<results>/{study}/fits/{name}.h5",
    log:
        "<results>/{study}/logs/fits/{name}.log",
    benchmark:
        "<results>/{study}/benchmarks/fits/{name}.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        mem_mb=scaled(2000),
        runtime=60,
    params:
        section=built(build.fit_section),
        files=of_study(lambda study, wildcards: list(build.fit_files(study, wildcards.name))),
        seed=of_study(lambda study, wildcards: study.seed),
        code=of_study(fit_code),
    script:
        "../scripts/fit.py"
