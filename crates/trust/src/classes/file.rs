//! Calibration data as TOML: strictly read, written in one way.

use super::pools::Pool;
use super::sheet::Sheet;
use super::table::{Mistake, Row, Rows, Source, TableError, VALUE_MAX};
use crate::signals::is_date;
use ionet_core::ChipClass;
use serde::Deserialize;
use std::fmt::Write;

/// Most bytes of the file.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// Most rows of it, of both kinds.
const ROWS_MAX: usize = 1_024;
/// Longest source.
const SOURCE_BYTES_MAX: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    class: Vec<ClassRow>,
    #[serde(default)]
    measured: Vec<MeasuredRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassRow {
    class: String,
    pool: String,
    weight: i64,
    spread_permille: i64,
    memory_gib: i64,
    sheet: Option<SheetRow>,
    measured: Option<RatesRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SheetRow {
    memory_gb: i64,
    units: i64,
    clock_mhz: i64,
    products: i64,
    steps: i64,
    matrix: i64,
    bandwidth: i64,
    bus: i64,
    links: i64,
    read_on: String,
    source: String,
}

/// A class whose rates are not a sheet's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RatesRow {
    integer: i64,
    matrix: i64,
    stream: i64,
    link: i64,
    source: String,
}

/// What a bench appends: the class above keeps its pool, weight and link.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MeasuredRow {
    class: String,
    integer: i64,
    matrix: i64,
    stream: i64,
    memory_gib: i64,
    spread_permille: i64,
    source: String,
}

pub(super) fn parse(text: &str) -> Result<Rows, TableError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(TableError::Long(TEXT_BYTES_MAX));
    }
    let file: File = toml::from_str(text).map_err(|e| TableError::Form(e.to_string()))?;
    if file.class.len() + file.measured.len() > ROWS_MAX {
        return Err(TableError::Rows(ROWS_MAX));
    }
    let mut rows = Rows::default();
    for (at, row) in file.class.into_iter().enumerate() {
        let name = plain_name(&row.class);
        let fail = |(field, mistake)| TableError::Row { kind: "class", at, name, field, mistake };
        let row = class_row(row).and_then(|row| match rows.get(row.class) {
            Some(_) => Err(("class", Mistake::Twice)),
            None => Ok(row),
        });
        rows.put(row.map_err(fail)?);
    }
    for (at, row) in file.measured.into_iter().enumerate() {
        let name = plain_name(&row.class);
        let fail =
            |(field, mistake)| TableError::Row { kind: "measured", at, name, field, mistake };
        let row = measured_row(row, &rows).map_err(fail)?;
        rows.put(row);
    }
    Ok(rows)
}

