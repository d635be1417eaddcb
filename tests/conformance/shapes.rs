//! Which fields the kinds of the sandbox have, as an API server tells it.
//!
//! A line of the text is a shape: the fields of an object, each with the number of the line (from 0) of what is in it; `[]` stands for a list
//! of these, `{}` for a map with keys of any name. A field without a number may hold anything, so do those that are not followed further.
//! A line that begins with `=` says which shape a kind has.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use kube::Client;
use serde_json::Value;
use vmmove::sandbox::catalog;

/// The text, and the kinds that are not served there.
pub async fn of_server(client: &Client) -> Result<(String, Vec<String>)> {
    let mut shapes = Shapes::default();
    let (mut kinds, mut missing) = (Vec::new(), Vec::new());
    let mut documents = BTreeMap::new();
    for kind in catalog::ALL.iter().filter(|kind| **kind != &catalog::CRD) {
        let at =
            if kind.group.is_empty() { format!("/openapi/v3/api/{}", kind.version()) } else { format!("/openapi/v3/apis/{}", kind.api_version()) };
        if !documents.contains_key(&at) {
            let request = http::Request::get(&at).body(Vec::new())?;
            let document: Option<Value> = client.request(request).await.ok();
            documents.insert(at.clone(), document);
        }
        let Some(document) = &documents[&at] else {
            missing.push(kind.full_name());
            continue;
        };
        let schemas = document.pointer("/components/schemas").and_then(Value::as_object).context("a document without schemas")?;
        let meant = |schema: &&Value| {
            let kinds = schema["x-kubernetes-group-version-kind"].as_array().into_iter().flatten();
            kinds.into_iter().any(|one| one["group"] == kind.group && one["version"] == kind.version() && one["kind"] == kind.kind)
        };
        let schema = schemas.values().find(meant).with_context(|| format!("no schema of {}", kind.full_name()))?;
        let shape = shapes.of(schemas, schema, &mut Vec::new()).with_context(|| format!("{} has no fields", kind.full_name()))?;
        kinds.push(format!("={} {} {shape}\n", kind.api_version(), kind.kind));
    }
    Ok((shapes.lines.concat() + &kinds.concat(), missing))
}

/// The shapes that were found, each once.
#[derive(Default)]
struct Shapes {
    lines: Vec<String>,
    numbers: BTreeMap<String, usize>,
}

impl Shapes {
    /// The number of a schema's shape; `None` for what may hold anything, or holds no fields. `within` are the definitions around it:
    /// what holds itself is not followed.
    fn of<'s>(&mut self, schemas: &'s serde_json::Map<String, Value>, schema: &'s Value, within: &mut Vec<&'s str>) -> Option<usize> {
        if schema["x-kubernetes-preserve-unknown-fields"] == true {
            return None;
        }
        if let Some(name) = referred(schema) {
            if within.contains(&name) {
                return None;
            }
            within.push(name);
            let shape = self.of(schemas, schemas.get(name)?, within);
            within.pop();
            return shape;
        }
        let fields = schema["properties"].as_object()?;
        let mut line = String::new();
        for (name, field) in fields {
            let word = match (&field["items"], &field["additionalProperties"]) {
                (items @ Value::Object(_), _) => self.of(schemas, items, within).map(|number| format!("{name}[]{number}")),
                (_, values @ Value::Object(_)) => self.of(schemas, values, within).map(|number| format!("{name}{{}}{number}")),
                _ => self.of(schemas, field, within).map(|number| format!("{name}={number}")),
            };
            line += &word.unwrap_or_else(|| name.clone());
            line.push(' ');
        }
        let line = line.trim_end().to_owned() + "\n";
        let next = self.lines.len();
        let number = *self.numbers.entry(line.clone()).or_insert(next);
        if number == next {
            self.lines.push(line);
        }
        Some(number)
    }
}

/// The definition that a schema is, where it stands in for one.
fn referred(schema: &Value) -> Option<&str> {
    let alone = schema["allOf"].as_array().filter(|all| all.len() == 1).and_then(|all| all.first());
    let named = schema.get("$ref").or_else(|| alone?.get("$ref"))?.as_str()?;
    named.strip_prefix("#/components/schemas/")
}
