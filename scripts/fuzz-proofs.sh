#!/usr/bin/env bash
# Hostile bytes against every parser that proofs pass through, guided by coverage.
#
#   scripts/fuzz-proofs.sh [MINUTES] [TARGET...]    5 minutes in all, shared by all targets
#
# Needs cargo-fuzz, and a C++ compiler for libFuzzer. Rust's own compiler counts coverage; no
# sanitizer, since what is fuzzed here has no unsafe code, and memory is counted by the targets
# themselves. What is found lies in crates/fuzz/corpus at once, where an ordinary test replays it;
# inputs that only reach further stay in target/fuzz-proofs, and the next run begins with them.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=${1:-5}
[ $# -eq 0 ] || shift
targets=("$@")
[ $# -gt 0 ] || targets=($(ls crates/fuzz/corpus))
seconds=$((minutes * 60 / ${#targets[@]}))
host=$(rustc -vV | sed -n 's/^host: //p')

cargo fuzz build --fuzz-dir crates/fuzz --sanitizer none --no-cfg-fuzzing --codegen-units 16 \
  --features libfuzzer fuzz_proofs
failed=()
for target in "${targets[@]}"; do
  kept=target/fuzz-proofs/$target
  corpus=crates/fuzz/corpus/$target
  mkdir -p "$kept"
  echo "fuzz: $target, ${seconds} s"
  IONET_FUZZ_TARGET=$target "target/$host/release/fuzz_proofs" "$kept" "$corpus" \
    -artifact_prefix="$corpus/found-" -max_total_time="$seconds" -timeout=10 \
    -rss_limit_mb=1024 -print_final_stats=1 >"$kept.log" 2>&1 || failed+=("$target")
  grep -aE '^#[0-9]+.*(DONE|INITED)|panicked' "$kept.log" || true
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "fuzz: found something: ${failed[*]} (target/fuzz-proofs/<target>.log)" >&2
  echo "fuzz: \`cargo test -p ionet-fuzz\` shows it until it is mended" >&2
  exit 1
fi
