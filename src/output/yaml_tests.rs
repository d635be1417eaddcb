//! What is written is read again as it was, by us and by kubectl, and what cannot be read is told with its place.

#![allow(clippy::unwrap_used)]

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
