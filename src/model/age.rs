//! How long ago, and how long, in kubectl's short form.
//!
//! Source of the rounding: kubernetes/apimachinery `pkg/util/duration/duration.go` (HumanDuration).

use std::time::Duration;

/// The age column of a table: `<unknown>` without a timestamp, else [`human`] of the time since.
pub fn since(timestamp: Option<&str>, now: jiff::Timestamp) -> String {
    let Some(then) = timestamp.and_then(|text| text.parse::<jiff::Timestamp>().ok()) else { return "<unknown>".to_owned() };
    human(Duration::try_from(now.duration_since(then)).unwrap_or_default())
}

/// A duration as kubectl prints ages: `41d`, `2y140d`, `3h20m`, `95s`.
pub fn human(duration: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    const YEAR: u64 = 365 * DAY;
    let seconds = duration.as_secs();
    let pair = |big: u64, big_name: &str, small: u64, small_name: &str| match (seconds % big) / small {
        0 => format!("{}{big_name}", seconds / big),
        rest => format!("{}{big_name}{rest}{small_name}", seconds / big),
    };
    match seconds {
        s if s < 2 * MINUTE => format!("{s}s"),
        s if s < 10 * MINUTE => pair(MINUTE, "m", 1, "s"),
        s if s < 3 * HOUR => format!("{}m", s / MINUTE),
        s if s < 8 * HOUR => pair(HOUR, "h", MINUTE, "m"),
        s if s < 2 * DAY => format!("{}h", s / HOUR),
        s if s < 8 * DAY => pair(DAY, "d", HOUR, "h"),
        s if s < 2 * YEAR => format!("{}d", s / DAY),
        s if s < 8 * YEAR => pair(YEAR, "y", DAY, "d"),
        s => format!("{}y", s / YEAR),
    }
}

/// How long something took, to a tenth of a second below a minute: `3.1s`, `14m`.
pub fn took(duration: Duration) -> String {
    if duration < Duration::from_secs(60) { format!("{:.1}s", duration.as_secs_f64()) } else { human(duration) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_look_like_kubectls() {
        for (seconds, expected) in [(95, "95s"), (200, "3m20s"), (600, "10m"), (12_000, "3h20m"), (41 * 86_400, "41d"), (2 * 365 * 86_400, "2y")] {
            assert_eq!(human(Duration::from_secs(seconds)), expected);
        }
    }
}
