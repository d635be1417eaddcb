//! The pods around a guest: its launcher, and the pods that hold what was plugged in later.
//! Source: kubevirt 1.8 `pkg/virt-controller/services/template.go`, `pkg/virt-controller/watch/vmi/{lifecycle,volume-hotplug}.go`.
//!
//! Cases: `virtualmachines/a-machine-with-a-secret-runs`, `virtualmachines/no-node-meets-the-fence`,
//! `hot_plug/a-plugged-disk-has-a-pod-of-its-own`, `hot_plug/a-plugged-disk-goes-with-its-guest`.

use std::ops::Bound;
use std::sync::Arc;

use serde_json::{Value, json};

use super::instances::{COMPONENT, is_hotplugged};
use super::machine_rules::claim_of;
use super::objects::{controlled_by, is_controlled_by, list, put};
use super::{Rule, Subject, Verb, is_deleting};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLAIM, NODE, POD, VMI};
use crate::sandbox::delete::{self, Deletion};
use crate::sandbox::status::Status;
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;
use crate::sandbox::write::{Attempt, User};

pub const SUBJECT: Subject =
    Subject { rules: &[Rule { resource: &NODE, subresource: "", verbs: &[Verb::Create], run: schedulable }], controllers: &[] };

pub const IMAGE: &str = "quay.io/kubevirt/virt-launcher:v1.8.0";
/// Added twice to the guest's grace, so that it is virt-handler who ends the guest.
const PADDING: i64 = 15;
const UNPAUSED: &str = "kubevirt.io/virtual-machine-unpaused";

/// Every node has a virt-handler, which says so (kubevirt 1.8 `pkg/virt-handler/heartbeat/heartbeat.go`).
fn schedulable(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    super::objects::default(&mut attempt.object, "/metadata/labels/kubevirt.io~1schedulable", "true");
    super::objects::default(&mut attempt.object, "/metadata/labels/kubernetes.io~1arch", "amd64");
    Ok(())
}

fn prefix(vmi: &Value) -> String {
    format!("virt-launcher-{}-", text(vmi, "/metadata/name"))
}

/// The launchers of an instance.
pub fn all(world: &World, vmi: &Value) -> Vec<Arc<Value>> {
    beginning_with(world, text(vmi, "/metadata/namespace"), &prefix(vmi)).filter(|pod| is_controlled_by(pod, vmi)).collect()
}

fn beginning_with<'w>(world: &'w World, namespace: &'w str, prefix: &'w str) -> impl Iterator<Item = Arc<Value>> + 'w {
    let from = Bound::Included(Key::new(&POD, namespace, prefix));
    world.store.list_after(from, Some(namespace)).take_while(move |(key, _)| key.name.starts_with(prefix)).map(|(_, pod)| pod.clone())
}

/// The launcher in which the guest is.
pub fn current(world: &World, vmi: &Value) -> Option<Arc<Value>> {
    let all = all(world, vmi);
    all.iter().find(|pod| !is_deleting(pod)).or(all.first()).cloned()
}

/// The pods that hold what was plugged in, by their launcher.
pub fn attachments(world: &World, launcher: &Value) -> Vec<Arc<Value>> {
    beginning_with(world, text(launcher, "/metadata/namespace"), "hp-volume-").filter(|pod| is_controlled_by(pod, launcher)).collect()
}

pub fn is_ready(pod: &Value) -> bool {
    text(pod, "/status/phase") == "Running" && !is_deleting(pod)
}

