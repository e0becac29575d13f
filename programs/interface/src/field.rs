//! Values at fixed places, little-endian. Two macros make structs of them: `layout!` for
//! accounts (kind and version first), `args!` for an instruction's arguments.

use core::fmt;
use ionet_units::{BaseUnits, Bps, Rate, Seconds, Timestamp};

/// Why bytes are not what they were read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// There are fewer or more bytes than the layout has.
    Length {
        /// Bytes that the layout needs (for a page: its header, or its header and lines).
        expected: usize,
        /// Bytes that were there.
        found: usize,
    },
    /// The first byte names another kind of account, or none.
    Kind {
        /// The kind that was asked for.
        expected: u8,
        /// The byte that was there.
        found: u8,
    },
    /// The account was written by a program of another version.
    Version {
        /// The byte that was there.
        found: u8,
    },
    /// A field holds a value that it cannot have.
    Value {
        /// The field's type.
        field: &'static str,
    },
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { expected, found } => {
                write!(f, "expected {expected} bytes, found {found}")
            }
            Self::Kind { expected, found } => {
                write!(f, "expected an account of kind {expected}, found kind {found}")
            }
            Self::Version { found } => {
                write!(f, "the account has layout version {found}; update ionet to read it")
            }
            Self::Value { field } => write!(f, "a field of type {field} holds an impossible value"),
        }
    }
}

impl core::error::Error for LayoutError {}

/// A value with one fixed size in bytes.
pub trait Field: Sized + Copy {
    /// Its size in bytes.
    const LEN: usize;

    /// Reads it from the front of `bytes`.
    fn read(bytes: &[u8]) -> Result<Self, LayoutError>;

    /// Writes it to the front of `bytes`. Panics when they are shorter than [`Self::LEN`], which
    /// no caller can reach: lengths are checked where bytes enter.
    fn write(&self, bytes: &mut [u8]);
}

/// The first `N` bytes as an array.
pub(crate) fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], LayoutError> {
    match bytes.first_chunk::<N>() {
        Some(found) => Ok(*found),
        None => Err(LayoutError::Length { expected: N, found: bytes.len() }),
    }
}

macro_rules! integer_field {
    ($($name:ty),*) => {$(
        impl Field for $name {
            const LEN: usize = size_of::<$name>();
            #[inline(always)]
            fn read(bytes: &[u8]) -> Result<Self, LayoutError> {
                Ok(<$name>::from_le_bytes(array(bytes)?))
            }
            #[inline(always)]
            fn write(&self, bytes: &mut [u8]) {
                bytes[..Self::LEN].copy_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}
integer_field!(u8, u16, u32, u64, i64);

macro_rules! newtype_field {
    ($($name:ident($inner:ty)),*) => {$(
        impl Field for $name {
            const LEN: usize = <$inner as Field>::LEN;
            #[inline(always)]
            fn read(bytes: &[u8]) -> Result<Self, LayoutError> {
                <$inner>::read(bytes).map($name)
            }
            #[inline(always)]
            fn write(&self, bytes: &mut [u8]) {
                self.0.write(bytes);
            }
        }
    )*};
}
newtype_field!(BaseUnits(u64), Rate(u64), Seconds(u64), Timestamp(i64), Bps(u16));

impl Field for bool {
    const LEN: usize = 1;
    fn read(bytes: &[u8]) -> Result<Self, LayoutError> {
        match u8::read(bytes)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(LayoutError::Value { field: "bool" }),
        }
    }
    fn write(&self, bytes: &mut [u8]) {
        u8::from(*self).write(bytes);
    }
}

impl<T: Field + Default, const N: usize> Field for [T; N] {
    const LEN: usize = T::LEN * N;
    #[inline(always)]
    fn read(bytes: &[u8]) -> Result<Self, LayoutError> {
        if bytes.len() < Self::LEN {
            return Err(LayoutError::Length { expected: Self::LEN, found: bytes.len() });
        }
        let mut out = [T::default(); N];
        for (value, bytes) in out.iter_mut().zip(bytes.chunks_exact(T::LEN)) {
            *value = T::read(bytes)?;
        }
        Ok(out)
    }
    #[inline(always)]
    fn write(&self, bytes: &mut [u8]) {
        for (value, bytes) in self.iter().zip(bytes.chunks_exact_mut(T::LEN)) {
            value.write(bytes);
        }
    }
}

/// An enum of one byte.
macro_rules! byte_enum {
    ($(#[doc = $doc:literal])* $name:ident {
        $($(#[doc = $vdoc:literal])* $variant:ident = $value:literal),* $(,)?
    }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[doc = $vdoc])* $variant = $value),* }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The value of this byte, if there is one.
            pub fn from_byte(byte: u8) -> Option<Self> {
                match byte { $($value => Some(Self::$variant),)* _ => None }
            }

            /// Its name in the program.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),* }
            }
        }

        impl $crate::field::Field for $name {
            const LEN: usize = 1;
            fn read(bytes: &[u8]) -> Result<Self, $crate::field::LayoutError> {
                Self::from_byte(<u8 as $crate::field::Field>::read(bytes)?)
                    .ok_or($crate::field::LayoutError::Value { field: stringify!($name) })
            }
            fn write(&self, bytes: &mut [u8]) {
                $crate::field::Field::write(&(*self as u8), bytes);
            }
        }

        $crate::field::named!($name);

        #[cfg(feature = "idl")]
        impl $name {
            /// Its description.
            pub fn describe() -> $crate::idl::Choice {
                $crate::idl::Choice {
                    name: stringify!($name),
                    docs: &[$($doc),*],
                    values: alloc::vec![$($crate::idl::Value {
                        name: stringify!($variant), docs: &[$($vdoc),*], byte: $value,
                    }),*],
                }
            }
        }
    };
}
pub(crate) use byte_enum;

