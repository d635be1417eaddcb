//! What differs between the source and its rewritten self: found by comparing the two, so that no change can be forgotten.
//!
//! What a server writes by itself is told without its value (a plan must not change with it), and secrets are never told.

use serde_json::Value;

use super::metadata::{ARGO_LABEL, DISK_TEMPLATE, EVERYWHERE, MACHINE, TEMPLATE, stays};
use crate::model::manifest::{Manifest, escape};
use crate::plan::document::Change;

/// Every field that differs, in the order of their paths. A change with nothing in `to` is a field that is taken away.
pub fn changes(source: &Manifest, result: &Manifest) -> Vec<Change> {
    let mut found = Vec::new();
    walk(&mut String::new(), present(Some(&source.value())), present(Some(&result.value())), &mut found);
    found
}

/// Makes the changes again on an object, as somebody would who has only the list.
pub fn replay(source: &Manifest, changes: &[Change]) -> Manifest {
    let mut result = source.clone();
    for change in changes {
        match &change.to {
            Some(value) => result.set(&change.path, value.clone()),
            None => drop(result.remove(&change.path)),
        }
    }
    result
}

fn walk(path: &mut String, from: Option<&Value>, to: Option<&Value>, found: &mut Vec<Change>) {
    let nothing = Value::Object(serde_json::Map::new());
    match (from, to) {
        (from, to) if from == to => {}
        (Some(Value::Object(from)), Some(Value::Object(to))) => {
            let mut keys: Vec<&String> = from.keys().chain(to.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                step(path, &escape(key), present(from.get(key)), present(to.get(key)), found);
            }
        }
        (Some(Value::Array(from)), Some(Value::Array(to))) if from.len() == to.len() => {
            for (index, (from, to)) in from.iter().zip(to).enumerate() {
                step(path, &index.to_string(), Some(from), Some(to), found);
            }
        }
        (None, Some(Value::Object(to))) if !to.is_empty() => walk(path, Some(&nothing), Some(&Value::Object(to.clone())), found),
        (from, to) => found.push(change(path, from, to)),
    }
}

fn step(path: &mut String, key: &str, from: Option<&Value>, to: Option<&Value>, found: &mut Vec<Change>) {
    let length = path.len();
    path.push('/');
    path.push_str(key);
    walk(path, from, to, found);
    path.truncate(length);
}

/// A null says as much as an absent field.
fn present(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !value.is_null())
}

fn change(path: &str, from: Option<&Value>, to: Option<&Value>) -> Change {
    let reason = REASONS.iter().find(|reason| reason.covers(path));
    let from = match reason {
        Some(Reason { told: false, .. }) => None,
        _ if path.ends_with("last-applied-configuration") => from.map(|_| NOT_SHOWN.into()),
        _ => from.map(without_secrets),
    };
    let why = key_reason(path).or(reason.map(|reason| reason.why)).unwrap_or(UNEXPLAINED);
    Change { path: path.to_owned(), from, to: to.map(without_secrets), why: why.to_owned() }
}

const NOT_SHOWN: &str = "(not shown)";

/// What a change says for which no reason is known; tests make sure that none is.
pub const UNEXPLAINED: &str = "differs in the target";

/// Fields of cloud-init volumes that hold secrets inline (kubevirt `core/v1/schema.go`), wherever they are in a value.
const SECRETS: &[&str] = &[
    "userData",
    "userDataBase64",
    "networkData",
    "networkDataBase64",
    "kubectl.kubernetes.io/last-applied-configuration",
    "kubevirt.io/ignitiondata",
    "data",
    "stringData",
];

/// A value with everything left out that may be a secret, wherever it is: for people to look at.
pub fn without_secrets(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let told = |(key, value): (&String, &Value)| {
                (key.clone(), if SECRETS.contains(&key.as_str()) { NOT_SHOWN.into() } else { without_secrets(value) })
            };
            Value::Object(map.iter().map(told).collect())
        }
        Value::Array(list) => list.iter().map(without_secrets).collect(),
        other => other.clone(),
    }
}

/// Why a label or annotation stays behind.
fn key_reason(path: &str) -> Option<&'static str> {
    let (parent, key) = path.rsplit_once('/')?;
    let key = key.replace("~1", "/").replace("~0", "~");
    if !parent.ends_with("/labels") && !parent.ends_with("/annotations") {
        return None;
    }
    let argo = (key == ARGO_LABEL).then_some("Argo CD would take the copy for its own");
    stays(&key, &[EVERYWHERE, MACHINE, TEMPLATE, DISK_TEMPLATE]).map(|rule| rule.why).or(argo)
}

