//! Calibration data as text: one row a line, strictly read, written in one way.

use ionet_core::ChipClass;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// Most bytes of the file.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// Largest rate or weight, in the file's units: products of two stay far below 2^128.
pub const VALUE_MAX: u64 = 1_000_000_000;
/// Longest source.
const SOURCE_BYTES_MAX: usize = 256;

/// Where figures come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Public figures, times the factors that the file states: claimed.
    DataSheet(String),
    /// Date, machine, command and kernel.
    Measured(String),
}

/// One class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub class: ChipClass,
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
    /// What a device of the class is paid, against the others.
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
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableMistake {
    /// Too long a file.
    #[error("more than {TEXT_BYTES_MAX} bytes")]
    Long,
    /// Not nine fields.
    #[error("{0} fields, not 9")]
    Fields(usize),
    /// No such class.
    #[error("class `{0}` is not in the catalogue")]
    Class(String),
    /// Not a plain number in range: no class needs nothing, and nobody is paid for nothing.
    #[error("`{0}` is not a number from 1 to {VALUE_MAX}")]
    Number(String),
    /// No room below, or none above.
    #[error("spread {0} is not from 1 to 999")]
    Spread(u64),
    /// Neither measured nor of a data sheet, or too long.
    #[error("source `{0}` is neither `data-sheet ..` nor `measured ..`")]
    Source(String),
    /// The class stands in the table already.
    #[error("class `{0}` stands in the table twice")]
    Twice(ChipClass),
    /// What was measured does not give way to a claim.
    #[error("class `{0}` was measured: a data sheet does not take its place")]
    Claim(ChipClass),
}

/// A line that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {mistake}")]
pub struct TableError {
    /// Which, from 1.
    pub line: usize,
    /// How.
    pub mistake: TableMistake,
}

/// The table, ordered by class, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows(BTreeMap<ChipClass, Row>);

impl Rows {
    /// Reads text; empty lines, and those that begin with `#`, say nothing.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(TableError { line: 1, mistake: TableMistake::Long });
        }
        let mut rows = Self::default();
        for (number, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mistake = |mistake| TableError { line: number + 1, mistake };
            let row = row(line).map_err(mistake)?;
            if rows.0.contains_key(&row.class) {
                return Err(mistake(TableMistake::Twice(row.class)));
            }
            rows.0.insert(row.class, row);
        }
        Ok(rows)
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
    pub fn merge(&mut self, row: Row) -> Result<(), TableMistake> {
        let measured = |row: &Row| matches!(row.source, Source::Measured(_));
        if self.get(row.class).is_some_and(measured) && !measured(&row) {
            return Err(TableMistake::Claim(row.class));
        }
        // What cannot be read again is not put in.
        let text = row.to_string();
        if self::row(&text)? != row {
            return Err(TableMistake::Source(text));
        }
        self.0.insert(row.class, row);
        Ok(())
    }

    /// As text, without remarks: reading it gives the same table.
    pub fn write(&self) -> String {
        self.rows().fold(String::new(), |mut text, row| {
            let _ = writeln!(text, "{row}");
            text
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { class, integer, matrix, stream, memory, link, spread, weight, source } = self;
        let (kind, words) = match source {
            Source::DataSheet(words) => ("data-sheet", words),
            Source::Measured(words) => ("measured", words),
        };
        write!(f, "{class} | {integer} | {matrix} | {stream} | {memory} | {link} | {spread}")?;
        write!(f, " | {weight} | {kind} {words}")
    }
}

fn row(line: &str) -> Result<Row, TableMistake> {
    let fields: Vec<&str> = line.split(" | ").collect();
    let [class, integer, matrix, stream, memory, link, spread, weight, source] = fields[..] else {
        return Err(TableMistake::Fields(fields.len()));
    };
    let spread = number(spread)?;
    if spread > 999 {
        return Err(TableMistake::Spread(spread));
    }
    Ok(Row {
        class: class.parse().map_err(|_| TableMistake::Class(class.to_owned()))?,
        integer: number(integer)?,
        matrix: number(matrix)?,
        stream: number(stream)?,
        memory: number(memory)?,
        link: number(link)?,
        spread,
        weight: number(weight)?,
        source: read_source(source)?,
    })
}

/// Digits only, and no zero before them: one way to write each.
fn number(text: &str) -> Result<u64, TableMistake> {
    let read = text.parse().ok().filter(|n: &u64| n.to_string() == text);
    read.filter(|n| (1..=VALUE_MAX).contains(n)).ok_or(TableMistake::Number(text.to_owned()))
}

fn read_source(text: &str) -> Result<Source, TableMistake> {
    let wrong = || TableMistake::Source(text.chars().take(80).collect());
    if text.len() > SOURCE_BYTES_MAX || text.contains(char::is_control) {
        return Err(wrong());
    }
    match text.split_once(' ') {
        Some(("data-sheet", words)) => Ok(Source::DataSheet(words.to_owned())),
        Some(("measured", words)) => Ok(Source::Measured(words.to_owned())),
        _ => Err(wrong()),
    }
}
