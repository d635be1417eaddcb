//! Names in `${}` and what they stand for; manifests as cases write them, made whole.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use super::kinds;

/// What the case has saved so far.
pub type Saved = BTreeMap<String, Value>;

/// The names in `${}` anywhere in a value.
pub fn names(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    visit(value, &mut |text| {
        found.extend(text.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0.to_owned())));
    });
    found
}

fn visit(value: &Value, with: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => with(text),
        Value::Array(items) => items.iter().for_each(|item| visit(item, with)),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            with(key);
            visit(value, with);
        }),
        _ => {}
    }
}

/// The value with all names replaced. A text that is nothing but a name becomes what was saved, be it an object.
pub fn fill(value: &Value, saved: &Saved) -> Value {
    match value {
        Value::String(text) => match text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).and_then(|name| saved.get(name)) {
            Some(value) => value.clone(),
            None => replaced(text, saved).into(),
        },
        Value::Array(items) => items.iter().map(|item| fill(item, saved)).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (replaced(key, saved), fill(value, saved))).collect::<Map<_, _>>().into(),
        plain => plain.clone(),
    }
}

fn replaced(text: &str, saved: &Saved) -> String {
    saved.iter().fold(text.to_owned(), |text, (name, value)| {
        let name = format!("${{{name}}}");
        if text.contains(&name) { text.replace(&name, &value.as_str().map_or_else(|| value.to_string(), String::from)) } else { text }
    })
}

/// What belongs into `metadata` and may stand at the top of a manifest.
const SHORT: &[&str] = &["name", "generateName", "namespace", "labels", "annotations", "finalizers", "ownerReferences"];

/// The whole manifest. `like` names an object to lay the rest over as a merge patch (or is one); metadata's fields may stand at the top;
/// the kind gives the apiVersion, the case the namespace.
pub fn manifest(short: &Value, objects: &Map<String, Value>, namespace: &str) -> Result<Value> {
    let mut fields = short.as_object().context("a manifest is a mapping")?.clone();
    let mut whole = match fields.remove("like") {
        Some(Value::String(name)) => {
            let base = objects.get(&name).with_context(|| format!("objects.yaml has no {name}"))?;
            manifest(base, objects, namespace)?
        }
        Some(object) => object,
        None => json!({}),
    };
    let metadata: Map<String, Value> = SHORT.iter().filter_map(|key| Some(((*key).to_owned(), fields.remove(*key)?))).collect();
    json_patch::merge(&mut whole, &Value::Object(fields));
    json_patch::merge(&mut whole, &json!({"metadata": metadata}));
    if let Some(kind) = whole["kind"].as_str().and_then(kinds::named) {
        if whole["apiVersion"].is_null() {
            whole["apiVersion"] = kind.api_version.into();
        }
        if kind.namespaced && whole["metadata"]["namespace"].is_null() {
            whole["metadata"]["namespace"] = namespace.into();
        }
    }
    Ok(whole)
}

pub fn manifests_are_made_whole() -> Result<()> {
    let objects = json!({"map": {"kind": "ConfigMap", "data": {"a": "1", "b": "2"}}});
    let whole = manifest(&json!({"like": "map", "name": "x", "data": {"b": null}}), objects.as_object().context("objects")?, "shop")?;
    let expected = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "shop"}, "data": {"a": "1"}});
    ensure!(whole == expected, "it became {whole}");
    Ok(())
}
