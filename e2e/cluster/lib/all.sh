# shellcheck shell=bash
# Every file of lib, in the order in which they need one another.
LIB=$(dirname "${BASH_SOURCE[0]}")
for file in common cgroups tools preflight machine network pki images registry control-plane node dns logs cluster; do
  # shellcheck source=/dev/null
  source "$LIB/$file.sh"
done
PATH=$BIN:$PATH
