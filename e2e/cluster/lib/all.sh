# shellcheck shell=bash
# Every file of lib, in the order in which they need one another.
LIB=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=lib/common.sh
source "$LIB/common.sh"
# shellcheck source=lib/cgroups.sh
source "$LIB/cgroups.sh"
# shellcheck source=lib/tools.sh
source "$LIB/tools.sh"
# shellcheck source=lib/preflight.sh
source "$LIB/preflight.sh"
# shellcheck source=lib/machine.sh
source "$LIB/machine.sh"
# shellcheck source=lib/network.sh
source "$LIB/network.sh"
# shellcheck source=lib/pki.sh
source "$LIB/pki.sh"
# shellcheck source=lib/images.sh
source "$LIB/images.sh"
# shellcheck source=lib/registry.sh
source "$LIB/registry.sh"
# shellcheck source=lib/control-plane.sh
source "$LIB/control-plane.sh"
# shellcheck source=lib/node.sh
source "$LIB/node.sh"
# shellcheck source=lib/dns.sh
source "$LIB/dns.sh"
# shellcheck source=lib/logs.sh
source "$LIB/logs.sh"
# shellcheck source=lib/cluster.sh
source "$LIB/cluster.sh"
PATH=$BIN:$PATH
