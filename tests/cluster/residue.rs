//! What a move leaves in a cluster, in a form in which two moves can be compared.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::endings::{BY_CHANCE, differences, renamed};
use crate::lab::Lab;
use crate::machines::bare;

/// The kinds that a move makes or changes.
const KINDS: [&str; 6] = ["VirtualMachine", "DataVolume", "PersistentVolumeClaim", "Secret", "ConfigMap", "Service"];

/// The end state of both namespaces: every object, its guests, every volume and its bytes. What differs between any two moves (names of
/// namespaces and volumes, UIDs, MAC addresses, times, the values of our marks) is replaced by what it stands for.
pub async fn residue(lab: &Lab, source: &str, target: &str) -> Result<Value> {
    let mut names = BTreeMap::from([(source.to_owned(), "SOURCE".to_owned()), (target.to_owned(), "TARGET".to_owned())]);
    let mut all = json!({});
    for (end, namespace) in [("source", source), ("target", target)] {
        for kind in KINDS {
            for object in lab.list(kind, namespace).await?.into_iter().filter(|object| !is_ledger(object)) {
                let name = text(&object["metadata"]["name"]);
                names.insert(text(&object["metadata"]["uid"]), format!("uid of {end} {kind} {name}"));
                let bare = plain(bare(object));
                if kind == "VirtualMachine" {
                    let mac = &bare["spec"]["template"]["spec"]["domain"]["devices"]["interfaces"][0]["macAddress"];
                    names.insert(text(mac), "MAC".into());
                    let firmware = &bare["spec"]["template"]["spec"]["domain"]["firmware"];
                    names.extend(["uuid", "serial"].iter().filter_map(|key| Some((firmware[*key].as_str()?.to_owned(), (*key).to_owned()))));
                }
                all[end][kind][name] = bare;
            }
        }
        for guest in lab.list("VirtualMachineInstance", namespace).await? {
            all[end]["guests"][text(&guest["metadata"]["name"])] = guest["status"]["phase"].clone();
        }
    }
    for volume in volumes(lab, source, target).await? {
        let spec = &volume["spec"];
        let (namespace, claim) = (text(&spec["claimRef"]["namespace"]), text(&spec["claimRef"]["name"]));
        let end = if namespace == source { "SOURCE" } else { "TARGET" };
        names.insert(text(&volume["metadata"]["name"]), format!("volume of {end}/{claim}"));
        let marker = String::from_utf8_lossy(&lab.read_marker(&namespace, &claim).await.unwrap_or_default()).into_owned();
        let told = plain(json!({"metadata": volume["metadata"], "policy": spec["persistentVolumeReclaimPolicy"], "bytes": marker}));
        let marks = json!({"labels": told["metadata"]["labels"], "annotations": told["metadata"]["annotations"]});
        all["volumes"][format!("{namespace}/{claim}")] =
            json!({"marks": marks, "policy": told["policy"], "phase": volume["status"]["phase"], "bytes": told["bytes"]});
    }
    renamed(&all, &names)
}

/// Every volume of every claim that is or was in the two namespaces.
pub async fn volumes(lab: &Lab, source: &str, target: &str) -> Result<Vec<Value>> {
    let of = |volume: &Value| [source, target].contains(&volume["spec"]["claimRef"]["namespace"].as_str().unwrap_or_default());
    Ok(lab.list("PersistentVolume", "").await?.into_iter().filter(of).collect())
}

/// No volume is left behind: each one there is belongs to a claim that there is.
pub async fn no_volume_is_orphaned(lab: &Lab, source: &str, target: &str) -> Result<()> {
    lab.wait("volumes without a claim are gone", async || {
        for volume in volumes(lab, source, target).await? {
            let reference = &volume["spec"]["claimRef"];
            let claim = lab.find("PersistentVolumeClaim", &text(&reference["namespace"]), &text(&reference["name"])).await?;
            let theirs = claim.is_some_and(|claim| claim["metadata"]["uid"] == reference["uid"]);
            ensure!(theirs, "volume {} of {reference} ({}) is left", volume["metadata"]["name"], volume["status"]["phase"]);
        }
        Ok(true)
    })
    .await
}

/// Both namespaces end up as an undisturbed move leaves them; the error shows the difference.
pub async fn ends_as(lab: &Lab, source: &str, target: &str, wanted: &Value) -> Result<()> {
    no_volume_is_orphaned(lab, source, target).await?;
    lab.wait("it ends as an undisturbed move does", async || {
        let differences = differences(wanted, &residue(lab, source, target).await?);
        ensure!(differences.is_empty(), "{}", differences.join("\n"));
        Ok(true)
    })
    .await
}

fn is_ledger(object: &Value) -> bool {
    object["metadata"]["labels"]["vmmove.io/ledger"].is_string() || object["metadata"]["name"] == "kube-root-ca.crt"
}

/// Our marks keep their keys and lose their values, which name the move, the holder and times; so do CDI's tokens.
fn plain(mut object: Value) -> Value {
    for map in ["labels", "annotations"] {
        let Some(map) = object["metadata"][map].as_object_mut() else { continue };
        map.retain(|key, _| !BY_CHANCE.contains(&key.as_str()));
        for (key, value) in map {
            if key.starts_with("vmmove.io/") || key.ends_with("clone.token") {
                *value = "".into();
            }
        }
    }
    if let Some(affinity) = object.pointer_mut("/spec/template/spec/affinity/nodeAffinity") {
        *affinity = "fenced".into();
    }
    object
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
