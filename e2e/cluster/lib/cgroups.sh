# shellcheck shell=bash
# The cluster's control groups, under /pratique of every hierarchy: cgroup v2, or v1 (hybrid included).
#
#   /pratique/<machine>          a kubelet's cgroupRoot: kubelets that shared one would kill each other's containers
#   /pratique/<machine>/system   the machine's own processes, so that they are not in their starter's session

CGROUP_FS=/sys/fs/cgroup

cgroup_is_v2() { [[ $(stat -fc %T "$CGROUP_FS") == cgroup2fs ]]; }

# The mount points of all hierarchies.
cgroup_hierarchies() { awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts | sort -u; }

cgroup_has() {
  if cgroup_is_v2; then
    grep -qw -- "$1" "$CGROUP_FS/cgroup.controllers"
  else
    grep -qw -- "$1" <<<"$(awk '$3 == "cgroup" { print $4 }' /proc/mounts)"
  fi
}

# cgroup_make PATH: in every hierarchy, every folder of PATH usable by processes and children.
cgroup_make() {
  local hierarchy part dir
  while read -r hierarchy; do
    dir=$hierarchy
    for part in ${1//\// }; do
      if [[ $(stat -fc %T "$hierarchy") == cgroup2fs ]]; then
        ! cgroup_is_v2 || cgroup_delegate "$dir" # a hybrid's v2 hierarchy stays as it is
        mkdir -p "$dir/$part"
      elif [[ ! -d $dir/$part ]]; then
        mkdir "$dir/$part"
        [[ ! -e $dir/cpuset.mems ]] || cp_values "$dir" "$dir/$part" cpuset.cpus cpuset.mems
      fi
      dir=$dir/$part
    done
  done < <(cgroup_hierarchies)
}

# v1: a new cpuset is empty, and no process may enter it.
cp_values() {
  local from=$1 to=$2 file
  shift 2
  for file; do cat "$from/$file" >"$to/$file"; done
}

# v2: gives DIR's children the controllers that a kubelet needs. What is given at the root is noted, to be taken back.
cgroup_delegate() {
  local controller
  for controller in cpuset cpu io memory hugetlb pids; do
    grep -qw "$controller" "$1/cgroup.controllers" || continue
    grep -qw "$controller" "$1/cgroup.subtree_control" && continue
    echo "+$controller" >"$1/cgroup.subtree_control"
    [[ $1 != "$CGROUP_FS" ]] || echo "$controller" >>"$STATE/cgroup-delegated"
  done
}

# cgroup_enter PATH: moves this (sub)shell.
cgroup_enter() {
  local hierarchy
  while read -r hierarchy; do echo "$BASHPID" >"$hierarchy/$1/cgroup.procs"; done < <(cgroup_hierarchies)
}

# cgroup_remove PATH: with all below it; their processes have ended. Succeeds when nothing is left.
cgroup_remove() {
  local hierarchy left=0
  while read -r hierarchy; do
    [[ -d $hierarchy/$1 ]] || continue
    find "$hierarchy/$1" -depth -type d -exec rmdir {} + 2>/dev/null || left=1
  done < <(cgroup_hierarchies)
  return $left
}

cgroup_remove_all() {
  wait_until 10 cgroup_remove "$CGROUP_PARENT" || die "a process keeps the cgroup /$CGROUP_PARENT busy: end it, then try again."
  [[ -f $STATE/cgroup-delegated ]] || return 0
  local controller
  while read -r controller; do
    echo "-$controller" >"$CGROUP_FS/cgroup.subtree_control" || true
  done <"$STATE/cgroup-delegated"
}

cgroup_leftovers() {
  local hierarchy
  while read -r hierarchy; do
    [[ ! -d $hierarchy/$CGROUP_PARENT ]] || echo "cgroup $hierarchy/$CGROUP_PARENT"
  done < <(cgroup_hierarchies)
}
