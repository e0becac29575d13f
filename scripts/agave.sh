#!/usr/bin/env bash
# Agave's own test validator, and the market program's story on it.
#
#   scripts/agave.sh          say where solana-test-validator is; build it if it is nowhere
#   scripts/agave.sh test     play a lease's story on it, and deploy and upgrade the program
#
# The validator is the one that IONET_TEST_VALIDATOR names, else one on the PATH of version 4.2 or
# later (it comes with Solana's tools), else target/agave/bin, built from crates.io.
set -euo pipefail
cd "$(dirname "$0")/.."

VERSION=4.2.2 # of the crates that the workspace pins
HOME_OF_BUILD=$PWD/target/agave
CARGO=${CARGO:-cargo}

say() { printf 'agave: %s\n' "$*" >&2; }
die() { printf 'agave: %s\n' "$*" >&2; exit 1; }

recent() { # recent BINARY: 4.2 or later
  local version
  version=$("$1" --version 2>/dev/null | awk '$1 == "solana-test-validator" {print $2}') || return 1
  [ -n "$version" ] || return 1
  [ "$(printf '4.2\n%s\n' "$version" | sort -V | head -1)" = 4.2 ]
}

find_validator() { # sets `validator`; false when there is none
  local there
  for there in "$(command -v solana-test-validator)" "$HOME_OF_BUILD/bin/solana-test-validator"; do
    if recent "$there"; then validator=$there; return; fi
  done
  return 1
}

build_validator() {
  scripts/setup.sh --agave >&2
  say "building solana-test-validator $VERSION: 17 minutes and 3 GB on two idle cores, once"
  # A debugging aid that runs for minutes needs no optimizer's last word: with Agave's own
  # settings the build takes hours. OpenSSL and protoc are the system's.
  local status=0
  (
    cd / # not under this workspace's settings
    export CARGO_TARGET_DIR=$HOME_OF_BUILD/build
    export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1
    export CARGO_PROFILE_RELEASE_CODEGEN_UNITS=64 CARGO_PROFILE_RELEASE_DEBUG=0
    export OPENSSL_NO_VENDOR=1
    if command -v protoc >/dev/null; then PROTOC=$(command -v protoc); export PROTOC; fi
    nice -n 5 "$CARGO" install --locked "agave-validator@$VERSION" \
      --bin solana-test-validator --root "$HOME_OF_BUILD" >&2
  ) || status=$?
  [ "$status" = 0 ] || die "the build failed; what is done of it is kept for the next try"
  rm -rf "$HOME_OF_BUILD/build"
}

# The validator opens RPC, faucet and a UDP port on all interfaces, whatever it is told: where
# the system has network namespaces it gets one in which there is nothing but loopback.
alone() {
  local enter
  for enter in 'unshare -n' 'unshare -rn'; do
    if $enter sh -c 'PATH=$PATH:/usr/sbin:/sbin; ip link set lo up' 2>/dev/null; then
      $enter sh -c 'PATH=$PATH:/usr/sbin:/sbin; ip link set lo up; exec "$@"' sh "$@"
      return
    fi
  done
  say "no network namespaces here: for some minutes the validator's RPC and faucet, which hold"
  say "nothing of value, can be reached from your network"
  "$@"
}

case ${1:-} in
  '' | test) ;;
  -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) die "unknown argument $1 (see --help)" ;;
esac

if [ -n "${IONET_TEST_VALIDATOR:-}" ]; then
  validator=$(realpath "$IONET_TEST_VALIDATOR")
  recent "$validator" || die "IONET_TEST_VALIDATOR=$validator: no test validator of 4.2 or later"
elif ! find_validator; then
  build_validator
  find_validator || die "the build left no solana-test-validator"
fi
if [ "${1:-}" != test ]; then
  printf '%s\n' "$validator"
  exit 0
fi

say "$validator ($("$validator" --version | cut -d' ' -f2))"
tests=("$CARGO" test --locked --workspace --test chains)
"${tests[@]}" --no-run # outside of the namespace, where crates can be fetched
IONET_TEST_VALIDATOR=$validator alone "${tests[@]}" --offline -- \
  --ignored --nocapture --test-threads 1 agave::
say "a lease from open to reclaim, deployment and upgrade: all as on the embedded chain"
