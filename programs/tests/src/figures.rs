//! Figures as tables show them.

/// `1,234,567`.
pub fn thousands(figure: u64) -> String {
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
    use super::thousands;

    #[test]
    fn every_third_digit_from_the_right_has_a_comma_before_it() {
        let shown = [0, 7, 999, 1_000, 12_345, 123_456, 1_234_567].map(thousands);
        assert_eq!(shown, ["0", "7", "999", "1,000", "12,345", "123,456", "1,234,567"]);
    }
}
