//! Files and names that people write.

use super::as_text;
use crate::heap::bounded;
use crate::honest::wallet;
use ionet_core::{ChipClass, ClusterId, DeviceId, Region, RegionFilter, Tier, Wallet};
use ionet_trust::classes::{CALIBRATION, Rows};
use ionet_trust::signals::{Hosting, RANGES_MAX};
use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;

/// Memory that a reader of TOML may take, for each byte and besides.
const TOML_TIMES: usize = 512;
const TOML_FIXED: usize = 64 << 10;

/// Calibration data: what is read is the table that it writes.
pub(crate) fn classes(bytes: &[u8]) {
    let Some(text) = as_text(bytes) else { return };
    let Ok(rows) = bounded(text.len(), TOML_TIMES, TOML_FIXED, || Rows::parse(text)) else {
        return;
    };
    assert!(Rows::parse(&rows.write()).is_ok_and(|again| again == rows));
}

pub(crate) fn classes_seeds() -> Vec<Vec<u8>> {
    vec![CALIBRATION.as_bytes().to_vec()]
}

/// Addresses that no hosting provider has: nobody's, everybody's at home, or of a document.
const RESERVED: [&str; 21] = [
    "0.0.0.1",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "169.254.1.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.2.1",
    "192.168.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::ffff:10.0.0.1",
    "fc00::1",
    "fe80::1",
    "ff02::1",
    "2001:db8::1",
    "2002::1",
];

/// Ranges of hosting providers: in bounds, and no address at home is in one.
pub(crate) fn hosting(bytes: &[u8]) {
    let Some(text) = as_text(bytes) else { return };
    let parsed = bounded(text.len(), TOML_TIMES, TOML_FIXED, || Hosting::parse(text));
    let Ok(hosting) = parsed else { return };
    assert!(hosting.ranges() <= RANGES_MAX);
    for address in RESERVED {
        let address: IpAddr = address.parse().expect("an address");
        assert_eq!(hosting.provider(address), None, "{address}");
    }
}

pub(crate) fn hosting_seeds() -> Vec<Vec<u8>> {
    let file = |ranges: &str| {
        let head = "[[provider]]\nname = \"A\"\nsource = \"b c\"\nread_on = \"2026-11-24\"\n";
        format!("{head}ranges = [{ranges}]\n").into_bytes()
    };
    vec![
        file(""),
        file("\"45.76.0.0/15\", \"8.8.8.8/32\""),
        file("\"2001:19f0::/32\", \"2a05:f480::/29\""),
        file("\"172.64.0.0/13\", \"192.1.0.0/16\", \"2001:c00::/24\""),
    ]
}

/// Names and ids: each has one form.
pub(crate) fn names(bytes: &[u8]) {
    let Some(text) = as_text(bytes) else { return };
    printed_as_read::<DeviceId>(text);
    printed_as_read::<Wallet>(text);
    printed_as_read::<ClusterId>(text);
    printed_as_read::<ChipClass>(text);
    printed_as_read::<Region>(text);
    printed_as_read::<RegionFilter>(text);
    printed_as_read::<Tier>(text);
}

fn printed_as_read<T: FromStr + Display>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text);
    }
}

pub(crate) fn names_seeds() -> Vec<Vec<u8>> {
    let (device, wallet) = (DeviceId([3; 32]), wallet(3));
    let zeros = [DeviceId([0; 32]).to_string(), DeviceId([255; 32]).to_string()];
    let mut all = vec![device.to_string(), wallet.to_string()];
    all.push(ClusterId::of_lease(&wallet).to_string());
    all.extend(zeros);
    all.extend(["rtx-4090", "eu-central", "any", "measured"].map(str::to_owned));
    all.into_iter().map(String::into_bytes).collect()
}
