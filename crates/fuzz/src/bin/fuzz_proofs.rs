//! libFuzzer over one target, which `IONET_FUZZ_TARGET` names. `make fuzz-proofs` runs all.

#![no_main]

use std::sync::LazyLock;

static TARGET: LazyLock<&'static ionet_fuzz::Target> = LazyLock::new(|| {
    let name = std::env::var("IONET_FUZZ_TARGET").expect("IONET_FUZZ_TARGET names a target");
    ionet_fuzz::target(&name).expect("no such target")
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
