//! YAML as kubectl and the API server read it.
//!
//! Both sides follow YAML 1.1 where that matters: `yes`, `on`, `0644` and `1_000` are a boolean, a boolean and two numbers for kubectl,
//! so a string of that shape is quoted when written, and the bare words mean the same when read.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_saphyr::Error;

use crate::model::failure::Failure;

/// The value in YAML. Long strings stay on one line; strings of several lines become blocks.
pub fn write(value: &impl Serialize) -> Result<String, Failure> {
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    serde_saphyr::to_string_with_options(value, options).map_err(|error| Failure::error(format!("cannot write YAML: {error}")))
}

/// Reads one document into a type of ours. `file` is what errors call it. An unknown field is an error that names the nearest known one.
pub fn read<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Failure> {
    serde_saphyr::from_str_with_options(text, reading()).map_err(|error| explain(file, &error))
}

/// Reads all documents of a file, or the one JSON value, as they are. Empty documents are left out.
pub fn read_all(file: &str, text: &str) -> Result<Vec<Value>, Failure> {
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, reading()).map_err(|error| explain(file, &error))?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

fn reading() -> serde_saphyr::Options {
    serde_saphyr::options! { legacy_octal_numbers: true, with_snippet: false }
}

fn explain(file: &str, error: &Error) -> Failure {
    let error = error.without_snippet();
    let place = error.location().map_or(file.to_owned(), |at| format!("{file}:{}", at.line()));
    match error {
        Error::SerdeUnknownField { field, expected, .. } => unknown(&place, "field", field, expected),
        Error::SerdeUnknownVariant { variant, expected, .. } => unknown(&place, "value", variant, expected),
        Error::SerdeMissingField { field, .. } => Failure::error(format!("{place}: field {field:?} is missing")),
        Error::DuplicateMappingKey { key: Some(key), .. } => Failure::error(format!("{place}: field {key:?} is there twice")),
        other => Failure::error(format!("{place}: {}", first_line(&other.to_string()))),
    }
}

fn unknown(place: &str, what: &str, name: &str, known: &[&str]) -> Failure {
    let failure = Failure::error(format!("{place}: unknown {what} {name:?}"));
    let near =
        known.iter().map(|known| (strsim::jaro_winkler(&known.to_lowercase(), &name.to_lowercase()), known)).max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((score, known)) if score > 0.8 => failure.hint(format!("did you mean {known:?}?")),
        _ if known.is_empty() => failure,
        _ => failure.hint(format!("known here: {}", known.join(", "))),
    }
}

fn first_line(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    line.split(" at line ").next().unwrap_or(line).trim_start_matches("error: ")
}