/// Whether a pod is over, or on its way out.
pub fn is_going(pod: &Value) -> bool {
    is_deleting(pod) || matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// The launcher that an instance gets.
pub fn manifest(vmi: &Value) -> Value {
    let name = text(vmi, "/metadata/name");
    let grace = vmi.at("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(30) + 2 * PADDING;
    let mut labels = vmi.at("/metadata/labels").cloned().unwrap_or_else(|| json!({}));
    let mut annotations = vmi.at("/metadata/annotations").cloned().unwrap_or_else(|| json!({}));
    put(&mut labels, "/kubevirt.io", "virt-launcher");
    put(&mut labels, "/kubevirt.io~1created-by", vmi["metadata"]["uid"].clone());
    put(&mut labels, "/vm.kubevirt.io~1name", name);
    put(&mut labels, "/vmi.kubevirt.io~1id", name);
    put(&mut annotations, "/kubevirt.io~1domain", name);
    put(&mut annotations, "/kubevirt.io~1migrationTransportUnix", "true");
    put(&mut annotations, "/kubectl.kubernetes.io~1default-container", "compute");
    let memory = vmi.at("/spec/domain/resources/requests/memory").or_else(|| vmi.at("/spec/domain/memory/guest"));
    let requests = json!({"cpu": "100m", "memory": memory.cloned().unwrap_or_else(|| "128Mi".into()), "devices.kubevirt.io/kvm": "1"});
    let mut selector = vmi.at("/spec/nodeSelector").cloned().unwrap_or_else(|| json!({}));
    put(&mut selector, "/kubevirt.io~1schedulable", "true");
    put(&mut selector, "/kubernetes.io~1arch", vmi.at("/spec/architecture").cloned().unwrap_or_else(|| "amd64".into()));
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "generateName": prefix(vmi), "namespace": vmi["metadata"]["namespace"], "labels": labels, "annotations": annotations,
            "ownerReferences": [controlled_by(&VMI, vmi)],
        },
        "spec": {
            "hostname": name, "terminationGracePeriodSeconds": grace, "restartPolicy": "Never", "nodeSelector": selector,
            "readinessGates": [{"conditionType": UNPAUSED}], "enableServiceLinks": false, "automountServiceAccountToken": false,
            "containers": [{"name": "compute", "image": IMAGE, "resources": {"requests": requests}}],
            "volumes": list(vmi, "/spec/volumes").iter().filter(|volume| !is_hotplugged(volume)).filter_map(mount).collect::<Vec<Value>>(),
        },
        "status": {"phase": "Pending", "qosClass": "Burstable"},
    });
    for kept in ["affinity", "tolerations", "topologySpreadConstraints", "schedulerName", "priorityClassName", "dnsPolicy", "dnsConfig", "subdomain"]
    {
        if let Some(value) = vmi.at(&format!("/spec/{kept}")) {
            pod["spec"][kept] = value.clone();
        }
    }
    let account = |volume: &Value| volume.at("/serviceAccount/serviceAccountName").cloned();
    if let Some(account) = list(vmi, "/spec/volumes").iter().find_map(account) {
        pod["spec"]["serviceAccountName"] = account;
        pod["spec"]["automountServiceAccountToken"] = true.into();
    }
    pod
}

/// What of an instance's volume a pod mounts.
fn mount(volume: &Value) -> Option<Value> {
    let name = &volume["name"];
    if let Some(claim) = claim_of(volume) {
        return Some(json!({"name": name, "persistentVolumeClaim": {"claimName": claim}}));
    }
    if let Some(claim) = volume.at("/ephemeral/persistentVolumeClaim/claimName") {
        return Some(json!({"name": name, "persistentVolumeClaim": {"claimName": claim, "readOnly": true}}));
    }
    let by_name = |pointer: &str, kind: &str, field: &str| volume.at(pointer).map(|found| json!({"name": name, kind: {field: found}}));
    by_name("/secret/secretName", "secret", "secretName")
        .or_else(|| by_name("/configMap/name", "configMap", "name"))
        .or_else(|| by_name("/sysprep/secret/name", "secret", "secretName"))
        .or_else(|| by_name("/sysprep/configMap/name", "configMap", "name"))
        .or_else(|| by_name("/cloudInitNoCloud/secretRef/name", "secret", "secretName"))
        .or_else(|| by_name("/cloudInitConfigDrive/secretRef/name", "secret", "secretName"))
}

/// Has the pods around a guest that is to end go; each waits for the guest as long as its grace allows.
pub fn delete_all(world: &mut World, vmi: &Value) {
    for pod in all(world, vmi) {
        delete_attachments(world, &pod);
        if is_deleting(&pod) && !matches!(text(&pod, "/status/phase"), "Succeeded" | "Failed") {
            continue;
        }
        if !is_deleting(&pod) && world.delete(&Key::of(&POD, &pod)).is_ok() {
            let words = format!("Deleted virtual machine pod {}", text(&pod, "/metadata/name"));
            world.tell(vmi, COMPONENT, "Normal", "SuccessfulDelete", &words);
        }
    }
}

