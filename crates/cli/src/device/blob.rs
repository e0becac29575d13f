//! Requests and grants as one word of text that survives a mail or a chat.

use crate::failure::{Failure, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ionet_core::{Enrolment, SignedRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// An enrolment has some 1,200 bytes.
const BLOB_BYTES_MAX: usize = 16 * 1024;

/// What a blob can hold.
pub(crate) trait Blob: Serialize + DeserializeOwned {
    /// First letters of the text.
    const PREFIX: &'static str;
    /// Name for people, and the command that makes it.
    const WHAT: (&'static str, &'static str);
}

impl Blob for SignedRequest {
    const PREFIX: &'static str = "ionet-request-1.";
    const WHAT: (&'static str, &'static str) = ("device request", "ionet device request");
}

impl Blob for Enrolment {
    const PREFIX: &'static str = "ionet-grant-1.";
    const WHAT: (&'static str, &'static str) = ("device grant", "ionet device grant");
}

/// As text.
pub(crate) fn encode<T: Blob>(value: &T) -> String {
    let json = serde_json::to_vec(value).expect("a statement is plain data");
    format!("{}{}", T::PREFIX, URL_SAFE_NO_PAD.encode(json))
}

/// From text; line breaks that a mail put in do not matter. Signatures are not checked here.
pub(crate) fn decode<T: Blob>(text: &str) -> Result<T> {
    let (what, command) = T::WHAT;
    let wrong = |why: &str| {
        Failure::usage(format!("not a {what}: {why}"))
            .hint(format!("paste all of what `{command}` printed"))
    };
    if text.len() > BLOB_BYTES_MAX {
        return Err(wrong("it is too long"));
    }
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let body = text
        .strip_prefix(T::PREFIX)
        .ok_or_else(|| wrong(&format!("it does not begin with {}", T::PREFIX)))?;
    let json = URL_SAFE_NO_PAD.decode(body).map_err(|_| wrong("it is cut or changed"))?;
    serde_json::from_slice(&json).map_err(|e| wrong(&e.to_string()))
}

/// The blob itself, or stdin for `-`.
pub(crate) fn read(argument: &str) -> Result<String> {
    use std::io::Read as _;
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut text = String::new();
    let limit = BLOB_BYTES_MAX as u64 + 1;
    std::io::stdin()
        .take(limit)
        .read_to_string(&mut text)
        .map_err(|e| Failure::usage(format!("stdin: {e}")))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_core::{ChainRef, GenesisHash, ProgramId, Wallet};
    use ionet_worker::{DeviceKey, request};

    #[test]
    fn a_request_survives_text_and_nothing_else_is_taken_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let key = DeviceKey::load_or_create(folder.path()).unwrap();
        let chain = ChainRef { genesis: GenesisHash([1; 32]), program: ProgramId([2; 32]) };
        let signed = request(&key, Wallet([3; 32]), chain, 1_800_000_000);
        let text = encode(&signed);
        let broken = format!(" {}\n{} ", &text[..40], &text[40..]);
        assert_eq!(decode::<SignedRequest>(&broken).unwrap(), signed);
        assert!(decode::<Enrolment>(&text).is_err());
        for bad in ["", "ionet-request-1.", &text[..80], &"x".repeat(20_000)] {
            assert_eq!(decode::<SignedRequest>(bad).unwrap_err().exit_code(), 2, "{bad}");
        }
    }
}
