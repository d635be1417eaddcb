//! Long texts on a terminal: findings and strategies as paragraphs, documents in the manner of `kubectl explain`.

use std::fmt::Write as _;

use crate::plan::document::API_VERSION;
use crate::plan::explain::{self, Field, Text};

/// Where lines break, as kubectl has it.
const WIDTH: usize = 80;

/// The text of a finding or strategy under its heading.
pub fn text(found: &Text) -> String {
    let paragraphs: Vec<String> = found.text.split('\n').map(|paragraph| wrap(paragraph, "")).collect();
    format!("{}: {}\n\n{}", found.topic, found.title, paragraphs.concat())
}

/// A document or field, with the fields below it (the shape is that of kubectl `pkg/explain/v2`).
pub fn fields(field: &Field, below: &[Field]) -> String {
    let (kind, path) = field.path.split_once('.').unwrap_or((field.path, ""));
    let mut page = format!("KIND:       {kind}\nVERSION:    {API_VERSION}\n\n");
    if !path.is_empty() {
        let _ = write!(page, "FIELD: {} {}\n\n", last(field), field.of.name());
    }
    page.push_str("DESCRIPTION:\n");
    page.push_str(&wrap(field.text, "    "));
    if !below.is_empty() {
        page.push_str("\nFIELDS:\n");
        let rows: Vec<String> = below.iter().map(row).collect();
        page.push_str(&rows.join("\n"));
    }
    page
}

/// Codes, strategies and kinds, one per line with its title.
pub fn topics() -> String {
    let documents = explain::topics().filter(|topic| !topic.contains('.'));
    let line = |topic: &str| match explain::explain(topic) {
        Ok(explain::Explanation::Text(found)) => format!("{topic:<14}{}\n", found.title),
        Ok(explain::Explanation::Fields { .. }) => format!("{topic:<14}a document; its fields are {topic}.FIELD\n"),
        Err(_) => String::new(),
    };
    documents.map(line).collect()
}

fn row(field: &Field) -> String {
    let required = if field.required { " -required-" } else { "" };
    format!("  {}\t{}{required}\n{}", last(field), field.of.name(), wrap(field.text, "    "))
}

fn last(field: &Field) -> &'static str {
    field.path.rsplit('.').next().unwrap_or(field.path)
}

/// A paragraph in lines, each with `margin` before it. A word that is too long for a line gets one of its own.
fn wrap(paragraph: &str, margin: &str) -> String {
    let mut text = String::new();
    let mut line = String::new();
    for word in paragraph.split_whitespace() {
        if !line.is_empty() && margin.len() + line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(text, "{margin}{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(text, "{}", format!("{margin}{line}").trim_end());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_wrapped_and_kept_apart() {
        let found = Text { topic: "V004", title: "a guest is paused", text: "One two.\n\nThree." };
        assert_eq!(text(&found), "V004: a guest is paused\n\nOne two.\n\nThree.\n");
        let long = wrap(&"word ".repeat(40), "    ");
        assert!(long.lines().count() == 3 && long.lines().all(|line| line.len() <= WIDTH && line.starts_with("    word")));
    }

    #[test]
    fn a_document_looks_as_kubectl_explain_shows_it() {
        let Ok(explain::Explanation::Fields { field, below }) = explain::explain("moveplan.metadata") else { panic!("a field") };
        let page = fields(&field, &below);
        assert!(page.starts_with("KIND:       MovePlan\nVERSION:    vmmove.io/v1alpha1\n\nFIELD: metadata <Object>\n\nDESCRIPTION:\n    "));
        assert!(page.contains("\nFIELDS:\n  name\t<string> -required-\n    "));
    }

    #[test]
    fn the_list_of_topics_has_codes_strategies_and_kinds_but_no_fields() {
        let list = topics();
        let first: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert!(["V004", "CloneRebind", "MovePlan"].iter().all(|topic| first.contains(topic)));
        assert!(first.iter().all(|topic| !topic.contains('.')));
    }
}
