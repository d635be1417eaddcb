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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;
    use std::fmt::Write;

    /// Strings that a careless writer turns into something else. kubectl 1.32 reads each back as written here.
    const AWKWARD: &[&str] = &[
        "yes",
        "no",
        "on",
        "off",
        "y",
        "n",
        "true",
        "null",
        "Null",
        "~",
        "",
        "0644",
        "0777",
        "08",
        "1_000",
        "1e3",
        "0x1f",
        "0o17",
        "0b101",
        ".5",
        "1.",
        "-1",
        "+1",
        "1:20",
        "2020-01-01",
        "=",
        "<<",
        "-",
        "?",
        ":",
        "a: b",
        "a #b",
        "#a",
        " a",
        "a ",
        "a\nb",
        "a\n",
        "a\n\n",
        "\na",
        " a\nb",
        "a\n  \nb",
        "a\tb",
        "a\\b",
        "'a'",
        "\"a\"",
        "{a",
        "[a",
        "@a",
        "`a",
        "%a",
        "!a",
        "&a",
        "*a",
        "|",
        ">",
        ".inf",
        "NaN",
        "a\r\nb",
        "\u{1b}[1m",
        "é",
        "\u{feff}a",
        "\u{85}",
        "\u{2028}",
        "x\u{0}y",
        "---",
        "--- a",
        "...",
        "a\n---\nb",
        "- a",
        "a:",
        "#!/bin/sh\necho hi\n\n  indented\n",
        "  lead\n",
        "\n",
        "trail  \nx",
        "12345678901234567890123",
        "a rather long sentence with words in it that goes well beyond the eighty characters of a punch card ",
    ];

    #[test]
    fn awkward_strings_survive_as_values_and_as_keys() {
        for text in AWKWARD {
            let document = json!({"value": text, "list": [text, [text]], "nested": {"deep": {*text: text}}});
            let written = write(&document).unwrap();
            assert_eq!(read_all("f", &written).unwrap(), [document], "{written}");
        }
    }

    /// Every pair as one string: what is harmless alone may not be so beside another.
    #[test]
    fn combinations_survive() {
        for first in AWKWARD {
            let together: Vec<String> = AWKWARD.iter().flat_map(|second| [format!("{first}{second}"), format!("{first}\n{second}")]).collect();
            let document = json!({ "all": together });
            assert_eq!(read_all("f", &write(&document).unwrap()).unwrap(), [document]);
        }
    }

    #[test]
    fn it_looks_like_kubectls() {
        let document =
            json!({"mode": "0644", "on": true, "script": "#!/bin/sh\necho\n", "list": [{"a": 1, "b": []}], "size": 12_345_678_901_i64, "none": {}});
        insta::assert_snapshot!(write(&document).unwrap(), @r#"
        list:
        - a: 1
          b: []
        mode: "0644"
        none: {}
        "on": true
        script: |
          #!/bin/sh
          echo
        size: 12345678901
        "#);
    }

    /// Compared with kubectl 1.32.
    #[test]
    fn bare_words_are_read_as_kubectl_reads_them() {
        let text = "mode: 0644\nyes: yes\non: \"on\"\nbig: 1_000\n---\n---\n{\"kind\": \"List\"}\n";
        assert_eq!(read_all("f", text).unwrap(), [json!({"mode": 420, "yes": true, "on": "on", "big": 1000}), json!({"kind": "List"})]);
    }

    #[test]
    fn a_long_list_is_read_and_a_bomb_is_not() {
        let long = json!({"kind": "List", "items": vec![0; 260_000]});
        assert_eq!(read_all("f", &long.to_string()).unwrap(), [long]);
        let mut bomb = "a0: &a0 x\n".to_owned();
        for n in 1..12 {
            let _ = writeln!(bomb, "a{n}: &a{n} [{}]", vec![format!("*a{}", n - 1); 10].join(", "));
        }
        assert!(read_all("f", &bomb).is_err());
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Doc {
        #[allow(dead_code)]
        storage_class: String,
        #[serde(default)]
        #[allow(dead_code)]
        mode: Option<Mode>,
        #[serde(default)]
        #[allow(dead_code)]
        list: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Item {
        #[allow(dead_code)]
        mode: Mode,
    }

    #[derive(Debug, Deserialize)]
    enum Mode {
        Block,
        Filesystem,
    }

    fn read(text: &str) -> Result<Doc, Failure> {
        understand("plan.yaml", text, read_all("plan.yaml", text)?.remove(0))
    }

    fn refused(text: &str) -> String {
        let failure = read(text).unwrap_err();
        [vec![failure.message], failure.hints].concat().join(" | ")
    }

    #[test]
    fn errors_name_file_line_and_the_nearest_field() {
        assert!(read("storageClass: fast\nmode: Block\n").is_ok());
        let all = [
            refused("# mine\nstorageclass: fast\n"),
            refused("storageClass: fast\nreplicas: 3\n"),
            refused("storageClass: fast\nmode: block\n"),
            refused("storageClass: fast\nstorageClass: slow\n"),
            refused("storageClass: [a, b]\n"),
            refused("---\n# nested\nstorageClass: a\nlist:\n- mode: Block\n- mode: Block\n  modes: {}\n"),
            refused("mode: Block\n"),
            refused("storageClass: \"fast\n"),
            refused("a:\n\t- b\n"),
        ];
        insta::assert_snapshot!(all.join("\n"), @r#"
        plan.yaml:2: unknown field "storageclass" | did you mean "storageClass"?
        plan.yaml:2: unknown field "replicas" | known here: storageClass, mode, list
        plan.yaml:2: unknown value "block" | did you mean "Block"?
        plan.yaml:2: field "storageClass" is there twice
        plan.yaml:1: invalid type: sequence, expected a string
        plan.yaml:7: unknown field "modes" | did you mean "mode"?
        plan.yaml:1: field "storageClass" is missing
        plan.yaml:2: invalid indentation in multiline quoted scalar
        plan.yaml:2: tabs disallowed within this context (block indentation)
        "#);
    }
}
