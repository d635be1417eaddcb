//! The values of `-o`, and objects in them.

use std::fs;

use serde_json::{Value, json};

use super::custom_columns::CustomColumns;
use super::jsonpath::{self, Template};
use super::{json, name, yaml};
use crate::model::failure::Failure;

/// How output is wanted. No `-o` is [`Format::Table`].
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Format {
    #[default]
    Table,
    Wide,
    Json,
    Yaml,
    Name,
    JsonPath(Template),
    JsonPathAsJson(Template),
    CustomColumns(CustomColumns),
}

/// What kubectl calls the formats there are (kubernetes/cli-runtime `pkg/genericclioptions/print_flags.go`).
const ALLOWED: &str = "custom-columns,custom-columns-file,json,jsonpath,jsonpath-as-json,jsonpath-file,name,wide,yaml";

/// The formats as a word of the command line begins, each with what it is.
pub const WORDS: &[(&str, &str)] = &[
    ("json", "objects as JSON"),
    ("yaml", "objects as YAML"),
    ("name", "TYPE/NAME, one per line"),
    ("wide", "a table with more columns"),
    ("jsonpath=", "a template such as {.metadata.name}"),
    ("jsonpath-as-json=", "what a template finds, as JSON"),
    ("jsonpath-file=", "a template from a file"),
    ("custom-columns=", "a table with columns such as NAME:.metadata.name"),
    ("custom-columns-file=", "a table with columns from a file"),
];

impl Format {
    /// Reads a value of `-o`. The `-file` formats read their file. Errors are in kubectl's words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (kind, argument) = text.split_once('=').map_or((text, None), |(kind, argument)| (kind, Some(argument)));
        let template = |source: &str| {
            if source.is_empty() { Err("template format specified but no template given".to_owned()) } else { jsonpath::parse(source) }
        };
        match (kind, argument) {
            ("", None) => Ok(Self::Table),
            ("wide", None) => Ok(Self::Wide),
            ("json", None) => Ok(Self::Json),
            ("yaml", None) => Ok(Self::Yaml),
            ("name", None) => Ok(Self::Name),
            ("jsonpath", source) => template(source.unwrap_or_default()).map(Self::JsonPath),
            ("jsonpath-as-json", source) => template(source.unwrap_or_default()).map(Self::JsonPathAsJson),
            ("jsonpath-file", file) => template(&read(file.unwrap_or_default())?).map(Self::JsonPath),
            ("custom-columns", spec) => CustomColumns::parse(spec.unwrap_or_default()).map(Self::CustomColumns),
            ("custom-columns-file", file) => CustomColumns::parse_file(&read(file.unwrap_or_default())?).map(Self::CustomColumns),
            ("go-template" | "go-template-file" | "template" | "templatefile", _) => Err(format!(
                "{kind} is not supported, because its language is Go's own; use jsonpath or custom-columns, or -o json with another tool"
            )),
            _ => Err(format!("unable to match a printer suitable for the output format {text:?}, allowed formats are: {ALLOWED}")),
        }
    }

    /// Whether rows of a table are wanted rather than objects.
    pub fn is_table(&self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }

    /// One object in this format; nothing for tables, whose rows are not objects.
    pub fn one(&self, object: &Value) -> Result<String, Failure> {
        self.render(object, &[object], true)
    }

    /// Objects in this format, wrapped in a List where there is a document around them.
    pub fn many(&self, objects: &[Value]) -> Result<String, Failure> {
        let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": objects});
        self.render(&list, &objects.iter().collect::<Vec<_>>(), true)
    }

    /// The same without titles, for `--no-headers`.
    pub fn many_without_headers(&self, objects: &[Value]) -> Result<String, Failure> {
        match self {
            Self::CustomColumns(_) => self.render(&Value::Null, &objects.iter().collect::<Vec<_>>(), false),
            _ => self.many(objects),
        }
    }

    fn render(&self, document: &Value, objects: &[&Value], headers: bool) -> Result<String, Failure> {
        match self {
            Self::Table | Self::Wide => Ok(String::new()),
            Self::Json => json::write(document),
            Self::Yaml => yaml::write(document),
            Self::Name => Ok(objects.iter().map(|object| name::line(object)).collect()),
            Self::JsonPath(template) => template.text(document).map_err(Failure::error),
            Self::JsonPathAsJson(template) => {
                template.results(document).map_err(Failure::error)?.iter().map(json::write).collect::<Result<Vec<_>, _>>().map(|texts| texts.concat())
            }
            Self::CustomColumns(columns) => columns.render(objects, headers).map_err(Failure::error),
        }
    }
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

fn read(file: &str) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("error reading template {file}: {error}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn machines() -> Vec<Value> {
        ["db-1", "web-1"].map(|name| json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": name}})).to_vec()
    }

    #[test]
    fn a_wrong_format_is_refused_in_kubectls_words() {
        assert_eq!(
            Format::parse("x").unwrap_err(),
            "unable to match a printer suitable for the output format \"x\", allowed formats are: \
             custom-columns,custom-columns-file,json,jsonpath,jsonpath-as-json,jsonpath-file,name,wide,yaml"
        );
        assert!(Format::parse("json=x").is_err());
        assert!(Format::parse("go-template={{.x}}").unwrap_err().starts_with("go-template is not supported"));
        assert_eq!(Format::parse("jsonpath").unwrap_err(), "template format specified but no template given");
        assert!(Format::parse("jsonpath-file=/nowhere/at/all").unwrap_err().starts_with("error reading template /nowhere/at/all: "));
    }

    #[test]
    fn every_format_that_is_allowed_is_offered() {
        let mut words: Vec<&str> = WORDS.iter().map(|(word, _)| word.trim_end_matches('=')).collect();
        words.sort_unstable();
        assert_eq!(words.join(","), ALLOWED);
    }

    #[test]
    fn several_objects_are_a_list() {
        let shown = |format: &str| Format::parse(format).unwrap().many(&machines()).unwrap();
        insta::assert_snapshot!(shown("yaml"), @r#"
        apiVersion: v1
        items:
        - apiVersion: kubevirt.io/v1
          kind: VirtualMachine
          metadata:
            name: db-1
        - apiVersion: kubevirt.io/v1
          kind: VirtualMachine
          metadata:
            name: web-1
        kind: List
        metadata:
          resourceVersion: ""
        "#);
        assert_eq!(shown("name"), "virtualmachine.kubevirt.io/db-1\nvirtualmachine.kubevirt.io/web-1\n");
        assert_eq!(shown("jsonpath={.items[*].metadata.name}"), "db-1 web-1");
        assert_eq!(shown("jsonpath-as-json={.items[*].metadata.name}"), "[\n    \"db-1\",\n    \"web-1\"\n]\n");
        assert_eq!(shown("custom-columns=NAME:.metadata.name"), "NAME\ndb-1\nweb-1\n");
        assert_eq!(Format::parse("custom-columns=NAME:.metadata.name").unwrap().many_without_headers(&machines()).unwrap(), "db-1\nweb-1\n");
        assert_eq!(Format::parse("jsonpath={.kind}").unwrap().one(&machines()[0]).unwrap(), "VirtualMachine");
    }

    #[test]
    fn templates_may_come_from_files() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "{.kind}").unwrap();
        let format = Format::parse(&format!("jsonpath-file={}", file.path().display())).unwrap();
        assert_eq!(format.one(&machines()[0]).unwrap(), "VirtualMachine");
    }
}
