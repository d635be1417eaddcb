//! Comparing how two moves end, on the real control plane as in the sandbox: what differs by chance is left out, identities stand for whose they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use anyhow::Result;
use regex::Regex;
use serde_json::Value;

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

static UID: LazyLock<Result<Regex, regex::Error>> = LazyLock::new(|| Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"));

/// An ending in which each of these names is replaced by what it stands for, and other identities by a word: those are of objects that are gone.
pub fn renamed(ending: &Value, names: &BTreeMap<String, String>) -> Result<Value> {
    let (names, words): (Vec<_>, Vec<_>) = names.iter().filter(|(name, _)| !name.is_empty()).unzip();
    // Used once: what is made quickest.
    let known = AhoCorasick::builder().kind(Some(AhoCorasickKind::NoncontiguousNFA)).match_kind(MatchKind::LeftmostLongest).build(names)?;
    let text = known.replace_all(&ending.to_string(), &words);
    let uid = UID.as_ref().map_err(Clone::clone)?;
    Ok(serde_json::from_str(&uid.replace_all(&text, "uid of what is gone"))?)
}

/// Where two endings differ, a line each.
pub fn differences(wanted: &Value, seen: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", wanted, seen, &mut lines);
    lines
}

fn compare(path: &str, wanted: &Value, seen: &Value, lines: &mut Vec<String>) {
    match (wanted, seen) {
        _ if wanted == seen => {}
        (Value::Object(wanted), Value::Object(seen)) => {
            let keys: BTreeSet<&String> = wanted.keys().chain(seen.keys()).collect();
            for key in keys {
                let [wanted, seen] = [wanted, seen].map(|of| of.get(key).unwrap_or(&Value::Null));
                compare(&format!("{path}/{key}"), wanted, seen, lines);
            }
        }
        _ => lines.push(format!("{path}: {wanted} became {seen}")),
    }
}
