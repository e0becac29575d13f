//! Medians and ranges.

/// The median of at least one figure.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { (sorted[half - 1] + sorted[half]) / 2.0 }
}

/// `median (min to max)` in seconds.
pub(crate) fn seconds(figures: &[f64]) -> String {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let most = figures.iter().copied().fold(0.0, f64::max);
    format!("{:.2} s ({least:.2} to {most:.2})", median(figures))
}

/// `median (min to max)` of figures that are counts.
pub(crate) fn rate(figures: &[f64]) -> String {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let most = figures.iter().copied().fold(0.0, f64::max);
    let whole = |figure: f64| thousands(figure.round() as u64);
    format!("{} ({} to {})", whole(median(figures)), whole(least), whole(most))
}

/// `1,234,567`.
pub(crate) fn thousands(figure: u64) -> String {
    let digits = figure.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(seconds(&[2.0, 1.0, 4.0]), "2.00 s (1.00 to 4.00)");
    }
    #[test]
    fn counts_are_grouped_by_thousands() {
        let grouped = [0, 999, 1_000, 12_345, 1_234_567].map(thousands);
        assert_eq!(grouped, ["0", "999", "1,000", "12,345", "1,234,567"]);
        assert_eq!(rate(&[999.6, 10.0, 2_000_000.0]), "1,000 (10 to 2,000,000)");
    }
}
