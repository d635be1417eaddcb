//! Kubernetes quantities (`20Gi`, `1500m`, `1e3`) as exact numbers, and sizes as people read them.
//!
//! Source of the grammar: kubernetes/apimachinery `pkg/api/resource/quantity.go`.

/// Parses a quantity into thousandths, rounding up as the API server does below that; `None` when malformed.
pub fn milli(text: &str) -> Option<i128> {
    let text = text.trim();
    let digits = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let (negative, number) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.len() > 18 {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let (factor, divisor) = scale(suffix)?;
    let numerator = digits.checked_mul(factor)?.checked_mul(1000)?;
    let denominator = divisor.checked_mul(10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?)?;
    let value = numerator / denominator + i128::from(numerator % denominator != 0);
    Some(if negative { -value } else { value })
}

/// Parses a quantity into whole units (bytes for storage), rounding up; `None` when malformed or negative.
pub fn units(text: &str) -> Option<u64> {
    let milli = milli(text)?;
    u64::try_from(milli / 1000 + i128::from(milli % 1000 > 0)).ok()
}

fn scale(suffix: &str) -> Option<(i128, i128)> {
    let binary = |power: u32| Some((1_i128 << (10 * power), 1));
    let decimal = |power: u32| Some((10_i128.pow(power), 1));
    match suffix {
        "" => Some((1, 1)),
        "n" => Some((1, 1_000_000_000)),
        "u" => Some((1, 1_000_000)),
        "m" => Some((1, 1000)),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = 10_i128.checked_pow(exponent.unsigned_abs().min(30))?;
            Some(if exponent < 0 { (1, power) } else { (power, 1) })
        }
    }
}

/// A size as people read it, in the largest binary unit that leaves at least one: `120Gi`, `1.5Ti`, `512`.
pub fn human(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths = (tenths + 512) / 1024;
        unit += 1;
    }
    let (whole, rest) = (tenths / 10, tenths % 10);
    if rest == 0 || whole >= 100 { format!("{whole}{}", UNITS[unit]) } else { format!("{whole}.{rest}{}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        for (text, expected) in
            [("64Mi", 67_108_864), ("1G", 1_000_000_000), ("1.5Gi", 1_610_612_736), ("71135396", 71_135_396), ("2e3", 2000), ("100m", 1), ("0", 0)]
        {
            assert_eq!(units(text), Some(expected), "{text}");
        }
        for malformed in ["", "Gi", "1Gb", "-1", "1..2", "x"] {
            assert_eq!(units(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!(human(20 << 30), "20Gi");
        assert_eq!(human((1 << 40) + (1 << 39)), "1.5Ti");
        assert_eq!(human(512), "512");
    }
}
