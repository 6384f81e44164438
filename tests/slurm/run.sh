#!/usr/bin/env bash
# Run the tests that need Slurm on a cluster of one node that lives only for them. Where it cannot be had, say so and stop.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PATH=$PATH:/usr/sbin

cannot() {
    echo "test-slurm: NOT RUN. Slurm cannot be had here: $1"
    exit 0
}

[ "$(uname)" = Linux ] || cannot "it needs Linux"
[ "$(id -u)" = 0 ] || cannot "its daemons need root"
installed() { for program in slurmctld slurmd munged srun; do command -v "$program" >/dev/null || return 1; done; }

BASE=$(mktemp -d "${TMPDIR:-/tmp}/spinscape-slurm.XXXXXX")
trap '"$HERE/stop.sh" "$BASE"; rm -rf "$BASE"' EXIT

install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    # The packages would start daemons of their own; this is Debian's way to say no.
    local policy=/usr/sbin/policy-rc.d ours=
    if [ ! -e "$policy" ]; then ours=1 && printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"; fi
    local status=0
    { apt-get update && apt-get install -y --no-install-recommends slurm-wlm munge; } >"$BASE/apt.log" 2>&1 || status=$?
    if [ -n "$ours" ]; then rm -f "$policy"; fi
    return "$status"
}

if ! installed; then
    command -v apt-get >/dev/null || cannot "slurm-wlm and munge are not installed, and there is no apt-get"
    echo "installing slurm-wlm and munge"
    install_packages || cannot "apt-get could not install slurm-wlm and munge: $(tail -n 1 "$BASE/apt.log")"
    installed || cannot "the packages slurm-wlm and munge lack a program that is needed"
fi

bash "$HERE/start.sh" "$BASE"
source "$BASE/env.sh"
sinfo
cd "$HERE/../.."
.venv/bin/python -m pytest -p no:cacheprovider -m slurm tests/workflow/test_slurm.py
