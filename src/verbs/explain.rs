//! `explain`: the long text of a finding, a strategy, or a document's fields.

use clap_complete::ArgValueCompleter;
use serde_json::Value;

use super::Context;
use super::args::words::{Word, one_of};
use super::completion::values;
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::output::explain as text;
use crate::output::format::Format;
use crate::plan::explain::{self, Explanation};

#[derive(Clone, Copy, Debug)]
enum Document {
    Json,
    Yaml,
}

const DOCUMENTS: &[Word<Document>] = &[("json", Document::Json, "the JSON schema"), ("yaml", Document::Yaml, "the same as YAML")];

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Everything there is to explain
  kubectl vmmove explain

  # What a finding means, and what to do about it
  kubectl vmmove explain V004

  # How a disk travels
  kubectl vmmove explain CloneRebind

  # The fields of a plan, and one of them
  kubectl vmmove explain MovePlan
  kubectl vmmove explain MovePlan.spec.machines

  # The JSON schema of a plan, for an editor
  kubectl vmmove explain MovePlan -o json")]
pub struct Args {
    /// A finding's code, a strategy, or a kind of document with or without a field
    #[arg(value_name = "CODE|STRATEGY|KIND[.FIELD]", add = ArgValueCompleter::new(values::topics))]
    topic: Option<String>,
    /// Print the JSON schema of a document or field: json or yaml
    #[arg(short, long, value_name = "FORMAT", value_parser = one_of(DOCUMENTS), hide_possible_values = true, requires = "topic")]
    output: Option<Document>,
}

/// Prints the text, or the list of topics when none is named.
///
/// # Errors
/// An unknown topic, with the nearest one; a schema of something that is no document.
#[allow(clippy::unused_async)] // Every verb is called alike.
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    let page = match (&args.topic, args.output) {
        (None, _) => text::topics(),
        (Some(topic), None) => match find(topic)? {
            Explanation::Text(found) => text::text(&found),
            Explanation::Fields { field, below } => text::fields(&field, &below),
        },
        (Some(topic), Some(Document::Json)) => Format::Json.one(&schema(topic)?)?,
        (Some(topic), Some(Document::Yaml)) => Format::Yaml.one(&schema(topic)?)?,
    };
    cx.io.print(&page)?;
    Ok(Code::DONE)
}

fn find(topic: &str) -> Result<Explanation, Failure> {
    explain::explain(topic).map_err(|near| {
        let failure = Failure::error(format!("there is nothing to explain about {topic:?}"));
        let topics = "'explain' without a word lists what there is";
        failure.hint(near.map_or_else(|| topics.to_owned(), |near| format!("did you mean {near}? {topics}")))
    })
}

fn schema(topic: &str) -> Result<Value, Failure> {
    find(topic)?;
    explain::schema(topic).ok_or_else(|| Failure::error(format!("{topic} is no document, so it has no schema")).hint("leave out -o"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_topic_is_answered_with_the_nearest() {
        let failure = find("CloneRebnd").unwrap_err();
        assert_eq!(failure.message, "there is nothing to explain about \"CloneRebnd\"");
        assert!(failure.hints[0].starts_with("did you mean CloneRebind?"));
    }

    #[test]
    fn documents_have_schemas_and_codes_have_none() {
        assert_eq!(schema("MovePlan").unwrap()["type"], "object");
        assert_eq!(schema("Rebind").unwrap_err().message, "Rebind is no document, so it has no schema");
    }
}
