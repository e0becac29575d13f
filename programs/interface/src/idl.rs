//! What the types of this crate are, as data: the source of the program's IDL. The macros that
//! make a type describe it, so a description cannot differ from what it describes. The program
//! is built without this.

use crate::account::{Config, Device, Lease, SessionRights};
use crate::field::Field;
use crate::instruction::{Items, Tag};
use crate::{BaseUnits, Bps, Rate, Seconds, Timestamp};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// A doc comment, line by line, as it stands in the source.
pub type Docs = &'static [&'static str];

/// What a value's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A little-endian integer, by its name in Rust.
    Number(&'static str),
    /// A byte, 0 or 1.
    Bool,
    /// An address or a hash: 32 bytes.
    Key,
    /// So many bytes.
    Bytes(usize),
    /// So many of the same, one after the other.
    Array(Box<Shape>, usize),
    /// A [`Record`] or a [`Choice`] of this name.
    Named(&'static str),
}

/// A type whose shape is known.
pub trait Describe: Field {
    /// Its shape.
    fn shape() -> Shape;
}

/// A struct: its members stand one after the other.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its name in Rust.
    pub name: &'static str,
    /// What it is.
    pub docs: Docs,
    /// In order.
    pub fields: Vec<Member>,
}

/// A field of a [`Record`].
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name in Rust.
    pub name: &'static str,
    /// What it is.
    pub docs: Docs,
    /// Its bytes.
    pub shape: Shape,
}

/// An enum of one byte.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Its name in Rust.
    pub name: &'static str,
    /// What it is.
    pub docs: Docs,
    /// In order.
    pub values: Vec<Value>,
}

/// A value of a [`Choice`].
#[derive(Clone, Debug)]
pub struct Value {
    /// Its name in Rust.
    pub name: &'static str,
    /// What it is.
    pub docs: Docs,
    /// Its byte.
    pub byte: u8,
}

/// A constant of [`crate::limits`].
#[derive(Clone, Debug)]
pub struct Limit {
    /// Its name in Rust.
    pub name: &'static str,
    /// What it is.
    pub docs: Docs,
    /// Its value, or the least and the most where it bounds a setting.
    pub range: (u64, Option<u64>),
}

/// One number or two.
pub trait Ranged {
    /// As [`Limit::range`] has it.
    fn range(self) -> (u64, Option<u64>);
}

/// An event of [`crate::event`].
#[derive(Clone, Debug)]
pub struct EventDoc {
    /// Its name in Rust.
    pub name: &'static str,
    /// What it is.
    pub docs: Docs,
    /// The instructions that emit it.
    pub tags: &'static [Tag],
    /// What it begins with, after domain and tag.
    pub head: Record,
    /// What follows.
    pub tail: TailDoc,
}

/// What follows the head of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TailDoc {
    /// Nothing.
    Nothing,
    /// One account's bytes.
    Account(&'static str),
    /// A list until the end.
    List(Shape),
}

/// A tail whose description is known.
pub trait DescribeTail {
    /// Its description.
    fn tail() -> TailDoc;
}

macro_rules! numbers {
    ($($ty:ty => $name:literal),* $(,)?) => {$(
        impl Describe for $ty {
            fn shape() -> Shape {
                Shape::Number($name)
            }
        }
    )*};
}
numbers! {
    u8 => "u8", u16 => "u16", u32 => "u32", u64 => "u64", i64 => "i64",
    BaseUnits => "u64", Rate => "u64", Seconds => "u64", Timestamp => "i64", Bps => "u16",
    SessionRights => "u8",
}

impl Describe for bool {
    fn shape() -> Shape {
        Shape::Bool
    }
}

impl<T: Describe + Default, const N: usize> Describe for [T; N] {
    fn shape() -> Shape {
        match (T::shape(), N) {
            (Shape::Number("u8"), 32) => Shape::Key,
            (Shape::Number("u8"), _) => Shape::Bytes(N),
            (item, _) => Shape::Array(Box::new(item), N),
        }
    }
}

impl DescribeTail for () {
    fn tail() -> TailDoc {
        TailDoc::Nothing
    }
}

impl<T: Describe> DescribeTail for Items<'_, T> {
    fn tail() -> TailDoc {
        TailDoc::List(T::shape())
    }
}

macro_rules! records {
    ($($name:ident),*) => {$(
        impl DescribeTail for $name {
            fn tail() -> TailDoc {
                TailDoc::Account(stringify!($name))
            }
        }
    )*};
}
records!(Config, Device, Lease);

macro_rules! ranges {
    ($($ty:ty),*) => {$(
        impl Ranged for $ty {
            fn range(self) -> (u64, Option<u64>) {
                (self as u64, None)
            }
        }
    )*};
}
ranges!(u8, u16, u64, usize, u32);

impl Ranged for (u32, u32) {
    fn range(self) -> (u64, Option<u64>) {
        (u64::from(self.0), Some(u64::from(self.1)))
    }
}
