#!/usr/bin/env bash
# Installs the programs that the tests run and that are not there yet, where that is allowed; else says what to install.
set -euo pipefail
declare -A packages=([chromium]=chromium [redis-server]=redis-server [promtool]=prometheus [curl]=curl)
missing=()
for program in "${!packages[@]}"; do
  command -v "$program" > /dev/null || missing+=("${packages[$program]}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  as_root=(sudo --non-interactive)
fi
if ! command -v apt-get > /dev/null || ! "${as_root[@]}" true 2> /dev/null; then
  echo "error: the tests need programs that are not installed; as root: apt-get install ${missing[*]}" >&2
  exit 1
fi
echo "installing for the tests: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
