//! Serde forms. An amount is a decimal string where people and JavaScript read it (its numbers
//! end at 2^53), a plain integer in binary formats. Numbers are accepted for strings.

use crate::{BaseUnits, Bps, Io, Rate, Seconds, Timestamp, Usdc};
use core::fmt;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};

struct U64Text;

impl Visitor<'_> for U64Text {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number of base units, as a decimal string or an integer")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<u64, E> {
        Ok(value)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        // `parse` alone would take a leading plus.
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(E::custom("expected decimal digits only"));
        }
        text.parse().map_err(|_| E::custom("number exceeds 64 bits"))
    }
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() { s.collect_str(&self.0) } else { s.serialize_u64(self.0) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                if d.is_human_readable() {
                    d.deserialize_any(U64Text).map(Self)
                } else {
                    u64::deserialize(d).map(Self)
                }
            }
        }
    )*};
}
as_text!(Usdc, Io, BaseUnits, Rate);

macro_rules! as_number {
    ($($name:ident($inner:ty)),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(s)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                <$inner>::deserialize(d).map(Self)
            }
        }
    )*};
}
as_number!(Seconds(u64), Timestamp(i64), Bps(u16));

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn amounts_are_strings_in_json() {
        assert_eq!(serde_json::to_string(&Usdc(u64::MAX)).unwrap(), "\"18446744073709551615\"");
        let back: Usdc = serde_json::from_str("\"18446744073709551615\"").unwrap();
        assert_eq!(back, Usdc(u64::MAX));
        assert_eq!(serde_json::from_str::<Rate>("7").unwrap(), Rate(7));
        assert_eq!(serde_json::to_string(&Seconds(9)).unwrap(), "9");
        assert_eq!(serde_json::from_str::<Timestamp>("-3").unwrap(), Timestamp(-3));
    }

    #[test]
    fn what_is_not_a_whole_number_is_refused() {
        for bad in ["1.5", "\"\"", "\"+1\"", "\"-1\"", "-1", "\"1e3\"", "null"] {
            assert!(serde_json::from_str::<Usdc>(bad).is_err(), "{bad}");
        }
        let big = "\"99999999999999999999\"";
        let said = serde_json::from_str::<Usdc>(big).unwrap_err().to_string();
        assert!(said.contains("64 bits"), "{said}");
    }
}