/// Lets others refer to a type by its name in the program's IDL; nothing without the feature.
macro_rules! named {
    ($name:ident) => {
        #[cfg(feature = "idl")]
        impl $crate::idl::Describe for $name {
            fn shape() -> $crate::idl::Shape {
                $crate::idl::Shape::Named(stringify!($name))
            }
        }
    };
}
pub(crate) use named;

/// What a struct's fields are, for the program's IDL; nothing without the feature.
macro_rules! described {
    ($name:ident [$($doc:literal)*] $($field:ident: $ty:ty [$($fdoc:literal)*])*) => {
        $crate::field::named!($name);

        #[cfg(feature = "idl")]
        impl $name {
            /// Its description.
            pub fn describe() -> $crate::idl::Record {
                $crate::idl::Record {
                    name: stringify!($name),
                    docs: &[$($doc),*],
                    fields: alloc::vec![$($crate::idl::Member {
                        name: stringify!($field),
                        docs: &[$($fdoc),*],
                        shape: <$ty as $crate::idl::Describe>::shape(),
                    }),*],
                }
            }
        }
    };
}
pub(crate) use described;

/// A struct whose fields stand at the offsets that are written beside them. That they neither
/// overlap nor leave a hole is checked by the compiler.
macro_rules! layout {
    ($(#[doc = $doc:literal])* $name:ident, $len:literal {
        $($(#[doc = $fdoc:literal])* $at:literal $field:ident: $ty:ty),* $(,)?
    }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name { $($(#[doc = $fdoc])* pub $field: $ty),* }

        $crate::field::described!($name [$($doc)*] $($field: $ty [$($fdoc)*])*);

        const _: () = {
            let mut at = 0;
            $(assert!($at == at, stringify!($field)); at += <$ty as $crate::field::Field>::LEN;)*
            assert!(at == $len);
        };

        impl $name {
            /// Name, offset and length of each field in bytes, for filters and explorers.
            pub const FIELDS: &'static [(&'static str, usize, usize)] =
                &[$((stringify!($field), $at, <$ty as $crate::field::Field>::LEN)),*];
        }

        impl $crate::field::Field for $name {
            const LEN: usize = $len;
            #[inline(never)]
            fn read(bytes: &[u8]) -> Result<Self, $crate::field::LayoutError> {
                let Some(bytes) = bytes.first_chunk::<$len>() else {
                    return Err($crate::field::LayoutError::Length {
                        expected: $len, found: bytes.len(),
                    });
                };
                Ok(Self { $($field: <$ty as $crate::field::Field>::read(&bytes[$at..])?),* })
            }
            #[inline(never)]
            fn write(&self, bytes: &mut [u8]) {
                let Some(bytes) = bytes.first_chunk_mut::<$len>() else { return };
                $($crate::field::Field::write(&self.$field, &mut bytes[$at..]);)*
            }
        }
    };
}
pub(crate) use layout;

/// Structs whose fields stand one after the other: arguments, list items, events.
macro_rules! args {
    ($($(#[doc = $doc:literal])* $name:ident {
        $($(#[doc = $fdoc:literal])* $field:ident: $ty:ty),* $(,)?
    })*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name { $($(#[doc = $fdoc])* pub $field: $ty),* }

        $crate::field::described!($name [$($doc)*] $($field: $ty [$($fdoc)*])*);

        impl $crate::field::Field for $name {
            const LEN: usize = 0 $(+ <$ty as $crate::field::Field>::LEN)*;
            #[allow(unused_mut, unused_variables, unused_assignments)]
            fn read(bytes: &[u8]) -> Result<Self, $crate::field::LayoutError> {
                if bytes.len() < Self::LEN {
                    return Err($crate::field::LayoutError::Length {
                        expected: Self::LEN, found: bytes.len(),
                    });
                }
                let mut at = 0;
                Ok(Self { $($field: {
                    let value = <$ty as $crate::field::Field>::read(&bytes[at..])?;
                    at += <$ty as $crate::field::Field>::LEN;
                    value
                }),* })
            }
            #[allow(unused_mut, unused_variables, unused_assignments)]
            fn write(&self, bytes: &mut [u8]) {
                let mut at = 0;
                $(
                    $crate::field::Field::write(&self.$field, &mut bytes[at..]);
                    at += <$ty as $crate::field::Field>::LEN;
                )*
            }
        }
    )*};
}
pub(crate) use args;

/// An account that is one layout: kind and version first, then nothing but its fields.
macro_rules! account {
    ($name:ident, $kind:expr) => {
        impl $name {
            /// Size of the account in bytes.
            pub const LEN: usize = <Self as $crate::field::Field>::LEN;

            /// Reads an account's bytes, which nobody has to trust.
            pub fn decode(bytes: &[u8]) -> Result<Self, $crate::field::LayoutError> {
                if bytes.len() != Self::LEN {
                    return Err($crate::field::LayoutError::Length {
                        expected: Self::LEN,
                        found: bytes.len(),
                    });
                }
                $crate::account::check_head(bytes, $kind)?;
                $crate::field::Field::read(bytes)
            }

            /// Writes it over an account's bytes, which must have [`Self::LEN`].
            pub fn encode(&self, bytes: &mut [u8]) -> Result<(), $crate::field::LayoutError> {
                if bytes.len() != Self::LEN {
                    return Err($crate::field::LayoutError::Length {
                        expected: Self::LEN,
                        found: bytes.len(),
                    });
                }
                $crate::field::Field::write(self, bytes);
                Ok(())
            }
        }
    };
}
pub(crate) use account;
