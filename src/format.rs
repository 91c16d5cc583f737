//! Numbers as short text, and round tick steps.

use std::time::Duration;

/// Bytes as hexadecimal digits, two per byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A number for a readout: two or three decimals below 100, none above, and scientific notation
/// below 1e-3 and from 1e4 up.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if !(1e-3..1e4).contains(&size) => format!("{value:.2e}"),
        size if size < 1.0 => format!("{value:.3}"),
        size if size < 100.0 => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}

/// A tick label: at most `significant` significant digits, no trailing zeros, and scientific
/// notation below 1e-3 and from 1e5 up.
pub(crate) fn tick(value: f64, significant: i32) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-3..1e5).contains(&size) {
        return format!("{value:.2e}");
    }
    let decimals = (significant - 1 - size.log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// The smallest of 1, 2 and 5 times a power of ten that is at least `step`; `step` itself if it is
/// 0 or not finite.
pub(crate) fn round_step(step: f64) -> f64 {
    let decade = 10f64.powf(step.log10().floor());
    let round = [1.0, 2.0, 5.0].map(|factor| factor * decade);
    let fits = round.into_iter().find(|&candidate| candidate >= step);
    fits.unwrap_or(10.0 * decade)
}

/// A duration as minutes and seconds, `m:ss`.
pub(crate) fn minutes(seconds: u64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// A duration in its two largest units, for people.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// The first eight names, and the number of further ones.
pub(crate) fn some_of(names: &[&str]) -> String {
    const SHOWN: usize = 8;
    let shown = names.get(..SHOWN).unwrap_or(names).join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A number with its noun, which takes an s for any other number than 1.
pub(crate) fn counted(number: impl TryInto<u64>, noun: &str) -> String {
    // A number beyond 64 bits is many.
    let number = number.try_into().unwrap_or(u64::MAX);
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// A number with its thousands separated.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        let times = [59, 60, 3599, 3600, 90_061].map(|s| duration(Duration::from_secs(s)));
        assert_eq!(times, ["59 s", "1 min", "59 min", "1 h 0 min", "1 d 1 h"]);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(short(0.0), "0");
        assert_eq!(short(0.12345), "0.123");
        assert_eq!(short(12.345), "12.35");
        assert_eq!(short(1234.5), "1234");
        assert_eq!(short(1.0e-7), "1.00e-7");
    }

    #[test]
    fn one_is_no_plural() {
        let texts = [0, 1, 2].map(|number: u64| counted(number, "step"));
        assert_eq!(texts, ["0 steps", "1 step", "2 steps"]);
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(thousands),
            ["0", "999", "1 000", "1 234 567"]
        );
    }

    #[test]
    fn ticks_have_no_trailing_zeros() {
        let values = [0.0, 0.5, 12.3456, -1234.6, 0.00012345, 2e6].map(|value| tick(value, 4));
        assert_eq!(values, ["0", "0.5", "12.35", "-1235", "1.23e-4", "2.00e6"]);
        let values = [10.0, 0.25, 1.96, 0.001].map(|value| tick(value, 2));
        assert_eq!(values, ["10", "0.25", "2", "0.001"]);
    }

    #[test]
    fn steps_are_round() {
        assert_eq!(round_step(1.0), 1.0);
        assert!((round_step(7.0 / 12.0) - 1.0).abs() < 1e-12);
        assert!((round_step(0.9 / 5.0) - 0.2).abs() < 1e-12);
        assert!((round_step(0.0021) - 0.005).abs() < 1e-12);
        assert!(!round_step(0.0).is_normal() && !round_step(f64::NAN).is_normal());
    }
}