pub fn delete_attachments(world: &mut World, launcher: &Value) {
    for pod in attachments(world, launcher).iter().filter(|pod| !is_deleting(pod)) {
        drop(world.delete(&Key::of(&POD, pod)));
    }
}

/// The guest has ended, and so does what was around it: a launcher that is to go goes, one that nobody asked to go is completed.
pub fn finish(world: &mut World, vmi: &Value) {
    let failed = text(vmi, "/status/phase") == "Failed";
    for pod in all(world, vmi) {
        let key = Key::of(&POD, &pod);
        if is_deleting(&pod) {
            let at_once = Deletion { grace: Some(0), ..Deletion::default() };
            drop(delete::delete(world, &User::controller(), &key, &at_once));
        } else if text(&pod, "/status/phase") == "Running" {
            drop(world.change(&key, |pod| complete(pod, failed)));
        }
    }
}

fn complete(pod: &mut Value, failed: bool) {
    put(pod, "/status/phase", if failed { "Failed" } else { "Succeeded" });
    let mut containers = list(pod, "/status/containerStatuses").to_vec();
    for container in &mut containers {
        put(container, "/ready", false);
        put(container, "/state", json!({"terminated": {"exitCode": i32::from(failed), "reason": if failed { "Error" } else { "Completed" }}}));
    }
    if !containers.is_empty() {
        put(pod, "/status/containerStatuses", containers);
    }
    let mut conditions = list(pod, "/status/conditions").to_vec();
    for condition in conditions.iter_mut().filter(|condition| matches!(text(condition, "/type"), "Ready" | "ContainersReady")) {
        put(condition, "/status", "False");
        put(condition, "/reason", "PodCompleted");
    }
    if !conditions.is_empty() {
        put(pod, "/status/conditions", conditions);
    }
}

/// Keeps one pod that holds what is plugged in, in place of any that holds something else.
pub fn attach(world: &mut World, vmi: &Value, launcher: &Value) {
    let namespace = text(launcher, "/metadata/namespace");
    let is_bound = |volume: &&Value| {
        let claim = claim_of(volume).and_then(|name| world.get(&CLAIM, namespace, name));
        claim.is_some_and(|claim| text(&claim, "/status/phase") == "Bound")
    };
    let plugged = list(vmi, "/spec/volumes").iter().filter(|volume| is_hotplugged(volume));
    let wanted: Vec<Value> = plugged.filter(is_bound).filter_map(mount).collect();
    let there = attachments(world, launcher);
    let held =
        |pod: &Arc<Value>| list(pod, "/spec/volumes").iter().filter(|volume| volume.get("emptyDir").is_none()).cloned().collect::<Vec<Value>>();
    let fits = there.iter().find(|pod| held(pod) == wanted && !is_deleting(pod)).cloned();
    if fits.is_none()
        && !wanted.is_empty()
        && let Ok(pod) = world.create(attachment(launcher, &wanted))
    {
        let words = format!("Created attachment pod {}", text(&pod, "/metadata/name"));
        world.tell(vmi, COMPONENT, "Normal", "SuccessfulCreate", &words);
    }
    // The old one goes when the new one holds what is still needed.
    if wanted.is_empty() || fits.as_deref().is_some_and(is_ready) {
        let kept = fits.as_ref().map(|pod| text(pod, "/metadata/uid").to_owned());
        for old in there.iter().filter(|pod| Some(text(pod, "/metadata/uid")) != kept.as_deref() && !is_deleting(pod)) {
            drop(world.delete(&Key::of(&POD, old)));
        }
    }
}

fn attachment(launcher: &Value, volumes: &[Value]) -> Value {
    let mut all = vec![json!({"name": "hotplug-disks", "emptyDir": {}})];
    all.extend_from_slice(volumes);
    let here = json!({"key": "kubernetes.io/hostname", "operator": "In", "values": [launcher["spec"]["nodeName"]]});
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "generateName": "hp-volume-", "namespace": launcher["metadata"]["namespace"], "labels": {"kubevirt.io": "hotplug-disk"},
            "ownerReferences": [controlled_by(&POD, launcher)],
        },
        "spec": {
            "containers": [{"name": "hotplug-disk", "image": IMAGE}], "terminationGracePeriodSeconds": 0, "volumes": all, "restartPolicy": "Always",
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}}},
        },
    })
}