/// Why a field differs: by the beginning of its path, where `*` is any one part. The first that fits counts.
struct Reason {
    path: &'static str,
    why: &'static str,
    /// Whether what was there is worth telling.
    told: bool,
}

impl Reason {
    fn covers(&self, path: &str) -> bool {
        let mut parts = path.split('/').skip(1);
        self.path.split('/').skip(1).all(|expected| parts.next().is_some_and(|part| expected == "*" || expected == part))
    }
}

const fn told(path: &'static str, why: &'static str) -> Reason {
    Reason { path, why, told: true }
}

const fn untold(path: &'static str, why: &'static str) -> Reason {
    Reason { path, why, told: false }
}

const STOPPED: &str = "it is made stopped, and started when its disks are in place";
const PINNED: &str = "pinned to what the guest sees today, so that it stays the same machine";
const RENAMED: &str = "the name in the target";
const EXPLICIT: &str = "said in full, because it meant the source namespace";
const REVISION: &str = "the revision that the guest runs with, which comes along";
const MADE_AGAIN: &str = "the server makes its own";

const REASONS: &[Reason] = &[
    untold("/status", MADE_AGAIN),
    told("/metadata/name", RENAMED),
    told("/metadata/namespace", "the target namespace"),
    told("/metadata/finalizers", "controllers set their own again; a copied one would keep it from being deleted"),
    told("/metadata/ownerReferences", "owners stay in the source namespace, and what has no owner in its namespace is deleted"),
    told("/metadata/labels/vmmove.io~1move", "the tool's mark"),
    told("/metadata/annotations/*", "the tool's mark"),
    untold("/metadata", MADE_AGAIN),
    told("/spec/running", STOPPED),
    told("/spec/runStrategy", STOPPED),
    told("/spec/template/metadata/annotations", "keeps devices at the places on the bus where the guest knows them"),
    untold("/spec/template/metadata", MADE_AGAIN),
    told("/spec/template/spec/domain/firmware", PINNED),
    told("/spec/template/spec/domain/machine", PINNED),
    told("/spec/template/spec/domain/devices/interfaces", PINNED),
    told("/spec/template/spec/hostname", PINNED),
    told("/spec/template/spec/affinity", "the fence of the source is no part of the machine"),
    told("/spec/template/spec/volumes", RENAMED),
    told("/spec/template/spec/networks", "the network in the target, as asked"),
    told("/spec/dataVolumeTemplates/*/metadata/name", RENAMED),
    told("/spec/dataVolumeTemplates/*/metadata/namespace", "KubeVirt allows only the machine's own namespace here, and fills it in"),
    untold("/spec/dataVolumeTemplates/*/metadata", MADE_AGAIN),
    told("/spec/dataVolumeTemplates/*/spec", EXPLICIT),
    told("/spec/instancetype", REVISION),
    told("/spec/preference", REVISION),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_list_of_changes_says_is_all_that_happened() {
        let source = Manifest::from(
            json!({"metadata": {"name": "a", "uid": "u", "namespace": "shop"}, "spec": {"running": true, "list": [1, {"x": 1}], "n": null}}),
        );
        let result = Manifest::from(
            json!({"metadata": {"name": "a", "namespace": "prod"}, "spec": {"running": false, "list": [1, {"x": 2}], "n": null, "new": {"deep": {"er": 1}}}}),
        );
        let found = changes(&source, &result);
        assert_eq!(replay(&source, &found), result);
        let paths: Vec<_> = found.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, ["/metadata/namespace", "/metadata/uid", "/spec/list/1/x", "/spec/new/deep/er", "/spec/running"]);
    }

    #[test]
    fn what_servers_write_and_what_is_secret_is_told_without_its_value() {
        let applied = "kubectl.kubernetes.io/last-applied-configuration";
        let volumes = json!([{"name": "seed", "cloudInitNoCloud": {"userData": "password: hunter2"}}]);
        let source = Manifest::from(
            json!({"metadata": {"uid": "u", "annotations": {applied: "hunter2"}}, "status": {"x": "hunter2"}, "spec": {"template": {"spec": {"volumes": volumes}}}}),
        );
        let found = changes(&source, &Manifest::from(json!({"metadata": {"annotations": {}}})));
        assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
        let told: Vec<_> = found.iter().map(|change| (change.path.as_str(), change.from.is_some())).collect();
        assert_eq!(
            told,
            [
                ("/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration", true),
                ("/metadata/uid", false),
                ("/spec", true),
                ("/status", false)
            ]
        );
    }
}
