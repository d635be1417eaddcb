//! Which labels and annotations travel with an object, and why the others stay behind.
//!
//! Sources: kubevirt/kubevirt `pkg/storage/snapshot/restore.go` (what a restored claim must not carry),
//! `pkg/virt-api/webhooks/validating-webhook/admitters/vmi-create-admitter.go` (reserved labels).

use serde_json::{Map, Value};

use crate::model::kind::Kind;
use crate::model::manifest::Manifest;

/// A label or annotation that stays behind: its key, or the beginning of it when it ends in `/` or `.`.
pub struct Rule {
    pub key: &'static str,
    pub why: &'static str,
}

const fn rule(key: &'static str, why: &'static str) -> Rule {
    Rule { key, why }
}

const TRACKED: &str = "a GitOps tool would take the copy for its own and remove or overwrite it";
const OURS: &str = "the tool's own mark on the source";
const RESERVED: &str = "reserved for KubeVirt's own controllers";
const RECORD: &str = "a controller's record about the source object";
const BOUND: &str = "a record of how the source claim was bound or filled; a copy of it would break the new claim";

/// What stays behind whatever the object is.
pub const EVERYWHERE: &[Rule] = &[
    rule("vmmove.io/", OURS),
    rule("kubectl.kubernetes.io/last-applied-configuration", "kubectl's record of the source, which may hold secrets"),
    rule("argocd.argoproj.io/", TRACKED),
    rule("meta.helm.sh/", TRACKED),
    rule("kustomize.toolkit.fluxcd.io/", TRACKED),
    rule("helm.toolkit.fluxcd.io/", TRACKED),
    rule("apps.open-cluster-management.io/", TRACKED),
    rule("restore.kubevirt.io/", RECORD),
];

/// What stays behind of a virtual machine.
pub const MACHINE: &[Rule] = &[
    rule("kubevirt.io/latest-observed-api-version", RECORD),
    rule("kubevirt.io/storage-observed-api-version", RECORD),
    rule("kubevirt.io/restore-run-strategy", RECORD),
    rule("kubemacpool.io/transaction-timestamp", RECORD),
];

/// What stays behind of a virtual machine's template. The template's other `kubevirt.io/` keys fix what the guest sees and travel.
pub const TEMPLATE: &[Rule] = &[
    rule("kubevirt.io/created-by", RESERVED),
    rule("kubevirt.io/migrationJobUID", RESERVED),
    rule("kubevirt.io/nodeName", RESERVED),
    rule("kubevirt.io/migrationTargetNodeName", RESERVED),
    rule("kubevirt.io/schedulable", RESERVED),
    rule("kubevirt.io/install-strategy", RESERVED),
    rule("kubevirt.io/vm-pool-revision-name", RECORD),
];

/// What stays behind of claims, DataVolumes and templates of DataVolumes.
pub const DISK: &[Rule] = &[
    rule("pv.kubernetes.io/", BOUND),
    rule("volume.kubernetes.io/", BOUND),
    rule("volume.beta.kubernetes.io/", BOUND),
    rule("k8s.io/CloneRequest", BOUND),
    rule("k8s.io/CloneOf", BOUND),
    rule("cdi.kubevirt.io/", BOUND),
    rule("kubevirt.io/memory-dump", RECORD),
    rule("kubevirt.io/created-by", RECORD),
    rule("kubevirt.io/migrationName", RECORD),
];

/// What stays behind of a template of a DataVolume: CDI's settings in it are the user's and travel.
pub const DISK_TEMPLATE: &[Rule] = &[
    rule("kubevirt.io/created-by", RECORD),
    rule("cdi.kubevirt.io/storage.clone.token", "a short-lived permit for one clone"),
    rule("cdi.kubevirt.io/storage.extended.clone.token", "a short-lived permit for one clone"),
];

/// CDI's records that say what the bytes are, and so travel with them.
const DISK_KEPT: &[&str] = &["cdi.kubevirt.io/storage.contentType", "cdi.kubevirt.io/storage.preallocation"];

