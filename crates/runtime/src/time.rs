//! The engine's instants as unix seconds.

/// Reads `2026-11-23T22:39:06.069066813Z` or the same with an offset such as `+01:00`. The
/// year 1, with which engines say "never", and anything else that is no instant give `None`.
pub(crate) fn unix_seconds(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let tail = text.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset = match tail {
        "Z" => 0,
        _ => {
            let sign = match tail.get(..1)? {
                "+" => 1,
                "-" => -1,
                _ => return None,
            };
            let hours: i64 = tail.get(1..3)?.parse().ok()?;
            let minutes: i64 = tail.get(4..6)?.parse().ok()?;
            sign * (hours * 3_600 + minutes * 60)
        }
    };
    // Days since 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant's algorithm).
    let (y, m) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let era = y / 400;
    let of_era = y % 400;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * m + 2) / 5 + day
        - 1
        - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second - offset)
}

#[cfg(test)]
mod tests {
    use super::unix_seconds;

    #[test]
    fn reads_what_engines_write() {
        assert_eq!(unix_seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(unix_seconds("2000-02-29T12:00:01.5Z"), Some(951_825_601));
        assert_eq!(unix_seconds("2026-11-23T22:39:06.069066813Z"), Some(1_795_473_546));
        assert_eq!(unix_seconds("2026-11-23T23:39:06+01:00"), Some(1_795_473_546));
        for bad in ["", "0001-01-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-23", "x"] {
            assert_eq!(unix_seconds(bad), None, "{bad}");
        }
    }
}
