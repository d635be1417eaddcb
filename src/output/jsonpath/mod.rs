//! kubectl's JSONPath templates: text with `{...}` actions, which is not the JSONPath of RFC 9535.
//!
//! What it accepts and how it prints is compared with a real kubectl template by template, in `tests/sandbox/jsonpath.txt`
//! (kubernetes/client-go `util/jsonpath`). A `{range}` without `{end}` runs to the end of the template.

mod parse;
mod walk;

use serde_json::Value;

use super::go;

pub use parse::parse;

/// A parsed template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// `{.a.b}`, and text outside braces.
    Path(Vec<Node>),
    /// `{range .items[*]}...{end}`.
    Range(Vec<Node>, Vec<Part>),
    /// An `{end}` of nothing.
    StrayEnd,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Literal(Value),
    Field(String),
    /// A word that means nothing, which is told when it is come to.
    Word(String),
    /// `*`: the values of an object, the items of a list.
    Wildcard,
    /// `..`: the value and all lists and objects below it.
    Recursive,
    Slice(Slice),
    Filter {
        left: Vec<Node>,
        test: Test,
        right: Vec<Node>,
    },
    Union(Vec<Vec<Node>>),
}

/// `[start:end:step]`. `[3]` is a slice of one, which must exist; `[*]` is a slice of all.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Slice {
    Index(i64),
    Between { start: Option<i64>, end: Option<i64>, step: Option<i64> },
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Exists,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// A sign that compares nothing, which is told when something is to be compared.
    Unknown(String),
}

impl Template {
    /// Runs the template over one object. Several results of one action are joined by a space.
    pub fn text(&self, object: &Value) -> Result<String, String> {
        let results = self.results(object)?;
        Ok(results.into_iter().map(|values| values.into_iter().map(go::plain).collect::<Vec<_>>().join(" ")).collect())
    }

    /// The results of each action, in order.
    pub fn results<'a>(&'a self, object: &'a Value) -> Result<Vec<Vec<&'a Value>>, String> {
        walk::parts(&self.parts, object).map_err(|why| format!("error executing jsonpath {:?}: {why}", self.source))
    }
}

#[cfg(test)]
mod tests;
