//! The objects that the lab makes itself: what an administrator or an operator would have set up.

use std::fs;

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::certificates::Certificates;
use super::layout::Layout;

/// The driver behind the classes `fast`, `wait` and `keep`.
pub const DRIVER: &str = "lab.vmmove.io";
/// The driver behind the class `other`: between the two nothing can be cloned.
pub const OTHER_DRIVER: &str = "other.vmmove.io";

pub const CLASSES: [&str; 4] = ["fast", "wait", "keep", "other"];

/// The service account in kube-system whose token proxies carry; it may do everything.
pub const PROXY_ACCOUNT: &str = "lab-proxy";

const KUBEVIRT_VERSION: &str = "v1.8.0";
const CDI_VERSION: &str = "v1.65.0";

/// The account of [`PROXY_ACCOUNT`].
pub fn proxy() -> Vec<Value> {
    let account = json!({"kind": "ServiceAccount", "name": PROXY_ACCOUNT, "namespace": "kube-system"});
    vec![
        json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": PROXY_ACCOUNT, "namespace": "kube-system"}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": PROXY_ACCOUNT}, "subjects": [account],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}}),
    ]
}

/// Drivers, storage classes and the snapshot class.
pub fn storage() -> Vec<Value> {
    let driver = |name: &str| {
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": name},
            "spec": {"attachRequired": false, "fsGroupPolicy": "File"}})
    };
    let class = |name: &str, driver: &str, reclaim: &str, binding: &str| {
        let default = (name == "fast").to_string();
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": default}},
            "provisioner": driver, "reclaimPolicy": reclaim, "volumeBindingMode": binding, "allowVolumeExpansion": true})
    };
    vec![
        driver(DRIVER),
        driver(OTHER_DRIVER),
        class("fast", DRIVER, "Delete", "Immediate"),
        class("wait", DRIVER, "Delete", "WaitForFirstConsumer"),
        class("keep", DRIVER, "Retain", "Immediate"),
        class("other", OTHER_DRIVER, "Delete", "Immediate"),
        json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass",
            "metadata": {"name": "fast-snapshots"}, "driver": DRIVER, "deletionPolicy": "Delete"}),
    ]
}

/// What CDI's operator keeps: its token keys and its own resource, deployed.
pub fn cdi(layout: &Layout) -> Result<Vec<Value>> {
    let key = |file: &str| fs::read_to_string(layout.pki(file)).with_context(|| format!("no {file}"));
    Ok(vec![
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cdi-api-signing-key", "namespace": "cdi"},
            "stringData": {"id_rsa": key("id_rsa")?, "id_rsa.pub": key("id_rsa.pub")?}}),
        json!({"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "CDI", "metadata": {"name": "cdi"},
            "spec": {"config": {"featureGates": ["HonorWaitForFirstConsumer"]}},
            "status": {"phase": "Deployed", "observedVersion": CDI_VERSION, "operatorVersion": CDI_VERSION,
                "targetVersion": CDI_VERSION}}),
    ])
}

/// The authorities that KubeVirt's programs hand to each other, and KubeVirt's own resource.
pub fn kubevirt(certificates: &Certificates) -> Vec<Value> {
    let mut objects: Vec<Value> = ["kubevirt-ca", "kubevirt-export-ca", "kubevirt-backup-ca"]
        .map(|name| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "kubevirt"},
                "data": {"ca-bundle": certificates.webhook_ca()}})
        })
        .into();
    objects.push(json!({
        "apiVersion": "kubevirt.io/v1", "kind": "KubeVirt", "metadata": {"name": "kubevirt", "namespace": "kubevirt"},
        "spec": {"configuration": {
            "vmRolloutStrategy": "LiveUpdate",
            "developerConfiguration": {"featureGates": ["ExpandDisks", "HotplugVolumes", "Snapshot", "VMExport"]}}},
    }));
    objects
}

/// The status that KubeVirt's operator would report. Without a default architecture every VM is refused.
pub fn kubevirt_status() -> Value {
    json!({"status": {"phase": "Deployed", "defaultArchitecture": "amd64", "observedKubeVirtVersion": KUBEVIRT_VERSION,
        "targetKubeVirtVersion": KUBEVIRT_VERSION, "operatorVersion": KUBEVIRT_VERSION}})
}

/// The two nodes.
pub fn nodes() -> Vec<Value> {
    vec![node("node1"), node("node2")]
}

/// A node as virt-handler and the device plugins would have marked it.
pub fn node(name: &str) -> Value {
    let amounts = json!({"cpu": "64", "memory": "256Gi", "pods": "1000", "ephemeral-storage": "1Ti",
        "devices.kubevirt.io/kvm": "1000", "devices.kubevirt.io/tun": "1000",
        "devices.kubevirt.io/vhost-net": "1000", "devices.kubevirt.io/vhost-vsock": "1000"});
    json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name,
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux",
                "kubevirt.io/schedulable": "true", "machine-type.node.kubevirt.io/q35": "true"},
            "annotations": {"kubevirt.io/heartbeat": jiff::Timestamp::now().to_string()}},
        "status": {"capacity": amounts, "allocatable": amounts}})
}

/// What a StorageProfile needs for a driver that CDI has never heard of.
pub fn storage_profile() -> Value {
    json!({"spec": {"cloneStrategy": "csi-clone", "claimPropertySets": [
        {"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem"},
        {"accessModes": ["ReadWriteMany"], "volumeMode": "Block"}]}})
}

/// Tells webhooks or an API service which port on loopback answers for their service, and which authority vouches for it.
pub fn connect(object: &mut Value, layout: &Layout, certificates: &Certificates) -> Result<()> {
    let bundle = STANDARD.encode(certificates.webhook_ca());
    let port = |service: &Value| match service["name"].as_str() {
        Some("cdi-api") => Ok(layout.ports.cdi_api),
        Some("virt-api") => Ok(layout.ports.virt_api),
        name => anyhow::bail!("nothing serves {name:?}"),
    };
    if let Some(webhooks) = object["webhooks"].as_array_mut() {
        for webhook in webhooks {
            let config = &mut webhook["clientConfig"];
            config["service"]["port"] = port(&config["service"])?.into();
            config["caBundle"] = bundle.clone().into();
        }
    } else {
        let spec = &mut object["spec"];
        spec["service"]["port"] = port(&spec["service"])?.into();
        spec["caBundle"] = bundle.into();
    }
    Ok(())
}
