//! Durations as kubectl takes them: `90s`, `5m`, `1h30m`, `1.5h`, `250ms`, and a bare `0`.

use std::time::Duration;

const UNITS: &[(&str, f64)] = &[("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];

/// Reads a duration. A number needs a unit, except zero (source: Go's `time.ParseDuration`, which kubectl's flags use).
///
/// # Errors
/// A clause that says what is expected.
pub fn parse(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let malformed = || "a duration such as 30s, 5m or 1h30m is needed".to_owned();
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() || text.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).ok_or_else(malformed)?;
        let number: f64 = rest[..digits].parse().map_err(|_| malformed())?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |end| digits + end);
        let (_, factor) = UNITS.iter().find(|(unit, _)| *unit == &rest[digits..unit_end]).ok_or_else(malformed)?;
        seconds += number * factor;
        rest = &rest[unit_end..];
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| malformed())
}

/// Reads a duration where a bare number means seconds, as `--request-timeout` does
/// (source: client-go `tools/clientcmd/helpers.go`, ParseTimeout).
///
/// # Errors
/// Its words, as a sentence of their own.
pub fn parse_or_seconds(text: &str) -> Result<Duration, String> {
    let wrong = "Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a corresponding time unit \
                 (e.g. 1s | 2m | 3h)";
    text.parse().map(Duration::from_secs).or_else(|_| parse(text).map_err(|_| wrong.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_kubectl_reads_them() {
        for (text, millis) in [("5s", 5_000), ("2m", 120_000), ("3h", 10_800_000), ("1h30m", 5_400_000), ("1.5m", 90_000), ("250ms", 250), ("0", 0)] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for malformed in ["", "5", "s", "5x", "5s3", "-5s", "1..5s", "soon", "5 s"] {
            assert!(parse(malformed).is_err(), "{malformed}");
        }
    }

    #[test]
    fn a_request_timeout_may_be_a_bare_number_of_seconds() {
        assert_eq!(parse_or_seconds("10"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_or_seconds("1m"), Ok(Duration::from_secs(60)));
    }
}
