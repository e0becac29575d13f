#!/bin/sh
# Builds the on-chain programs to sBPF bytecode.
#
#   programs/build.sh           build, replace the committed bytecode and its manifest
#   programs/build.sh --check   build aside and compare with what is committed
#
# Needs rustc and cargo with their std sources, LLVM 22 and sbpf-linker: see
# `scripts/setup.sh --programs`. PROGRAM_RUSTC and PROGRAM_CARGO name others than Debian's
# rustc-web and cargo-web. With Solana's own tools, `cargo build-sbf` in programs/market makes
# the same program with other bytes.
set -eu
cd "$(dirname "$0")"

RUSTC=${PROGRAM_RUSTC:-/usr/bin/rustc}
CARGO=${PROGRAM_CARGO:-/usr/bin/cargo}
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin

for tool in "$RUSTC" "$CARGO" sbpf-linker; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        echo "programs/build.sh: $tool is missing; run scripts/setup.sh --programs" >&2
        exit 3
    fi
done

llvm=$(dpkg-query -W -f '${Version}' libllvm22 2>/dev/null || echo unknown)
rustc_version=$("$RUSTC" -V)
linker_version=$(sbpf-linker -V | head -1)

# The features that only unstable cargo has (building core) are why RUSTC_BOOTSTRAP is set. The
# shell's cargo settings are for the host's compiler.
unset CARGO_UNSTABLE_FEATURE_UNIFICATION CARGO_RESOLVER_FEATURE_UNIFICATION RUSTFLAGS \
    CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET 2>/dev/null || true
# Symbols, and with them the order of the code, follow from the packages' paths: the same sources
# make the same bytes only at the same place, so they are built in a folder of a fixed name.
# (PROGRAM_STAGE: another one, for builds whose bytes nobody compares; there the files keep their
# times, so that only what has changed is compiled.)
stage=${PROGRAM_STAGE:-/tmp/ionet-programs-build}
keep=${PROGRAM_STAGE:+-p}
mkdir -p "$stage"
if [ ! -O "$stage" ]; then
    echo "programs/build.sh: $stage belongs to someone else; remove it" >&2
    exit 1
fi
exec 9>"$stage/.lock"
flock 9
rm -rf "$stage/programs" "$stage/crates"
mkdir -p "$stage/programs/market" "$stage/crates"
cp $keep ../Cargo.toml "$stage/"
cp -r $keep interface "$stage/programs/"
(cd market && cp -r $keep Cargo.toml Cargo.lock packaged.toml src "$stage/programs/market/")
cp -r $keep ../crates/units "$stage/crates/"
(cd "$stage/programs/market" && RUSTC_BOOTSTRAP=1 RUSTC="$RUSTC" CARGO_TARGET_DIR="$stage/target" \
    "$CARGO" build -q --locked --release --config packaged.toml --target bpfel-unknown-none)
built=$stage/target/bpfel-unknown-none/release/libionet_market.so
sha=$(sha256sum "$built" | cut -d' ' -f1)

# The SBPF version stands in the ELF header's flags: older than 3 can no longer be deployed.
flags=$(od -An -tu4 -j48 -N4 "$built" | tr -d ' ')
if [ "$flags" != 3 ]; then
    echo "programs/build.sh: SBPF version $flags, expected 3" >&2
    exit 1
fi

manifest() {
    cat <<EOF
# What made the committed bytecode. Written by programs/build.sh.
[market]
file = "market/market.so"
sha256 = "$sha"
sbpf = $flags
rustc = "$rustc_version"
linker = "$linker_version"
llvm = "$llvm"
EOF
}

if [ "${1:-}" != --check ]; then
    cp "$built" market/market.so
    chmod 644 market/market.so
    manifest >bytecode.toml
    echo "market/market.so: $(wc -c <market/market.so) bytes, sha256 $sha"
    exit 0
fi

if cmp -s "$built" market/market.so; then
    echo "programs: the committed bytecode is what these sources build ($sha)"
elif manifest | grep -E '^(rustc|linker|llvm)' | grep -qvxFf bytecode.toml; then
    echo "programs: other compiler or linker than in bytecode.toml; bytes not compared" >&2
else
    echo "programs: the committed bytecode is not what these sources build;" >&2
    echo "run programs/build.sh and commit market/market.so and bytecode.toml" >&2
    exit 1
fi
