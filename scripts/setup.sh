#!/usr/bin/env bash
# Installs what ionet needs on a fresh machine: only what is missing, and says so.
#
#   scripts/setup.sh               what building and running need
#   scripts/setup.sh --programs    and the tools that compile the on-chain programs
#   scripts/setup.sh --agave       and what building Agave's test validator needs
#   scripts/setup.sh --check       only say what is missing (exit code 1 if something is)
#
# Debian and Ubuntu by apt, as root or with sudo. On other systems it lists what to install.
set -euo pipefail

RUST_MINOR=95 # rust-version of Cargo.toml: 1.95

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

programs= agave= check=
while [ $# -gt 0 ]; do
  case $1 in
    --programs) programs=1 ;;
    --agave) agave=1 ;;
    --check) check=1 ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) die "unknown option $1 (see --help)" ;;
  esac
  shift
done

root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "needs root for: $* (no sudo here)"; fi
}

# command or file -> package that brings it
need=()
want() { # want PACKAGE COMMAND...: all commands must be there
  local package=$1 tool; shift
  for tool in "$@"; do
    if ! PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null; then
      need+=("$package"); return
    fi
  done
}
want_file() { # want_file PACKAGE FILE...: one of the files must be there
  local package=$1 file; shift
  for file in "$@"; do if [ -e "$file" ]; then return; fi; done
  need+=("$package")
}

want podman podman
want runc runc
want fuse-overlayfs fuse-overlayfs
want slirp4netns slirp4netns
want_file netavark /usr/lib/podman/netavark /usr/libexec/podman/netavark
want_file aardvark-dns /usr/lib/podman/aardvark-dns /usr/libexec/podman/aardvark-dns
want uidmap newuidmap
want iproute2 ip
want nftables nft
want iptables iptables # netavark calls it for every bridge
want mmdebstrap mmdebstrap
want_file debian-archive-keyring /usr/share/keyrings/debian-archive-keyring.gpg
want python3 python3
want_file ca-certificates /etc/ssl/certs/ca-certificates.crt
want_file mesa-vulkan-drivers /usr/share/vulkan/icd.d/lvp_icd.json \
  "/usr/share/vulkan/icd.d/lvp_icd.$(uname -m).json" # a chip for the tests of kernels
want tar tar
want build-essential cc make
want pkg-config pkg-config
want_file libssl-dev /usr/include/openssl/ssl.h # the chain's secp256r1 precompile
python3 -m pip --version >/dev/null 2>&1 || need+=(python3-pip)

rust_fits() {
  command -v cargo >/dev/null && command -v rustc >/dev/null || return 1
  local version minor
  version=$(rustc --version 2>/dev/null | awk '{print $2}') || return 1
  minor=$(printf '%s' "$version" | cut -d. -f2)
  [ "${version%%.*}" = 1 ] && [ "${minor:-0}" -ge "$RUST_MINOR" ]
}

if [ -n "$programs" ]; then
  want rustc-web /usr/bin/rustc
  want cargo-web /usr/bin/cargo
  want_file rust-web-src /usr/lib/rustlib/src/rust/library/core/Cargo.toml \
    /usr/share/rust-web-src/library/core/Cargo.toml
  want_file llvm-22-dev /usr/lib/llvm-22/bin/llvm-config
  want_file libpolly-22-dev /usr/lib/llvm-22/lib/libPolly.a
  want_file zlib1g-dev /usr/include/zlib.h
  want_file libzstd-dev /usr/include/zstd.h
fi
if [ -n "$agave" ]; then
  want clang clang
  want cmake cmake
  want protobuf-compiler protoc
  want_file libprotobuf-dev /usr/include/google/protobuf/empty.proto
  want_file libclang-dev /usr/lib/llvm-*/lib/libclang.so
  want_file libudev-dev /usr/include/libudev.h
fi

apt=
if command -v apt-get >/dev/null; then apt=1; fi

if [ -n "$check" ]; then
  if [ "${#need[@]}" -gt 0 ]; then say "missing: ${need[*]}"; fi
  rust_fits || say "missing: rustc and cargo 1.$RUST_MINOR or newer"
  [ "${#need[@]}" = 0 ] && rust_fits
  exit
fi

if [ "${#need[@]}" -gt 0 ]; then
  if [ -z "$apt" ]; then
    say "this system has no apt; please install what these Debian packages hold:"
    die "  ${need[*]}"
  fi
  say "installing: ${need[*]}"
  root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null </dev/null
fi

if ! rust_fits && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
  PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
fi
if ! rust_fits; then
  if [ -n "$apt" ] && apt-cache show rustc-web >/dev/null 2>&1 &&
    dpkg --compare-versions \
      "$(apt-cache policy rustc-web | awk '/Candidate/ {print $2}')" ge "1.$RUST_MINOR"; then
    say "installing the compiler: Debian's rustc-web and cargo-web"
    root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends rustc-web cargo-web \
      rust-web-clippy rustfmt-web >/dev/null </dev/null
  fi
fi
if ! rust_fits; then
  say "installing the compiler: rustup (https://sh.rustup.rs) into ${CARGO_HOME:-$HOME/.cargo}"
  if ! command -v curl >/dev/null; then
    [ -n "$apt" ] || die "curl is missing"
    root apt-get install -y -qq --no-install-recommends curl >/dev/null </dev/null
  fi
  curl --proto '=https' --tlsv1.2 -fsSL https://sh.rustup.rs |
    sh -s -- -y --quiet --no-modify-path --profile minimal \
      --component rustfmt,clippy >/dev/null
  PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
  rust_fits || die "no rustc 1.$RUST_MINOR or newer came of it; see https://rustup.rs"
fi

if [ -n "$programs" ] && ! command -v sbpf-linker >/dev/null &&
  [ ! -x "${CARGO_HOME:-$HOME/.cargo}/bin/sbpf-linker" ]; then
  say "installing sbpf-linker 0.2.6 (two minutes)"
  LLVM_SYS_221_PREFIX=/usr/lib/llvm-22 RUSTFLAGS='-L native=/usr/lib/llvm-22/lib' \
    cargo install --quiet --locked sbpf-linker@0.2.6 \
    --no-default-features --features bpf-linker/llvm-22
fi

# Podman's own settings stay as they are: ionet's service gets scripts/containers.conf by an
# environment variable.
say "everything is there ($(rustc --version | cut -d' ' -f1,2), $(podman --version))"
