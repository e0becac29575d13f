//! What people and programs see. Answers go to stdout, everything else to stderr.

use crate::failure::{Failure, OrFail as _, Result};
use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};
use serde::Serialize;
use std::io::{IsTerminal as _, Write as _};

/// How a command speaks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// Answers as JSON.
    pub(crate) json: bool,
    /// Colours on stdout.
    pub(crate) colour: bool,
    /// Someone sits at the terminal and can be asked.
    pub(crate) interactive: bool,
}

impl Output {
    /// From `--json` and what the terminal and `NO_COLOR` say.
    pub(crate) fn new(json: bool) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
            || std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        Self {
            json,
            colour: !json && !plain && std::io::stdout().is_terminal(),
            interactive: !json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal(),
        }
    }

    /// The answer: JSON for programs, `text` for people.
    pub(crate) fn answer<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce() -> String,
    ) -> Result<()> {
        let mut shown = if self.json {
            serde_json::to_string_pretty(value).or_internal("printing")?
        } else {
            text()
        };
        if !shown.ends_with('\n') {
            shown.push('\n');
        }
        self.raw(shown.as_bytes())
    }

    /// One line of a stream of answers: a JSON object a line, or text.
    pub(crate) fn line<T: Serialize>(self, value: &T, text: impl FnOnce() -> String) -> Result<()> {
        let shown =
            if self.json { serde_json::to_string(value).or_internal("printing")? } else { text() };
        self.raw(format!("{shown}\n").as_bytes())
    }

    /// Bytes as they are. A reader that went away (`| head`) ends the command quietly.
    pub(crate) fn raw(self, bytes: &[u8]) -> Result<()> {
        let mut out = std::io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
            other => other.or_internal("stdout"),
        }
    }

    /// A remark for people, on stderr; nothing with `--json`.
    pub(crate) fn say(self, text: impl AsRef<str>) {
        if !self.json {
            // Nobody reads stderr any more: nothing to tell then.
            let _ = writeln!(std::io::stderr(), "{}", text.as_ref());
        }
    }

    /// Asks until yes or no. Without anyone to ask, `yes` must have been given.
    pub(crate) fn confirm(self, question: &str, yes: bool) -> Result<()> {
        if yes {
            return Ok(());
        }
        if !self.interactive {
            return Err(Failure::usage(format!("{question}: nobody can be asked here"))
                .hint("say --yes to agree beforehand"));
        }
        loop {
            eprint!("{question} [y/N] ");
            let mut answer = String::new();
            std::io::stdin().read_line(&mut answer).or_internal("stdin")?;
            match answer.trim().to_lowercase().as_str() {
                "y" | "yes" => return Ok(()),
                "" | "n" | "no" => {
                    return Err(Failure::new(crate::failure::Kind::Cancelled, "nothing was done"));
                }
                _ => (),
            }
        }
    }

    /// A failure: JSON on stdout with `--json`, else words on stderr.
    pub(crate) fn failure(self, failure: &Failure, request_id: &str) {
        if self.json {
            let text = failure.to_json(request_id).to_string();
            let _ = writeln!(std::io::stdout(), "{text}");
            return;
        }
        let red = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            && std::io::stderr().is_terminal();
        let (on, off) = if red { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        let mut text = format!("{on}error{off}: {}", failure.message);
        if let Some(hint) = &failure.hint {
            text.push_str(&format!("\n  next: {hint}"));
        }
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    /// `text` in `colour`, where colours are on.
    pub(crate) fn paint(self, colour: Paint, text: &str) -> String {
        if self.colour { format!("\x1b[{}m{text}\x1b[0m", colour as u8) } else { text.to_owned() }
    }

    /// An empty table with these headings.
    pub(crate) fn table<const N: usize>(self, headings: [&str; N]) -> Table {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        if !self.colour {
            table.force_no_tty();
        }
        let dim = |h: &str| {
            let cell = Cell::new(h);
            if self.colour { cell.fg(Color::DarkGrey) } else { cell }
        };
        table.set_header(headings.map(dim));
        table
    }
}

/// The colours that are used, as ANSI numbers.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(crate) enum Paint {
    /// Failed, lost.
    Red = 31,
    /// Fine.
    Green = 32,
    /// Look at it.
    Yellow = 33,
    /// Less important.
    Grey = 90,
}

/// A right-aligned cell, for numbers.
pub(crate) fn number(text: impl ToString) -> Cell {
    Cell::new(text.to_string()).set_alignment(CellAlignment::Right)
}

/// Seconds for people: `1h 02m`, `4m 10s`, `9s`.
pub(crate) fn duration(seconds: u64) -> String {
    let (d, h, m, s) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    match (d, h, m) {
        (0, 0, 0) => format!("{s}s"),
        (0, 0, _) => format!("{m}m {s:02}s"),
        (0, _, _) => format!("{h}h {m:02}m"),
        _ => format!("{d}d {h:02}h"),
    }
}

/// Bytes for people, in powers of 1024 with one decimal.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut scale = 1u64;
    while unit + 1 < UNITS.len() && n / scale >= 1024 {
        scale *= 1024;
        unit += 1;
    }
    if unit == 0 {
        return format!("{n} B");
    }
    let tenths = n / (scale / 10).max(1);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// A duration as people write it: `90s`, `15m`, `1h`, `2d`, or bare seconds.
pub(crate) fn parse_duration(text: &str) -> std::result::Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let scale = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err("write a duration as 90s, 15m, 1h or 2d".to_owned()),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(scale))
        .ok_or_else(|| "write a duration as 90s, 15m, 1h or 2d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_both_ways() {
        assert_eq!(parse_duration("1h"), Ok(3_600));
        assert_eq!(parse_duration("90"), Ok(90));
        assert_eq!(parse_duration("2d"), Ok(172_800));
        for bad in ["", "h", "1w", "-1s", "1.5h", "99999999999999999999d"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        assert_eq!(duration(3_720), "1h 02m");
        assert_eq!(duration(9), "9s");
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(3 << 30), "3.0 GiB");
    }
}
