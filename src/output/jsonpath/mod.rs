//! kubectl's JSONPath templates: text with `{...}` actions, which is not the JSONPath of RFC 9535.
//!
//! What it accepts and how it prints is compared with a real kubectl template by template, in `tests/sandbox/jsonpath.txt`
//! (kubernetes/client-go `util/jsonpath`). A `{range}` without `{end}` runs to the end of the template.

mod parse;
mod walk;

use serde_json::Value;

use super::go;

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

/// Parses a template. Errors name it, as kubectl's do.
pub fn parse(source: &str) -> Result<Template, String> {
    parse::template(source).map_err(|why| format!("error parsing jsonpath {source}, {why}"))
}

/// A path as kubectl takes it where only a path can stand: with or without its braces and its first dot. An empty one finds nothing.
///
/// Source: kubernetes/kubectl `pkg/cmd/get/customcolumn.go` (RelaxedJSONPathExpression).
///
/// # Errors
/// It is no path, in kubectl's words.
pub fn relaxed(path: &str) -> Result<Template, String> {
    if path.is_empty() {
        return Ok(Template { source: String::new(), parts: Vec::new() });
    }
    let inner = path.strip_prefix('{').and_then(|path| path.strip_suffix('}')).unwrap_or(path);
    let inner = inner.strip_prefix('.').unwrap_or(inner);
    if inner.is_empty() || inner.contains(['{', '}']) {
        let wanted = "expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'";
        return Err(format!("unexpected path string, {wanted}"));
    }
    parse::template(&format!("{{.{inner}}}"))
}

impl Template {
    /// The template as it is written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Runs the template over one object. Several results of one action are joined by a space.
    pub fn text(&self, object: &Value) -> Result<String, String> {
        let results = self.results(object)?;
        Ok(results.into_iter().map(|values| values.into_iter().map(go::plain).collect::<Vec<_>>().join(" ")).collect())
    }

    /// The results of each action, in order. Errors name the template.
    pub fn results<'a>(&'a self, object: &'a Value) -> Result<Vec<Vec<&'a Value>>, String> {
        self.found(object).map_err(|why| format!("error executing jsonpath {:?}: {why}", self.source))
    }

    /// The same, with errors that say only what is wrong.
    pub fn found<'a>(&'a self, object: &'a Value) -> Result<Vec<Vec<&'a Value>>, String> {
        walk::parts(&self.parts, object)
    }
}

#[cfg(test)]
mod tests;
