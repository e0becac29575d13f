//! The targets: a file for each kind of parser.

pub(crate) mod check;
pub(crate) mod proof;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod statement;
pub(crate) mod text;
pub(crate) mod wire;

/// The bytes as text; none if they are not.
fn as_text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// The seeds, each after its first byte, which says what it is.
fn tagged(seeds: impl IntoIterator<Item = (u8, Vec<u8>)>) -> Vec<Vec<u8>> {
    seeds.into_iter().map(|(tag, bytes)| [&[tag][..], &bytes].concat()).collect()
}
