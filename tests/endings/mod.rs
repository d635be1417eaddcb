//! Comparing how two moves end, on the real control plane as in the sandbox: what differs by chance is left out, identities stand for whose they are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// What is there or not by chance: whether a claim was seen before its volume came, and had to be touched to be bound.
pub const BY_CHANCE: [&str; 6] = [
    "vmmove.io/touch",
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
    // Whether CDI looked at a claim between its loss and the end of the move.
    "cdi.kubevirt.io/storage.condition.running.message",
    // Tokens tell when they were made.
    "cdi.kubevirt.io/storage.clone.token",
    "cdi.kubevirt.io/storage.extended.clone.token",
];

/// An ending in which each of these names is replaced by what it stands for, and other identities by a word: those are of objects that are gone.
pub fn renamed(ending: &Value, names: &BTreeMap<String, String>) -> serde_json::Result<Value> {
    let mut text = ending.to_string();
    for (name, stands_for) in names.iter().filter(|(name, _)| !name.is_empty()) {
        text = text.replace(name.as_str(), stands_for);
    }
    serde_json::from_str(&without_uids(&text))
}

fn without_uids(text: &str) -> String {
    let (mut short, mut rest) = (String::new(), text);
    while let Some(next) = rest.chars().next() {
        let uid = rest.get(..36).is_some_and(|part| uuid::Uuid::try_parse(part).is_ok());
        short.push_str(if uid { "uid of what is gone" } else { &rest[..next.len_utf8()] });
        rest = &rest[if uid { 36 } else { next.len_utf8() }..];
    }
    short
}

/// Where two endings differ, a line each.
pub fn differences(wanted: &Value, seen: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", wanted, seen, &mut lines);
    lines
}

fn compare(path: &str, wanted: &Value, seen: &Value, lines: &mut Vec<String>) {
    match (wanted, seen) {
        (Value::Object(wanted), Value::Object(seen)) => {
            let keys: BTreeSet<&String> = wanted.keys().chain(seen.keys()).collect();
            for key in keys {
                let at = |of: &Map<String, Value>| of.get(key).cloned().unwrap_or_default();
                compare(&format!("{path}/{key}"), &at(wanted), &at(seen), lines);
            }
        }
        _ if wanted == seen => {}
        _ => lines.push(format!("{path}: {wanted} became {seen}")),
    }
}
