rule fit:
    input:
        unpack(learned_model),
        model="<results>/{study}/model.json",
        measurements=fitted_measurements,
    output:
        result="<results>/{study}/fits/{name}.json",
        arrays="<results>/{study}/fits/{name}.h5",
    params:
        section=fit_section,
        seed=of_study(lambda study, wildcards: study.seed),
        code=code("fit", "spinscape.stages.fit"),
    log:
        "<results>/{study}/logs/fits/{name}.log",
    benchmark:
        "<results>/{study}/benchmarks/fits/{name}.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=60,
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/fit.py"
