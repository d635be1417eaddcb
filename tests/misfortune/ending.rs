//! How a story ends, in a form in which two stories can be compared.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vmmove::sandbox::catalog::{ALL, CLAIM, EVENT, LEASE, POD, Res, VMI, VOLUME};
use vmmove::sandbox::store::text;

use crate::endings::{BY_CHANCE, renamed};
use crate::scenes::WROTE;
use crate::stage::Stage;

/// What is there for the sake of something else, or told of it; volumes are told by their claims.
const LEFT_OUT: [Res; 4] = [&EVENT, &LEASE, &POD, &VOLUME];

/// All that a move could make or change, with the bytes of every disk. Identities stand for whose they are; times, versions and the finalizers of
/// controllers are left out.
pub fn ending(stage: &Stage) -> Value {
    let moves = stage.moves();
    stage.sandbox.with(|world| {
        let mut all = json!({});
        let mut names: BTreeMap<String, String> = moves.into_iter().map(|name| (name, "the move".to_owned())).collect();
        for kind in ALL.iter().filter(|kind| !LEFT_OUT.contains(kind)) {
            for object in world.list(kind, None) {
                let place = format!("{} {}/{}", kind.kind, text(&object, "/metadata/namespace"), text(&object, "/metadata/name"));
                names.insert(text(&object, "/metadata/uid").to_owned(), format!("uid of {place}"));
                let address = text(&object, "/spec/clusterIP");
                if address != "None" {
                    names.insert(address.to_owned(), format!("address of {place}"));
                }
                let is_ledger = object.pointer("/metadata/labels/vmmove.io~1ledger").is_some();
                if *kind == &VMI {
                    all[place] = object["status"]["phase"].clone();
                } else if !is_ledger && !is_kubevirts(text(&object, "/metadata/name")) && text(&object, "/metadata/name") != "kube-root-ca.crt" {
                    all[place] = plain(&object);
                }
            }
        }
        for volume in world.list(&VOLUME, None) {
            let [namespace, name, uid] = ["namespace", "name", "uid"].map(|field| text(&volume, &format!("/spec/claimRef/{field}")));
            // Where its claim has gone, or another of that name has come.
            let gone = world.get(&CLAIM, namespace, name).is_none_or(|claim| text(&claim, "/metadata/uid") != uid);
            let place = format!("volume {}of {namespace}/{name}", if gone { "once " } else { "" });
            names.insert(text(&volume, "/metadata/name").to_owned(), place.clone());
            // What guests write when they come up tells how often they did.
            let bytes = world.disks.read(text(&volume, "/spec/csi/volumeHandle")).map(|bytes| {
                let text = String::from_utf8_lossy(bytes).into_owned();
                text.lines().filter(|line| !line.starts_with(WROTE)).collect::<Vec<_>>().join("\n")
            });
            let plain = plain(&volume);
            all[place] = json!({
                "labels": plain["labels"], "annotations": plain["annotations"], "policy": volume["spec"]["persistentVolumeReclaimPolicy"],
                "phase": volume["status"]["phase"], "bytes": bytes,
            });
        }
        renamed(&all, &names).unwrap()
    })
}

/// What KubeVirt keeps of each start of a machine.
fn is_kubevirts(name: &str) -> bool {
    name.starts_with("revision-start-vm-")
}

fn plain(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let marks = |field: &str| {
        let marks = metadata[field].as_object().cloned().unwrap_or_default();
        let kept = marks.into_iter().filter(|(name, _)| !BY_CHANCE.contains(&name.as_str()));
        // What our marks say names the move and times.
        kept.map(|(name, value)| if name.starts_with("vmmove.io/") { (name, "".into()) } else { (name, value) }).collect::<Value>()
    };
    // Whether KubeVirt looked at a halted machine since its volume went is chance.
    let status = object["status"]["printableStatus"].as_str().map(|status| if status == "DataVolumeError" { "Stopped" } else { status });
    let status = status.or_else(|| object["status"]["phase"].as_str());
    json!({
        "labels": marks("labels"), "annotations": marks("annotations"), "owners": metadata["ownerReferences"],
        "spec": object["spec"], "data": object["data"], "status": status, "deleting": metadata.get("deletionTimestamp").is_some(),
    })
}
