//! YAML as kubectl and the API server read it.
//!
//! Both sides follow YAML 1.1 where that matters: `yes`, `on`, `0644` and `1_000` are a boolean, a boolean and two numbers for kubectl,
//! so a string of that shape is quoted when written, and the bare words mean the same when read.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_saphyr::{Error, Spanned};

use super::long;
use super::place::{Part, line_of};
use crate::model::failure::Failure;

/// The value in YAML. Long strings stay on one line; strings of several lines become blocks.
pub fn write(value: &impl Serialize) -> Result<String, Failure> {
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    serde_saphyr::to_string_with_options(value, options).map_err(|error| Failure::error(format!("cannot write YAML: {error}")))
}

/// Values as documents of one stream, whose first may be the first of all.
pub fn stream<T: Serialize>(values: &[T], begins: bool) -> Result<String, Failure> {
    let mut text = String::new();
    for (at, value) in values.iter().enumerate() {
        if at > 0 || !begins {
            text.push_str("---\n");
        }
        text.push_str(&write(value)?);
    }
    Ok(text)
}

/// Makes a type of ours of what a file's one document says. `file` is what errors call it. An unknown field is an error that names the
/// nearest known one. The text is looked at again only to say on which line something is wrong.
pub fn understand<T: DeserializeOwned>(file: &str, text: &str, value: Value) -> Result<T, Failure> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let line = serde_saphyr::from_str_with_options::<Spanned<Part>>(text, reading()).ok().map(|root| line_of(&root, error.path()));
        let place = line.map_or(file.to_owned(), |line| format!("{file}:{line}"));
        misunderstood(&place, &error.into_inner().to_string())
    })
}

/// Reads all documents of a file, or the one JSON value, as they are. Empty documents are left out.
pub fn read_all(file: &str, text: &str) -> Result<Vec<Value>, Failure> {
    if let Some(one) = long::read(text, |part| serde_saphyr::from_str_with_options(part, reading()).ok()) {
        return Ok(vec![one]);
    }
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, reading()).map_err(|error| explain(file, &error))?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// The reader's own limits on size would refuse a List of some hundred machines; the one on what aliases may unfold to is drawn tighter.
pub(super) fn reading() -> serde_saphyr::Options {
    serde_saphyr::options! {
        legacy_octal_numbers: true,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_events: 50_000_000, max_nodes: 20_000_000, max_documents: 100_000 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 50_000 },
    }
}

fn explain(file: &str, error: &Error) -> Failure {
    let error = error.without_snippet();
    let place = error.location().map_or(file.to_owned(), |at| format!("{file}:{}", at.line()));
    match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => Failure::error(format!("{place}: field {key:?} is there twice")),
        other => Failure::error(format!("{place}: {}", first_line(&other.to_string()))),
    }
}

/// What serde's words mean for a reader. They quote names with backticks: what was found first, then what is known.
fn misunderstood(place: &str, words: &str) -> Failure {
    let quoted: Vec<&str> = words.split('`').skip(1).step_by(2).collect();
    match quoted.as_slice() {
        [field, known @ ..] if words.starts_with("unknown field") => unknown(place, "field", field, known),
        [value, known @ ..] if words.starts_with("unknown variant") => unknown(place, "value", value, known),
        [field, ..] if words.starts_with("missing field") => Failure::error(format!("{place}: field {field:?} is missing")),
        _ => Failure::error(format!("{place}: {words}")),
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

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
