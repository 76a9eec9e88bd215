# shellcheck shell=bash
# What the scripts beside this file share. Sourced, never run.
set -euo pipefail

# shellcheck disable=SC2034  # the scripts use it
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
script=${0##*/}

# say WORDS: progress, on stderr, so that stdout holds results alone.
say() { printf '%s: %s\n' "$script" "$*" >&2; }
# die WORDS: a failure, in one line.
die() {
  say "$*"
  exit 1
}
# wrong WORDS: the command line is wrong; names what would be right.
wrong() {
  say "$* (see scripts/$script --help)"
  exit 2
}
# help: prints the comment block at the head of the calling script, without its marks.
help() { sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' "$0"; }

# need_value OPTION REST...: an option that takes a value has one.
need_value() { (($# >= 2)) || wrong "$1 needs a value"; }

# is_number TEXT LOW HIGH: TEXT is decimal and within the bounds.
is_number() { [[ $1 =~ ^[0-9]{1,9}$ ]] && ((10#$1 >= $2 && 10#$1 <= $3)); }

now_ms() {
  local t=${EPOCHREALTIME/[.,]/}
  printf '%s\n' "${t%???}"
}

# http_ok URL: whether URL answers with 2xx within two seconds.
http_ok() { curl -sf -o /dev/null --max-time 2 "$1" 2>/dev/null; }

# listening PORT: whether some process of this machine listens on the TCP port.
listening() {
  local hex
  printf -v hex ':%04X' "$1"
  awk -v port="$hex" '$4 == "0A" && substr($2, length($2) - 4) == port {found = 1}
                      END {exit !found}' /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# free_base_port NODES: a base port at which scripts/cluster can start that many nodes. Below the
# range from which the system picks ports of its own.
free_base_port() {
  local nodes=$1 base id
  for _ in {1..50}; do
    base=$((10000 + (RANDOM % 200) * 100))
    for ((id = 1; id <= nodes; id++)); do
      if listening $((base + id)) || listening $((base + 100 + id)); then continue 2; fi
    done
    printf '%s\n' "$base"
    return
  done
  die "found no $((2 * nodes)) free ports between 10000 and 30000"
}
