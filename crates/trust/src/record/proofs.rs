//! The proofs of a trial, as they lie beside its record: one after the other as they came,
//! `device (32) || task u8 || length u32 || bytes`.

use super::RecordError;
use ionet_core::DeviceId;
use std::collections::BTreeMap;
use std::ops::Range;

/// Longest proof: what one message carries.
pub const PROOF_BYTES_MAX: usize = 256 * 1024;
const HEAD: usize = 32 + 1 + 4;

/// A proof with its heading. `device` is the key under which a chip proves.
pub fn encode_proof(device: &DeviceId, task: u8, proof: &[u8]) -> Vec<u8> {
    let mut bytes = device.0.to_vec();
    bytes.push(task);
    bytes.extend((proof.len() as u32).to_le_bytes());
    bytes.extend(proof);
    bytes
}

/// Where each proof of a trial lies in its bytes.
#[derive(Debug)]
pub struct Proofs<'a> {
    bytes: &'a [u8],
    places: BTreeMap<(DeviceId, u8), Range<usize>>,
}

impl<'a> Proofs<'a> {
    /// Reads where they lie.
    pub fn new(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let (mut places, mut at) = (BTreeMap::new(), 0);
        while at < bytes.len() {
            let head = bytes[at..].first_chunk::<HEAD>().ok_or(RecordError::Short)?;
            let (device, rest) = head.split_first_chunk::<32>().ok_or(RecordError::Short)?;
            let length = u32::from_le_bytes([rest[1], rest[2], rest[3], rest[4]]) as usize;
            if length > PROOF_BYTES_MAX {
                return Err(RecordError::Field("length of a proof"));
            }
            let first = at + HEAD;
            at = first + length;
            if at > bytes.len() {
                return Err(RecordError::Short);
            }
            if places.insert((DeviceId(*device), rest[0]), first..at).is_some() {
                return Err(RecordError::Field("number of proofs of one task"));
            }
        }
        Ok(Self { bytes, places })
    }

    /// The proof for a task, by the key under which its chip proves.
    pub fn get(&self, device: &DeviceId, task: usize) -> Option<&'a [u8]> {
        let task = u8::try_from(task).ok()?;
        self.places.get(&(*device, task)).map(|place| &self.bytes[place.clone()])
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn proofs_are_found_again_and_malformed_files_are_not_read() {
        let (a, b) = (DeviceId([1; 32]), DeviceId([2; 32]));
        let whole = [encode_proof(&b, 0, b"bb"), encode_proof(&a, 1, b"")].concat();
        let proofs = Proofs::new(&whole).unwrap();
        assert_eq!((proofs.len(), proofs.get(&b, 0)), (2, Some(&b"bb"[..])));
        assert_eq!((proofs.get(&a, 1), proofs.get(&a, 0)), (Some(&b""[..]), None));
        assert_eq!(proofs.get(&a, 257), None);
        assert!(Proofs::new(&whole[..whole.len() - 1]).is_err());
        let twice = [encode_proof(&a, 1, b"x"), encode_proof(&a, 1, b"x")].concat();
        assert!(Proofs::new(&twice).is_err());
        let mut long = encode_proof(&a, 0, b"");
        long[33..37].copy_from_slice(&(PROOF_BYTES_MAX as u32 + 1).to_le_bytes());
        long.resize(HEAD + PROOF_BYTES_MAX + 1, 0);
        assert!(Proofs::new(&long).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            if let Ok(proofs) = Proofs::new(&bytes) {
                prop_assert_eq!(proofs.is_empty(), bytes.is_empty());
            }
        }
    }
}
