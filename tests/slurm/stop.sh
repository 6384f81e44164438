#!/usr/bin/env bash
# End the daemons that start.sh started below BASE, by the process ids that they wrote there.
BASE=${1:?usage: stop.sh BASE}
for daemon in slurmd slurmctld munged; do
    file=$BASE/run/$daemon.pid
    [ -s "$file" ] || continue
    pid=$(cat "$file")
    kill "$pid" 2>/dev/null
    for _ in $(seq 40); do kill -0 "$pid" 2>/dev/null || break; sleep 0.25; done
done
exit 0
