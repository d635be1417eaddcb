//! Amounts as Kubernetes reads, writes and adds them (kubernetes/apimachinery 0.36 `pkg/api/resource/quantity.go`).

use std::cmp::Ordering;
use std::fmt;

use serde_json::{Map, Value};

/// So many of our units make one.
const ONE: i128 = 1_000_000_000;

const BINARY: [(&str, i128); 6] = [("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("Ti", 1 << 40), ("Pi", 1 << 50), ("Ei", 1 << 60)];
/// In billionths, smallest first.
const DECIMAL: [(&str, i128); 10] = [
    ("n", 1),
    ("u", 1_000),
    ("m", 1_000_000),
    ("", ONE),
    ("k", 1_000 * ONE),
    ("M", 1_000_000 * ONE),
    ("G", 1_000_000_000 * ONE),
    ("T", 1_000_000_000_000 * ONE),
    ("P", 1_000_000_000_000_000 * ONE),
    ("E", 1_000_000_000_000_000_000 * ONE),
];

/// An amount, and how it wants to be written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quantity {
    billionths: i128,
    binary: bool,
}

impl Quantity {
    /// Reads one; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|letter: char| !matches!(letter, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
        let (number, suffix) = text.split_at(digits);
        let (unit, binary) = match BINARY.iter().find(|(name, _)| *name == suffix) {
            Some((_, unit)) => (unit.checked_mul(ONE)?, true),
            None => match DECIMAL.iter().find(|(name, _)| *name == suffix) {
                Some((_, unit)) => (*unit, false),
                None => (ONE.checked_mul(10_i128.checked_pow(suffix.strip_prefix(['e', 'E'])?.parse().ok()?)?)?, false),
            },
        };
        let (negative, number) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number.strip_prefix('+').unwrap_or(number)),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.len() > 9 || whole.len() > 18 {
            return None;
        }
        let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u64>().ok().map(i128::from) };
        let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
        let scaled = digits(whole)?.checked_mul(scale)?.checked_add(digits(fraction)?)?.checked_mul(unit)?;
        let billionths = (scaled + scale - 1) / scale;
        Some(Self { billionths: if negative { -billionths } else { billionths }, binary })
    }

    /// One out of an object, where numbers are as good as texts.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::parse(text),
            Value::Number(number) => Self::parse(&number.to_string()),
            _ => None,
        }
    }

    /// One out of an object; nothing where there is none.
    pub fn at(object: &Value, pointer: &str) -> Self {
        object.pointer(pointer).and_then(Self::of).unwrap_or_default()
    }

    /// So many bytes, to be written with Ki, Mi and so on.
    pub fn bytes(bytes: i64) -> Self {
        Self { billionths: i128::from(bytes) * ONE, binary: true }
    }

    /// So many things.
    pub fn count(number: i64) -> Self {
        Self { billionths: i128::from(number) * ONE, binary: false }
    }

    /// As a whole number, rounded up.
    pub fn value(self) -> i64 {
        let up = if self.billionths > 0 { (self.billionths + ONE - 1) / ONE } else { self.billionths / ONE };
        i64::try_from(up).unwrap_or(i64::MAX)
    }

    pub fn is_zero(self) -> bool {
        self.billionths == 0
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let binary = if self.is_zero() { other.binary } else { self.binary };
        Self { billionths: self.billionths.saturating_add(other.billionths), binary }
    }

    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        let binary = if self.is_zero() { other.binary } else { self.binary };
        Self { billionths: self.billionths.saturating_sub(other.billionths), binary }
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.billionths == other.billionths
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.billionths.cmp(&other.billionths)
    }
}

impl fmt::Display for Quantity {
    /// The one way in which an amount of that form is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return f.write_str("0");
        }
        if self.binary && self.billionths.abs() >= 1024 * ONE {
            let value = i128::from(self.value());
            let (suffix, unit) = BINARY.iter().rev().find(|(_, unit)| value % unit == 0).copied().unwrap_or(("", 1));
            return write!(f, "{}{suffix}", value / unit);
        }
        let (suffix, unit) = DECIMAL.iter().rev().find(|(_, unit)| self.billionths % unit == 0).copied().unwrap_or(("n", 1));
        write!(f, "{}{suffix}", self.billionths / unit)
    }
}

impl From<Quantity> for Value {
    fn from(quantity: Quantity) -> Self {
        quantity.to_string().into()
    }
}

/// The amounts below a pointer, such as requests, by name.
pub fn amounts<'v>(object: &'v Value, pointer: &str) -> impl Iterator<Item = (&'v str, Quantity)> {
    let list = object.pointer(pointer).and_then(Value::as_object);
    list.into_iter().flatten().filter_map(|(name, value)| Some((name.as_str(), Quantity::of(value)?)))
}

/// Writes the amounts in a map as the API server writes them. `Err` has one that is none.
///
/// # Errors
/// The text that is no amount.
pub fn tidy(list: Option<&mut Value>) -> Result<(), String> {
    let Some(list) = list.and_then(Value::as_object_mut) else { return Ok(()) };
    tidy_all(list)
}

fn tidy_all(list: &mut Map<String, Value>) -> Result<(), String> {
    for value in list.values_mut() {
        let Some(quantity) = Quantity::of(value) else { return Err(value.to_string()) };
        *value = quantity.into();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn amounts_are_written_in_their_shortest_form() {
        for (given, written) in [
            ("1024Mi", "1Gi"),
            ("1000Mi", "1000Mi"),
            ("1536Mi", "1536Mi"),
            ("0.5", "500m"),
            ("1.5Gi", "1536Mi"),
            ("1000000000", "1G"),
            ("1073741824", "1073741824"),
            ("100m", "100m"),
            ("512", "512"),
            ("1e3", "1k"),
            ("0.5Ki", "512"),
            ("0", "0"),
            ("-2Gi", "-2Gi"),
        ] {
            assert_eq!(Quantity::parse(given).unwrap().to_string(), written, "{given}");
        }
        for wrong in ["", "Gi", "1Zi", "ten", "1 Gi", "1e"] {
            assert!(Quantity::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn they_are_compared_and_added_whatever_they_are_written_in() {
        let parse = |text| Quantity::parse(text).unwrap();
        assert_eq!(parse("1Gi"), parse("1073741824"));
        assert!(parse("1G") < parse("1Gi"));
        assert_eq!(parse("1Gi").plus(parse("512Mi")).to_string(), "1536Mi");
        assert_eq!(Quantity::default().plus(parse("10Gi")).minus(parse("1Gi")).to_string(), "9Gi");
        assert_eq!(parse("100m").value(), 1);
        assert_eq!(Quantity::bytes(71_135_396).to_string(), "71135396");
    }
}
