//! Values as Go prints them, which is what kubectl's templates show.

use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

/// JSON as `encoding/json` writes it: what means something in HTML is escaped, floats have an exponent only where they are very large or small.
pub fn json(value: &Value) -> String {
    let mut text = Vec::new();
    // What is JSON already can always be written.
    drop(value.serialize(&mut Serializer::with_formatter(&mut text, Go)));
    String::from_utf8_lossy(&text).into_owned()
}

/// A scalar as `%v` shows it; lists and objects as JSON.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => number.as_f64().map(float).unwrap_or_default(),
        Value::Array(_) | Value::Object(_) => json(value),
        other => other.to_string(),
    }
}

/// A float as `%v` shows it (Go `fmt`, format `%g` with an exponent from 21 on).
pub fn float(number: f64) -> String {
    let (digits, exponent) = parts(number);
    if (-4..21).contains(&exponent) { number.to_string() } else { format!("{digits}e{exponent:+03}") }
}

/// The shortest digits of a number and its decimal exponent.
fn parts(number: f64) -> (String, i32) {
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (digits.to_owned(), exponent.parse().unwrap_or_default())
}

/// What a value's type is called in an unstructured object.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

struct Go;

impl Formatter for Go {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, number: f64) -> io::Result<()> {
        let (digits, exponent) = parts(number);
        if number == 0.0 || (-6..21).contains(&exponent) { write!(writer, "{number}") } else { write!(writer, "{digits}e{exponent:+}") }
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for piece in fragment.split_inclusive(is_escaped) {
            let (plain, last) = match piece.chars().next_back().filter(|last| is_escaped(*last)) {
                Some(last) => (&piece[..piece.len() - last.len_utf8()], Some(last)),
                None => (piece, None),
            };
            writer.write_all(plain.as_bytes())?;
            if let Some(last) = last {
                write!(writer, "\\u{:04x}", u32::from(last))?;
            }
        }
        Ok(())
    }
}

fn is_escaped(letter: char) -> bool {
    matches!(letter, '<' | '>' | '&' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_have_exponents_where_go_has_them() {
        for (number, in_json, alone) in [
            (0.0, "0", "0"),
            (1.5, "1.5", "1.5"),
            (3.0, "3", "3"),
            (0.000_001, "0.000001", "1e-06"),
            (0.000_000_1, "1e-7", "1e-07"),
            (1e20, "100000000000000000000", "100000000000000000000"),
            (1e21, "1e+21", "1e+21"),
            (-2.5e-9, "-2.5e-9", "-2.5e-09"),
        ] {
            assert_eq!((json(&json!(number)), plain(&json!(number))), (in_json.to_owned(), alone.to_owned()));
        }
    }

    #[test]
    fn what_means_something_in_html_is_escaped_in_json_and_not_alone() {
        assert_eq!(json(&json!({"a": "<b>&\u{2028}é\n"})), "{\"a\":\"\\u003cb\\u003e\\u0026\\u2028é\\n\"}");
        assert_eq!(plain(&json!("<b>")), "<b>");
        assert_eq!(plain(&json!([true, null])), "[true,null]");
    }
}
