#!/usr/bin/env bash
# Start a Slurm of one node for tests: no systemd, no cgroups, no slurmdbd, on the loopback interface.
# usage: start.sh BASE     then: source BASE/env.sh     end it with: stop.sh BASE
set -euo pipefail
BASE=${1:?usage: start.sh BASE}
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin
CPUS=${SLURM_TEST_CPUS:-8} # declared, for the scheduler; the machine may have fewer
PORT=${SLURM_TEST_PORT:-$((20000 + $$ % 10000))}
NODE=$(hostname -s)
USER_NAME=$(id -un)
mkdir -p "$BASE"/{bin,etc,log,run,spool,state}
chmod 755 "$BASE"

# Every file of a daemon lies below BASE: its key, its socket, its pid, its log.
(umask 077 && head -c 128 /dev/urandom >"$BASE/etc/munge.key")
munged --key-file="$BASE/etc/munge.key" --socket="$BASE/run/munge.socket" --pid-file="$BASE/run/munged.pid" \
    --log-file="$BASE/log/munged.log" --seed-file="$BASE/run/munge.seed" --force

cat >"$BASE/etc/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$NODE(127.0.0.1)
SlurmctldPort=$PORT
SlurmdPort=$((PORT + 1))
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
AuthInfo=socket=$BASE/run/munge.socket
CredType=cred/munge
SlurmUser=$USER_NAME
SlurmdUser=$USER_NAME
StateSaveLocation=$BASE/state
SlurmdSpoolDir=$BASE/spool
SlurmctldPidFile=$BASE/run/slurmctld.pid
SlurmdPidFile=$BASE/run/slurmd.pid
SlurmctldLogFile=$BASE/log/slurmctld.log
SlurmdLogFile=$BASE/log/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$BASE/log/jobcomp.txt
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=0,sched_interval=1
MpiDefault=none
ReturnToService=2
# Finished jobs stay visible to squeue: there is no accounting database that would remember them.
MinJobAge=600
SwitchType=switch/none
InactiveLimit=0
KillWait=2
KillOnBadExit=1
Waittime=0
NodeName=$NODE NodeAddr=127.0.0.1 CPUs=$CPUS RealMemory=64000 State=UNKNOWN
PartitionName=debug Nodes=$NODE Default=YES MaxTime=INFINITE State=UP
CONF

# Snakemake's job step deletes every SLURM_* variable before it calls srun, SLURM_CONF too: these wrappers set it again.
for command in sbatch srun squeue scancel sinfo scontrol sacct sacctmgr; do
    real=$(command -v "$command") || continue
    printf '#!/bin/sh\nSLURM_CONF=%s exec %s "$@"\n' "$BASE/etc/slurm.conf" "$real" >"$BASE/bin/$command"
    chmod +x "$BASE/bin/$command"
done
printf 'export SLURM_CONF=%s\nexport PATH=%s:$PATH\n' "$BASE/etc/slurm.conf" "$BASE/bin" >"$BASE/env.sh"

export SLURM_CONF="$BASE/etc/slurm.conf"
slurmctld
slurmd
for _ in $(seq 120); do
    if sinfo --noheader --format=%T 2>/dev/null | grep -qE 'idle|mixed|allocated'; then exit 0; fi
    sleep 0.25
done
echo "error: Slurm did not come up within 30 s; its logs are:" >&2
tail -n 20 "$BASE"/log/*.log >&2
exit 1
