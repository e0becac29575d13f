//! The table of classes.

use super::file;
use super::pools::{Pool, Prices};
use super::sheet::Sheet;
use ionet_core::ChipClass;
use std::collections::BTreeMap;
use std::fmt;

/// Largest figure, in the file's units: products of two stay far below 2^128.
pub const VALUE_MAX: u64 = 1_000_000_000;

/// Where figures come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Published figures, times the factors of [`Sheet`]: claimed.
    DataSheet(Sheet),
    /// Date, machine, command and kernel.
    Measured(String),
}

/// One class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub class: ChipClass,
    /// Whose rewards it divides.
    pub pool: Pool,
    /// Billions of multiply-adds of bytes a second.
    pub integer: u64,
    /// Billions of multiply-adds of half bytes a second.
    pub matrix: u64,
    /// Billions of bytes streamed a second.
    pub stream: u64,
    /// GiB held at once.
    pub memory: u64,
    /// Billions of bytes a second, each way, that its ports carry to other chips at the best: of
    /// its bus, and of links of its own where the class has some.
    pub link: u64,
    /// Thousandths below the typical rate that still are of the class.
    pub spread: u64,
    /// What a device of the class is paid, against the others of its pool.
    pub weight: u64,
    /// Where the rates come from.
    pub source: Source,
}

impl Row {
    /// Rates in units a second, and bytes.
    pub fn typical(&self) -> [u64; 4] {
        let giga = 1_000_000_000;
        [self.integer * giga, self.matrix * giga, self.stream * giga, self.memory << 30]
    }

    /// Below any of these it is no chip of the class; rounded down, for the device. Memory has no
    /// spread.
    pub fn least(&self) -> [u64; 4] {
        let [integer, matrix, stream, bytes] = self.typical();
        let rest = 1000 - self.spread;
        let low = |rate: u64| (u128::from(rate) * u128::from(rest) / 1000) as u64;
        [low(integer), low(matrix), low(stream), bytes]
    }

    /// What was measured of a class that stands in a file, to be appended to it.
    pub fn appended(&self) -> String {
        file::measured_text(self)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { class, integer, matrix, stream, memory, link, spread, weight, .. } = self;
        let (kind, words) = match &self.source {
            Source::DataSheet(sheet) => ("data sheet", &sheet.source),
            Source::Measured(words) => ("measured", words),
        };
        write!(f, "{class} | {integer} | {matrix} | {stream} | {memory} | {link} | {spread}")?;
        write!(f, " | {weight} | {kind}: {words}")
    }
}

/// Why a table is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Too long a file.
    #[error("more than {0} bytes")]
    Long(usize),
    /// Too many rows.
    #[error("more than {0} rows")]
    Rows(usize),
    /// Not TOML of this form; it says where.
    #[error("{0}")]
    Form(String),
    /// A row that cannot be.
    #[error("{kind} {}, `{name}`, {field}: {mistake}", at + 1)]
    Row {
        /// `class` or `measured`.
        kind: &'static str,
        /// Which of its kind, from 0.
        at: usize,
        /// The class that it names.
        name: String,
        /// Where in it.
        field: &'static str,
        /// What is wrong there.
        mistake: Mistake,
    },
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// No such class.
    #[error("not in the catalogue")]
    Class,
    /// It stands in the table already.
    #[error("stands in the table twice")]
    Twice,
    /// Measured, but not in the table.
    #[error("measured, and no class of the table")]
    Unclaimed,
    /// No name of a pool.
    #[error("{}", super::pools::NoPool)]
    Pool,
    /// Out of range: no class needs nothing, and nobody is paid for nothing.
    #[error("{0} is not from 1 to {VALUE_MAX}")]
    Number(i64),
    /// What follows from a sheet is out of range.
    #[error("{0} follows, which is not from 1 to {VALUE_MAX}")]
    Follows(u64),
    /// No room below, or none above.
    #[error("{0} is not from 1 to 999")]
    Spread(i64),
    /// More than there is.
    #[error("not less than the published {0}")]
    Memory(u64),
    /// Neither measured nor of a data sheet, or both.
    #[error("one of a sheet and of measured rates is needed")]
    Sources,
    /// Not a day.
    #[error("not a day as 2026-12-01")]
    Date,
    /// Empty, long or not plain.
    #[error("not plain text of at most 256 characters, without quotation marks")]
    Words,
    /// What was measured does not give way to a claim.
    #[error("was measured: a data sheet does not take its place")]
    Claim,
}

/// The table, ordered by class, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows(BTreeMap<ChipClass, Row>);

impl Rows {
    /// Reads TOML as `data/calibration.toml` has it. Of several measured rows of a class the last
    /// one counts.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        file::parse(text)
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.0.values()
    }

    /// That of a class.
    pub fn get(&self, class: ChipClass) -> Option<&Row> {
        self.0.get(&class)
    }

    /// Puts a row in, in place of an older one of its class.
    pub fn merge(&mut self, row: Row) -> Result<(), TableError> {
        let wrong = |field, mistake| TableError::Row {
            kind: "class",
            at: 0,
            name: row.class.to_string(),
            field,
            mistake,
        };
        let measured = |row: &Row| matches!(row.source, Source::Measured(_));
        if self.get(row.class).is_some_and(measured) && !measured(&row) {
            return Err(wrong("sheet", Mistake::Claim));
        }
        // What cannot be read again is not put in: neither words that break the text, nor rates
        // that do not follow from their sheet.
        if Self::parse(&file::class_text(&row))?.get(row.class) != Some(&row) {
            return Err(wrong("sheet", Mistake::Sources));
        }
        self.put(row);
        Ok(())
    }

    pub(super) fn put(&mut self, row: Row) {
        self.0.insert(row.class, row);
    }

    /// As text, without remarks: reading it gives the same table.
    pub fn write(&self) -> String {
        self.rows().map(file::class_text).collect::<Vec<_>>().join("\n")
    }

    /// The same, with weights that say what each class earns at these prices.
    pub(super) fn priced(&self, prices: &Prices) -> Self {
        let mut rows = self.clone();
        for row in rows.0.values_mut() {
            row.weight *= prices.of(&row.pool);
        }
        rows
    }
}