/// The rule by which a key stays behind, if one does.
pub fn stays<'a>(key: &str, rules: &[&'a [Rule]]) -> Option<&'a Rule> {
    let covers = |rule: &&Rule| if rule.key.ends_with(['/', '.']) { key.starts_with(rule.key) } else { key == rule.key };
    let kept = DISK_KEPT.contains(&key) || key.ends_with("/storage.preallocation");
    rules.iter().flat_map(|group| group.iter()).find(covers).filter(|_| !kept)
}

/// Takes what stays behind out of the labels and annotations of `metadata` (an object's, a template's).
pub fn strip(metadata: &mut Value, rules: &[&[Rule]]) {
    let tracked = metadata.pointer("/annotations/argocd.argoproj.io~1tracking-id").is_some();
    for map in ["labels", "annotations"] {
        if let Some(map) = metadata.get_mut(map).and_then(Value::as_object_mut) {
            map.retain(|key, _| stays(key, rules).is_none());
        }
    }
    if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut).filter(|_| tracked) {
        labels.remove(ARGO_LABEL);
    }
}

/// The label by which Argo CD may know its objects; it stays behind where Argo CD's own annotation is beside it.
pub const ARGO_LABEL: &str = "app.kubernetes.io/instance";

/// Fresh metadata with the labels and annotations that travel: nothing that a server or controller wrote, no owners, no finalizers.
pub fn fresh(source: &Manifest, namespace: &str, name: &str, rules: &[&[Rule]]) -> Value {
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), name.into());
    metadata.insert("namespace".to_owned(), namespace.into());
    for map in ["labels", "annotations"] {
        if let Some(values) = source.at(&format!("/metadata/{map}")) {
            metadata.insert(map.to_owned(), values.to_value());
        }
    }
    let mut metadata = Value::Object(metadata);
    strip(&mut metadata, rules);
    metadata
}

/// A new object of a kind with [`fresh`] metadata.
pub fn fresh_object(kind: Kind, source: &Manifest, namespace: &str, name: &str, rules: &[&[Rule]]) -> Manifest {
    let mut object = Manifest::new(kind, namespace, name);
    object.set("/metadata", fresh(source, namespace, name, rules));
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_users_wrote_travels_and_what_controllers_wrote_stays() {
        let mut metadata = json!({
            "labels": {"app": "db", "app.kubernetes.io/instance": "shop", "instancetype.kubevirt.io/default-preference": "rhel.9"},
            "annotations": {
                "team": "shop", "pv.kubernetes.io/bind-completed": "yes", "cdi.kubevirt.io/storage.contentType": "kubevirt",
                "cdi.kubevirt.io/storage.pod.phase": "Succeeded", "argocd.argoproj.io/tracking-id": "shop:x", "vmmove.io/fence": "{}"
            }
        });
        strip(&mut metadata, &[EVERYWHERE, DISK]);
        let kept = json!({
            "labels": {"app": "db", "instancetype.kubevirt.io/default-preference": "rhel.9"},
            "annotations": {"team": "shop", "cdi.kubevirt.io/storage.contentType": "kubevirt"}
        });
        assert_eq!(metadata, kept);
    }

    #[test]
    fn a_label_that_argo_cd_does_not_use_travels() {
        let mut metadata = json!({"labels": {"app.kubernetes.io/instance": "shop"}});
        strip(&mut metadata, &[EVERYWHERE]);
        assert_eq!(metadata, json!({"labels": {"app.kubernetes.io/instance": "shop"}}));
    }

    #[test]
    fn owners_and_finalizers_are_never_copied() {
        let source = Manifest::from(json!({"metadata": {
            "name": "seed", "uid": "u", "finalizers": ["x"], "ownerReferences": [{"kind": "VirtualMachine"}], "generateName": "s-", "labels": {"a": "b"}
        }}));
        assert_eq!(fresh(&source, "prod", "seed", &[EVERYWHERE]), json!({"name": "seed", "namespace": "prod", "labels": {"a": "b"}}));
    }
}
