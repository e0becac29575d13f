//! References to container images.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The image that a Ray cluster runs when its spec names none: Ray 2.60.0 on Python 3.11 with
/// numpy and scikit-learn. Built locally by `images/ray/build.sh` where no registry is reachable.
pub const RAY_IMAGE: &str = "localhost/ionet-ray:2.60.0-py311";

/// Docker's own limit on a reference.
const IMAGE_REF_BYTES_MAX: usize = 255;

/// A checked image reference: `[registry/]path[:tag][@sha256:digest]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef(String);

/// Why a text is not an image reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageRefError {
    /// Empty or longer than 255 bytes.
    #[error("an image reference has 1 to {IMAGE_REF_BYTES_MAX} bytes")]
    Length,
    /// A character outside `a-z A-Z 0-9 . _ - / : @`, or a start that is none of letter or digit.
    #[error("not an image reference: allowed are letters, digits and . _ - / : @")]
    Character,
}

impl ImageRef {
    /// Checks `text`.
    pub fn new(text: impl Into<String>) -> Result<Self, ImageRefError> {
        let text = text.into();
        if text.is_empty() || text.len() > IMAGE_REF_BYTES_MAX {
            return Err(ImageRefError::Length);
        }
        let fine = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
        let first = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
        if !first || !text.chars().all(fine) || text.contains("..") || text.contains("//") {
            return Err(ImageRefError::Character);
        }
        Ok(Self(text))
    }

    /// The reference as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ImageRef {
    fn default() -> Self {
        Self(RAY_IMAGE.to_owned())
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ImageRef {
    type Error = ImageRefError;
    fn try_from(text: String) -> Result<Self, ImageRefError> {
        Self::new(text)
    }
}

impl From<ImageRef> for String {
    fn from(image: ImageRef) -> String {
        image.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_references_and_refuses_shell() {
        for good in [RAY_IMAGE, "rayproject/ray:2.60.0", "r.example/a/b@sha256:00ff"] {
            assert_eq!(ImageRef::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "-rm", "a b", "a;b", "a$(b)", "../a", "a//b", &"a".repeat(256)] {
            assert!(ImageRef::new(bad).is_err(), "{bad}");
        }
    }
}
