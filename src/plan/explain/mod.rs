//! Long texts: what a finding means and what to do, how a strategy works, what a field of a document says.
//!
//! Names of codes, strategies and kinds never clash: codes are a letter and three digits, the others are words.

pub mod assessment;
pub mod carry;
pub mod disks;
pub mod drift;
pub mod fields;
pub mod machines;
pub mod move_list;
pub mod plan_fields;
pub mod rehearsal;
pub mod running;
pub mod server;
pub mod strategies;
pub mod target;

pub use fields::{Field, schema};

use super::checks;
use super::checks::machines::nearest;

/// One long text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Text {
    /// A code (`V004`) or a strategy (`Rebind`).
    pub topic: &'static str,
    /// In a few words, as a heading.
    pub title: &'static str,
    /// Plain sentences in paragraphs, not wrapped.
    pub text: &'static str,
}

/// What `explain` has to say to a topic.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Explanation {
    /// A finding or a strategy.
    Text(Text),
    /// A document or one of its fields, with the fields below it.
    Fields { field: Field, below: Vec<Field> },
}

/// Texts of findings, one group per subject.
pub const FINDINGS: &[&[Text]] =
    &[server::TEXTS, machines::TEXTS, disks::TEXTS, target::TEXTS, carry::TEXTS, drift::TEXTS, rehearsal::TEXTS, running::TEXTS];

/// Explains a code, a strategy, or a document's field (`MovePlan.spec.machines`), in any case; the error is the nearest topic there is.
pub fn explain(topic: &str) -> Result<Explanation, Option<&'static str>> {
    let texts = || FINDINGS.iter().flat_map(|group| group.iter()).chain(strategies::TEXTS);
    if let Some(text) = texts().find(|text| text.topic.eq_ignore_ascii_case(topic)) {
        return Ok(Explanation::Text(*text));
    }
    if let Some(field) = fields::find(topic) {
        return Ok(Explanation::Fields { field, below: fields::below(field.path) });
    }
    Err(nearest(topic, topics()))
}

/// A topic in a few words, or a field in its sentence.
pub fn title(topic: &str) -> &'static str {
    match explain(topic) {
        Ok(Explanation::Text(text)) => text.title,
        Ok(Explanation::Fields { field, .. }) => field.text,
        Err(_) => "",
    }
}

/// Everything that can be explained, in the order in which people look for it.
pub fn topics() -> impl Iterator<Item = &'static str> {
    let findings = FINDINGS.iter().flat_map(|group| group.iter()).map(|text| text.topic);
    let fields = fields::DOCUMENTS.iter().flat_map(|document| document.iter()).map(|field| field.path);
    findings.chain(strategies::TEXTS.iter().map(|text| text.topic)).chain(fields)
}

/// What the check of this code looks for, in a few words; only codes of [`checks::all`] have one.
pub fn check_title(code: &str) -> Option<&'static str> {
    checks::all().find(|check| check.code == code).map(|check| check.title)
}

#[cfg(test)]
mod tests;
