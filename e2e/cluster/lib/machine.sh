# shellcheck shell=bash
# A machine: mount, network, PID, UTS and IPC namespaces of its own, folders of its own, one cgroup. `control` holds the
# control plane, `node1`… one kubelet each. Killing its first process ends all of it, as pulling the plug would: every
# process inside, its mounts, links, routes and nft rules. So there is little to undo, and no list of it to lose.
#
#   target/cluster/machines/<machine>/etc   files laid over /etc     .../var   its /var     .../tmp   its /tmp
#   target/cluster/logs/<machine>/<part>.log
#
# No pid file is kept: a machine is found by an argument of its processes that names it and this cluster, its parts by
# pid files in its own /run, which is gone when it is.

machine_dir() { echo "$STATE/machines/$1"; }
machine_names() { echo control; node_names; }

# The argument that marks all of a machine's first processes, and the one that only its init has, once it is ready.
starter_tag() { echo "pratique-starter=$STATE/$1"; }
ready_tag() { echo "pratique-ready=$STATE/$1"; }

# Pids (of the host) whose command line has exactly this argument. The pattern comes by a pipe: it is no argument here.
pids_with_argument() {
  local file
  for file in $(grep -slzxFf <(printf '%s\n' "$1") /proc/[0-9]*/cmdline); do
    file=${file#/proc/}
    echo "${file%/cmdline}"
  done
}

machine_pid() { pids_with_argument "$(ready_tag "$1")" | head -1; }
machine_is_up() { [[ -n $(machine_pid "$1") ]]; }

# machine_start NAME: its folders in machine_dir must be filled before.
machine_start() {
  local name=$1 dir log
  machine_is_up "$name" && return
  machine_stop "$name" # the rest of an interrupted start
  dir=$(machine_dir "$name")
  log=$STATE/logs/$name/machine.log
  mkdir -p "$dir"/{etc,etc-changes,etc-work,var/{lib,log,run,tmp},tmp,run} "$STATE/logs/$name"
  chmod 1777 "$dir/tmp" "$dir/var/tmp"
  cgroup_make "$CGROUP_PARENT/$name/system"
  (
    cgroup_enter "$CGROUP_PARENT/$name/system"
    cd /
    detached exec setsid unshare --mount --net --pid --uts --ipc --fork --kill-child --mount-proc -- \
      bash "$CLUSTER_DIR/lib/machine-init" "$name" "$dir" "$BIN" "$DEB_DIR" "$(starter_tag "$name")"
  ) </dev/null >"$log" 2>&1 &
  wait_until 15 machine_is_up "$name" || {
    tail -20 "$log" >&2
    die "machine $name did not start; its log is $log."
  }
}

machine_stop() {
  local pids
  mapfile -t pids < <(pids_with_argument "$(starter_tag "$1")")
  ((${#pids[@]} == 0)) || kill -KILL "${pids[@]}" 2>/dev/null || true
  wait_until 20 machine_is_gone "$1" || die "processes of machine $1 do not end: $(pids_with_argument "$(starter_tag "$1")" | xargs)"
  wait_until 20 cgroup_remove "$CGROUP_PARENT/$1" || die "processes of machine $1 keep its cgroup $CGROUP_PARENT/$1 busy."
}

machine_is_gone() { [[ -z $(pids_with_argument "$(starter_tag "$1")") ]]; }

# machine_exec NAME CMD...: runs CMD in all of the machine's namespaces, with the machine's PATH.
machine_exec() {
  local pid
  pid=$(machine_pid "$1")
  [[ -n $pid ]] || die "machine $1 is not running (e2e/cluster/ctl start $1)."
  shift
  nsenter --target "$pid" --mount --net --pid --uts --ipc -- env -i -C / \
    PATH=/run/pratique/bin:/run/pratique/deb/usr/bin:/run/pratique/deb/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/tmp "$@"
}

# --- parts: the daemons of a machine ------------------------------------------------------------------------------

part_log() { echo "$STATE/logs/$1/$2.log"; }

# part_start MACHINE PART CMD...: nothing if it runs already. In the cgroup of the machine, its output to its log.
part_start() {
  local machine=$1 part=$2
  shift 2
  part_is_up "$machine" "$part" && return
  echo "--- $(date -u +%FT%TZ) start: $*" >>"$(part_log "$machine" "$part")"
  # shellcheck disable=SC2016 # expanded by the shell in the machine
  (
    cgroup_enter "$CGROUP_PARENT/$machine/system"
    detached machine_exec "$machine" sh -c 'part=$1; shift; setsid "$@" & echo $! >"/run/pratique/pids/$part"' sh "$part" "$@"
  ) </dev/null >>"$(part_log "$machine" "$part")" 2>&1
}

# The file with its pid inside the machine, as the host sees it; nothing when the machine or the part does not run.
part_pid_file() {
  local init file
  init=$(machine_pid "$1")
  file=/proc/$init/root/run/pratique/pids/$2
  [[ -z $init || ! -s $file || ! -d /proc/$init/root/proc/$(<"$file") ]] || echo "$file"
}

part_pid() {
  local file
  file=$(part_pid_file "$@")
  [[ -z $file ]] || cat "$file"
}

# When it started, in seconds since the epoch.
part_started() {
  local file
  file=$(part_pid_file "$@")
  [[ -z $file ]] || stat -c %Y "$file"
}

part_is_up() { [[ -n $(part_pid "$1" "$2") ]]; }
part_is_down() { ! part_is_up "$@"; }

# part_stop MACHINE PART: SIGTERM, and SIGKILL when it does not heed that.
part_stop() {
  local pid
  pid=$(part_pid "$1" "$2")
  [[ -n $pid ]] || return 0
  machine_exec "$1" kill -TERM "$pid" 2>/dev/null || true
  wait_until 20 part_is_down "$1" "$2" && return
  machine_exec "$1" kill -KILL "$pid" 2>/dev/null || true
  wait_until 5 part_is_down "$1" "$2" || die "$2 on $1 (pid $pid there) does not end."
}

# part_wait MACHINE PART SECONDS CMD...: until CMD succeeds; fails at once if the part ends.
part_wait() {
  local machine=$1 part=$2 seconds=$3
  shift 3
  if ! wait_until "$seconds" part_answers_or_ended "$machine" "$part" "$@" || ! "$@" >/dev/null 2>&1; then
    part_failed "$machine" "$part" "is not ready"
  fi
}

part_answers_or_ended() {
  local machine=$1 part=$2
  shift 2
  "$@" || part_is_down "$machine" "$part"
}

part_failed() {
  printf '\n' >&2
  tail -25 "$(part_log "$1" "$2")" >&2
  die "$2 on $1 $3; its last lines are above, its log is $(part_log "$1" "$2")."
}
