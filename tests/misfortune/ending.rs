//! How a story ends, in a form in which two stories can be compared.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vmmove::sandbox::catalog::{CLAIM, CONFIG_MAP, DATA_VOLUME, Res, SECRET, SERVICE, VM, VMI, VOLUME};
use vmmove::sandbox::store::text;

use crate::stage::Stage;

const KINDS: [Res; 6] = [&VM, &DATA_VOLUME, &CLAIM, &SECRET, &CONFIG_MAP, &SERVICE];

/// Set by whoever came first, or not at all.
const BY_CHANCE: [&str; 3] = ["vmmove.io/touch", "volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner"];

/// All that a move could make or change, with the bytes of every disk. Identities stand for whose they are; times, versions and the finalizers of
/// controllers are left out.
pub fn ending(stage: &Stage) -> Value {
    stage.sandbox.with(|world| {
        let (mut all, mut names) = (json!({}), BTreeMap::new());
        for kind in KINDS.into_iter().chain([&VMI]) {
            for object in world.list(kind, None) {
                let place = format!("{} {}/{}", kind.kind, text(&object, "/metadata/namespace"), text(&object, "/metadata/name"));
                names.insert(text(&object, "/metadata/uid").to_owned(), format!("uid of {place}"));
                let is_ledger = object.pointer("/metadata/labels/vmmove.io~1ledger").is_some();
                if kind == &VMI {
                    all[place] = object["status"]["phase"].clone();
                } else if !is_ledger && text(&object, "/metadata/name") != "kube-root-ca.crt" {
                    all[place] = plain(&object);
                }
            }
        }
        for volume in world.list(&VOLUME, None) {
            let claim = format!("{}/{}", text(&volume, "/spec/claimRef/namespace"), text(&volume, "/spec/claimRef/name"));
            names.insert(text(&volume, "/metadata/name").to_owned(), format!("volume of {claim}"));
            let bytes = world.disks.read(text(&volume, "/spec/csi/volumeHandle")).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            let plain = plain(&volume);
            all[format!("volume of {claim}")] = json!({
                "labels": plain["labels"], "annotations": plain["annotations"], "policy": volume["spec"]["persistentVolumeReclaimPolicy"],
                "phase": volume["status"]["phase"], "bytes": bytes,
            });
        }
        let mut text = all.to_string();
        for (name, stands_for) in names.iter().filter(|(name, _)| !name.is_empty()) {
            text = text.replace(name.as_str(), stands_for);
        }
        serde_json::from_str(&without_uids(&text)).unwrap()
    })
}

/// The identities that are left are those of objects that are gone.
fn without_uids(text: &str) -> String {
    let (mut short, mut rest) = (String::new(), text);
    while let Some(next) = rest.chars().next() {
        let uid = rest.get(..36).is_some_and(|part| uuid::Uuid::try_parse(part).is_ok());
        short.push_str(if uid { "uid of what is gone" } else { &rest[..next.len_utf8()] });
        rest = &rest[if uid { 36 } else { next.len_utf8() }..];
    }
    short
}

fn plain(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let marks = |field: &str| {
        let marks = metadata[field].as_object().cloned().unwrap_or_default();
        let kept = marks.into_iter().filter(|(name, _)| !BY_CHANCE.contains(&name.as_str()));
        // What our marks say names the move and times.
        kept.map(|(name, value)| if name.starts_with("vmmove.io/") { (name, "".into()) } else { (name, value) }).collect::<Value>()
    };
    let status = object["status"]["printableStatus"].as_str().or_else(|| object["status"]["phase"].as_str());
    json!({
        "labels": marks("labels"), "annotations": marks("annotations"), "owners": metadata["ownerReferences"],
        "spec": object["spec"], "data": object["data"], "status": status, "deleting": metadata.get("deletionTimestamp").is_some(),
    })
}

/// Where two endings differ, a line each.
pub fn differences(wanted: &Value, seen: &Value) -> Vec<String> {
    fn walk(path: &str, wanted: &Value, seen: &Value, lines: &mut Vec<String>) {
        match (wanted, seen) {
            (Value::Object(one), Value::Object(other)) => {
                let keys: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
                for key in keys {
                    walk(&format!("{path}/{key}"), one.get(key).unwrap_or(&Value::Null), other.get(key).unwrap_or(&Value::Null), lines);
                }
            }
            _ if wanted == seen => {}
            _ => lines.push(format!("{path}: {wanted} became {seen}")),
        }
    }
    let mut lines = Vec::new();
    walk("", wanted, seen, &mut lines);
    lines
}