/// A field, and what is wrong in it.
type Wrong = (&'static str, Mistake);

fn class_row(row: ClassRow) -> Result<Row, Wrong> {
    let spread = spread(row.spread_permille)?;
    let class = class(&row.class)?;
    let pool: Pool = row.pool.parse().map_err(|_| ("pool", Mistake::Pool))?;
    let weight = number("weight", row.weight)?;
    let memory = number("memory_gib", row.memory_gib)?;
    let base = |integer, matrix, stream, link, source| Row {
        class,
        pool,
        integer,
        matrix,
        stream,
        memory,
        link,
        spread,
        weight,
        source,
    };
    match (row.sheet, row.measured) {
        (Some(read), None) => {
            let sheet = sheet(read)?;
            // Asked for is less than what is published: a driver keeps some for itself.
            if memory >= sheet.memory {
                return Err(("memory_gib", Mistake::Memory(sheet.memory)));
            }
            let follows = |field, rate: u64| match rate {
                1..=VALUE_MAX => Ok(rate),
                _ => Err((field, Mistake::Follows(rate))),
            };
            let integer = follows("products", sheet.integer())?;
            let matrix = follows("matrix", sheet.half_bytes())?;
            let stream = follows("bandwidth", sheet.stream())?;
            let link = follows("bus", sheet.link())?;
            Ok(base(integer, matrix, stream, link, Source::DataSheet(sheet)))
        }
        (None, Some(rates)) => {
            let words = words("source", rates.source)?;
            let integer = number("integer", rates.integer)?;
            let matrix = number("matrix", rates.matrix)?;
            let stream = number("stream", rates.stream)?;
            let link = number("link", rates.link)?;
            Ok(base(integer, matrix, stream, link, Source::Measured(words)))
        }
        _ => Err(("sheet", Mistake::Sources)),
    }
}

fn sheet(row: SheetRow) -> Result<Sheet, Wrong> {
    if !is_date(&row.read_on) {
        return Err(("read_on", Mistake::Date));
    }
    let links = match row.links {
        0 => 0,
        some => number("links", some)?,
    };
    Ok(Sheet {
        memory: number("memory_gb", row.memory_gb)?,
        units: number("units", row.units)?,
        clock: number("clock_mhz", row.clock_mhz)?,
        products: number("products", row.products)?,
        steps: number("steps", row.steps)?,
        matrix: number("matrix", row.matrix)?,
        bandwidth: number("bandwidth", row.bandwidth)?,
        bus: number("bus", row.bus)?,
        links,
        read_on: row.read_on,
        source: words("source", row.source)?,
    })
}

fn measured_row(row: MeasuredRow, rows: &Rows) -> Result<Row, Wrong> {
    let class = class(&row.class)?;
    let claim = rows.get(class).ok_or(("class", Mistake::Unclaimed))?;
    Ok(Row {
        integer: number("integer", row.integer)?,
        matrix: number("matrix", row.matrix)?,
        stream: number("stream", row.stream)?,
        memory: number("memory_gib", row.memory_gib)?,
        spread: spread(row.spread_permille)?,
        source: Source::Measured(words("source", row.source)?),
        ..claim.clone()
    })
}

fn class(name: &str) -> Result<ChipClass, Wrong> {
    name.parse().map_err(|_| ("class", Mistake::Class))
}

fn spread(permille: i64) -> Result<u64, Wrong> {
    match permille {
        1..=999 => Ok(permille as u64),
        _ => Err(("spread_permille", Mistake::Spread(permille))),
    }
}

fn number(field: &'static str, number: i64) -> Result<u64, Wrong> {
    let read = u64::try_from(number).ok().filter(|n| (1..=VALUE_MAX).contains(n));
    read.ok_or((field, Mistake::Number(number)))
}

/// Text that stands between quotation marks as it is.
fn words(field: &'static str, text: String) -> Result<String, Wrong> {
    let plain = |b: u8| (b.is_ascii_graphic() || b == b' ') && b != b'"' && b != b'\\';
    let fits = (1..=SOURCE_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain);
    if fits { Ok(text) } else { Err((field, Mistake::Words)) }
}

/// A name from a file, as a message may show it.
fn plain_name(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_graphic()).take(32).collect()
}

/// A class as text that reads as the same.
pub(super) fn class_text(row: &Row) -> String {
    let Row { class, pool, integer, matrix, stream, memory, link, spread, weight, source } = row;
    let mut text = format!(
        "[[class]]\nclass = \"{class}\"\npool = \"{pool}\"\nweight = {weight}\n\
         spread_permille = {spread}\nmemory_gib = {memory}\n\n"
    );
    let _ = match source {
        Source::DataSheet(sheet) => {
            let Sheet { memory, units, clock, products, steps, matrix, bandwidth, .. } = sheet;
            let Sheet { bus, links, read_on, source, .. } = sheet;
            write!(
                text,
                "[class.sheet]\nmemory_gb = {memory}\nunits = {units}\nclock_mhz = {clock}\n\
                 products = {products}\nsteps = {steps}\nmatrix = {matrix}\n\
                 bandwidth = {bandwidth}\nbus = {bus}\nlinks = {links}\n\
                 read_on = \"{read_on}\"\nsource = \"{source}\"\n"
            )
        }
        Source::Measured(words) => write!(
            text,
            "[class.measured]\ninteger = {integer}\nmatrix = {matrix}\nstream = {stream}\n\
             link = {link}\nsource = \"{words}\"\n"
        ),
    };
    text
}

/// What a bench appends to a file in which the class stands.
pub(super) fn measured_text(row: &Row) -> String {
    let Row { class, integer, matrix, stream, memory, spread, source, .. } = row;
    let words = match source {
        Source::DataSheet(sheet) => &sheet.source,
        Source::Measured(words) => words,
    };
    format!(
        "[[measured]]\nclass = \"{class}\"\ninteger = {integer}\nmatrix = {matrix}\n\
         stream = {stream}\nmemory_gib = {memory}\nspread_permille = {spread}\n\
         source = \"{words}\"\n"
    )
}
