//! kubectl's JSONPath as kubectl runs it: each template of `jsonpath.txt` over the object of `jsonpath.yaml`, byte for byte, errors included.

use std::process::{Command, Stdio};

use serde_json::Value;
use vmmove::output::jsonpath;

use crate::build;
use crate::serving::Serving;

const TEMPLATES: &str = include_str!("jsonpath.txt");
const OBJECT: &str = include_str!("jsonpath.yaml");

/// Where kubectl shows the value itself, which may be secret.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "{.metadata[?(@.name==\"db-1\")]}",
        "error: error executing jsonpath \"{.metadata[?(@.name==\\\"db-1\\\")]}\": map[string]interface {} is not array or slice and cannot be filtered\n",
    ),
    (
        "{.metadata.name[?(@==\"db-1\")]}",
        "error: error executing jsonpath \"{.metadata.name[?(@==\\\"db-1\\\")]}\": string is not array or slice and cannot be filtered\n",
    ),
];

#[test]
fn templates_print_what_kubectl_prints() {
    let sandbox = Serving::start("");
    std::fs::write(sandbox.home.path().join("object.yaml"), OBJECT).unwrap();
    let (program, object) = (build::build_one("kubectl").unwrap(), serde_saphyr::from_str::<Value>(OBJECT).unwrap());
    let templates: Vec<&str> = TEMPLATES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mut wrong = Vec::new();
    for template in &templates {
        let mut kubectl = Command::new(&program);
        kubectl.args(["create", "--dry-run=client", "--validate=false", "-f", "object.yaml", "-o"]).arg(format!("jsonpath={template}"));
        let said = {
            kubectl.current_dir(sandbox.home.path()).env("HOME", sandbox.home.path()).stdin(Stdio::null());
            sandbox.runs(kubectl)
        };
        let ours = match jsonpath::parse(template).and_then(|template| template.text(&object)) {
            Ok(text) => (text, String::new()),
            Err(words) => (String::new(), format!("error: {words}\n")),
        };
        let theirs = (said.stdout, without_the_object(&said.stderr));
        let expected = DIFFERENT.iter().find(|(known, _)| known == template).map_or(theirs.1.clone(), |(_, words)| (*words).to_owned());
        if ours != (theirs.0.clone(), expected) {
            wrong.push(format!("{template}\n  kubectl: {theirs:?}\n  ours:    {ours:?}"));
        }
    }
    println!("{} templates", templates.len());
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), templates.len(), wrong.join("\n"));
}

/// kubectl repeats the template and prints the whole object behind a failure; that may hold what is secret.
fn without_the_object(words: &str) -> String {
    match words.split_once(": Error executing template: ") {
        Some((head, rest)) => {
            let reason = rest.split(". Printing more information").next().unwrap_or_default();
            format!("{head}: {reason}\n")
        }
        None => words.to_owned(),
    }
}
