//! Pods on their nodes, as kubelets play them: they start at once, end when they are asked to, and some end by themselves.
//!
//! A pod's annotations steer it: `sandbox/start-seconds` and `sandbox/stop-seconds` say how long it takes to start and to stop (never
//! longer than its grace), `sandbox/complete-seconds` that it ends by itself after that time.
//! Source: kubernetes 1.36 `pkg/apis/core/v1/defaults.go`, `pkg/kubelet`; the times as the laboratory's KWOK stages have them.
//!
//! Cases: `tables/a-pod-in-a-row`, `claims/a-claim-in-use-waits-for-its-pod`.

use std::time::Duration;

use serde_json::{Value, json};

use super::binding::annotation;
use super::claims::no_amount;
use super::{Controller, Rule, Subject, Verb, is_deleting, itself};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{JOB, NODE, POD, VMI};
use crate::sandbox::delete::{self, Deletion};
use crate::sandbox::index::OWNED_BY;
use crate::sandbox::quantity::tidy;
use crate::sandbox::status::Status;
use crate::sandbox::store::{Change, Key, text};
use crate::sandbox::world::World;
use crate::sandbox::write::{Attempt, User};

pub const SUBJECT: Subject = Subject {
    rules: &[Rule { resource: &POD, subresource: "", verbs: &[Verb::Create], run: complete }],
    controllers: &[
        Controller { name: "kubelet-nodes", watches: &[(&NODE, itself)], reconcile: register },
        Controller { name: "kubelet-hears", watches: &[(&POD, itself), (&VMI, launchers)], reconcile: hear },
        Controller { name: KUBELET, watches: &[], reconcile: act },
    ],
};

const KUBELET: &str = "kubelet";
/// A pod is started, and ended, in this time.
const SOON: Duration = Duration::from_millis(100);

fn complete(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let pod = &mut attempt.object;
    let spec = &mut pod["spec"];
    for (field, usual) in [
        ("restartPolicy", json!("Always")),
        ("terminationGracePeriodSeconds", json!(30)),
        ("dnsPolicy", json!("ClusterFirst")),
        ("securityContext", json!({})),
        ("schedulerName", json!("default-scheduler")),
        ("enableServiceLinks", json!(true)),
        ("preemptionPolicy", json!("PreemptLowerPriority")),
        ("priority", json!(0)),
        ("serviceAccountName", json!("default")),
    ] {
        if spec.get(field).is_none_or(Value::is_null) {
            spec[field] = usual;
        }
    }
    spec["serviceAccount"] = spec["serviceAccountName"].clone();
    tolerate(spec);
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            complete_container(container)?;
        }
    }
    let class = quality(spec);
    pod["status"] = json!({"phase": "Pending", "qosClass": class});
    Ok(())
}

fn complete_container(container: &mut Value) -> Result<(), Status> {
    let image = text(container, "/image");
    let latest = image.ends_with(":latest") || !image.rsplit('/').next().unwrap_or_default().contains([':', '@']);
    let pull = if latest { "Always" } else { "IfNotPresent" };
    let usual = [
        ("terminationMessagePath", json!("/dev/termination-log")),
        ("terminationMessagePolicy", json!("File")),
        ("imagePullPolicy", json!(pull)),
        ("resources", json!({})),
    ];
    for (field, usual) in usual {
        if container.get(field).is_none_or(Value::is_null) {
            container[field] = usual;
        }
    }
    let resources = &mut container["resources"];
    for list in ["requests", "limits"] {
        tidy(resources.get_mut(list)).map_err(|_| no_amount("Pod"))?;
    }
    // What is limited and not asked for is asked for.
    for (name, amount) in resources.get("limits").and_then(Value::as_object).cloned().into_iter().flatten() {
        if resources.at("/requests").and_then(|requests| requests.get(&name)).is_none() {
            resources["requests"][name] = amount;
        }
    }
    Ok(())
}

/// Pods stay five minutes on a node that says nothing (`plugin/pkg/admission/defaulttolerationseconds`).
fn tolerate(spec: &mut Value) {
    if !spec["tolerations"].is_array() {
        spec["tolerations"] = json!([]);
    }
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        if let Some(all) = spec["tolerations"].as_array_mut()
            && !all.iter().any(|one| text(one, "/key") == key)
        {
            all.push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
        }
    }
}

/// The class of service that a pod is of.
pub fn quality(spec: &Value) -> &'static str {
    let containers: Vec<&Value> = spec["containers"].as_array().into_iter().flatten().collect();
    let resources = |container: &Value, list: &str| container["resources"].get(list).cloned().unwrap_or(Value::Null);
    let sure = |container: &&Value| {
        let (requests, limits) = (resources(container, "requests"), resources(container, "limits"));
        ["cpu", "memory"].iter().all(|name| limits.get(name).is_some() && limits.get(name) == requests.get(name))
    };
    if containers.iter().all(|container| resources(container, "requests").is_null()) {
        "BestEffort"
    } else if containers.iter().all(sure) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

/// A node that nobody described has room for much, and every node is ready unless something else is said.
fn register(world: &mut World, key: &Key) -> Option<Duration> {
    let stamp = world.stamp();
    drop(world.change(key, |node| {
        if node.at("/status/allocatable").is_none() {
            let amounts = json!({"cpu": "64", "memory": "256Gi", "pods": "1000", "ephemeral-storage": "1Ti",
                "devices.kubevirt.io/kvm": "1000", "devices.kubevirt.io/tun": "1000",
                "devices.kubevirt.io/vhost-net": "1000", "devices.kubevirt.io/vhost-vsock": "1000"});
            node["status"]["capacity"] = amounts.clone();
            node["status"]["allocatable"] = amounts;
        }
        if node.at("/status/conditions").is_none() {
            node["status"]["conditions"] = json!([{"type": "Ready", "status": "True", "reason": "KubeletReady",
                "message": "kubelet is posting ready status", "lastHeartbeatTime": stamp, "lastTransitionTime": stamp}]);
        }
    }));
    None
}

/// The pods of a guest: they go when it has ended.
fn launchers(world: &World, change: &Change) -> Vec<Key> {
    let pods = world.store.find(&OWNED_BY, text(&change.object, "/metadata/uid"));
    pods.map(|(key, _)| key).filter(|key| key.resource == &POD).cloned().collect()
}

fn seconds(pod: &Value, name: &str) -> Option<Duration> {
    let seconds = annotation(pod, &format!("sandbox/{name}"))?.parse::<f64>().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// How long until the kubelet has done what a pod asks for.
fn hear(world: &mut World, key: &Key) -> Option<Duration> {
    let pod = world.store.get(key).filter(|pod| !text(pod, "/spec/nodeName").is_empty())?;
    let after = match text(pod, "/status/phase") {
        _ if is_deleting(pod) => seconds(pod, "stop-seconds").unwrap_or(SOON).min(grace_left(world, pod)),
        "Pending" => seconds(pod, "start-seconds").unwrap_or(SOON),
        "Running" => seconds(pod, "complete-seconds").or_else(|| is_of_a_job(pod).then_some(SOON))?,
        _ => return None,
    };
    world.look(KUBELET, key.clone(), after);
    None
}

fn grace_left(world: &World, pod: &Value) -> Duration {
    let end = text(pod, "/metadata/deletionTimestamp").parse::<jiff::Timestamp>().ok();
    let left = end.and_then(|end| Duration::try_from(end.duration_since(world.now())).ok());
    left.unwrap_or_default()
}

fn act(world: &mut World, key: &Key) -> Option<Duration> {
    let pod = world.store.get(key)?.clone();
    if is_deleting(&pod) {
        let left = grace_left(world, &pod);
        if !left.is_zero() && its_guest_goes_on(world, &pod) {
            return Some(left);
        }
        let uid = Some(text(&pod, "/metadata/uid").to_owned());
        drop(delete::delete(world, &User::controller(), key, &Deletion { grace: Some(0), uid, ..Deletion::default() }));
        return None;
    }
    match text(&pod, "/status/phase") {
        "Pending" => drop(world.change_status(key, start)),
        "Running" if is_of_a_job(&pod) || seconds(&pod, "complete-seconds").is_some() => drop(world.change_status(key, end)),
        _ => {}
    }
    None
}

/// Nothing runs in the containers: those of a job are done at once.
fn is_of_a_job(pod: &Value) -> bool {
    super::objects::controller(pod).is_some_and(|owner| text(owner, "/kind") == JOB.kind)
}

/// A launcher outlives its guest.
fn its_guest_goes_on(world: &World, pod: &Value) -> bool {
    let owners = pod.at("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten();
    let mut guests = owners.filter(|owner| text(owner, "/kind") == VMI.kind);
    guests.any(|owner| {
        let key = Key::new(&VMI, text(pod, "/metadata/namespace"), text(owner, "/name"));
        let guest = world.same(&key, text(owner, "/uid"));
        guest.is_some_and(|guest| matches!(text(&guest, "/status/phase"), "Scheduled" | "Running"))
    })
}

impl World {
    fn change_status(&mut self, key: &Key, change: fn(&mut Value, &Value)) -> Result<(), Status> {
        let stamp = self.stamp();
        self.change(key, |pod| change(pod, &stamp))
    }
}

/// Sets a condition of a pod, in its place among the others.
pub fn set_condition(pod: &mut Value, condition: Value) {
    if !pod["status"]["conditions"].is_array() {
        pod["status"]["conditions"] = json!([]);
    }
    let Some(all) = pod["status"]["conditions"].as_array_mut() else { return };
    match all.iter_mut().find(|one| one["type"] == condition["type"]) {
        Some(one) => *one = condition,
        None => all.push(condition),
    }
}

/// An address that follows from the pod's identity, so that hardly two have the same.
fn address(pod: &Value) -> String {
    let uid = text(pod, "/metadata/uid");
    let part = |at: usize| uid.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()).unwrap_or_default();
    format!("10.88.{}.{}", part(0), part(2).clamp(2, 254))
}

fn start(pod: &mut Value, stamp: &Value) {
    pod["status"]["phase"] = "Running".into();
    pod["status"]["startTime"] = stamp.clone();
    for (field, value) in [("hostIP", "10.0.0.1".to_owned()), ("podIP", address(pod))] {
        pod["status"][field] = value.as_str().into();
        pod["status"][format!("{field}s")] = json!([{"ip": value}]);
    }
    for name in ["PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"] {
        set_condition(pod, json!({"type": name, "status": "True", "lastTransitionTime": stamp}));
    }
    for gate in pod.at("/spec/readinessGates").and_then(Value::as_array).cloned().unwrap_or_default() {
        set_condition(pod, json!({"type": gate["conditionType"], "status": "True", "lastTransitionTime": stamp}));
    }
    let running = json!({"running": {"startedAt": stamp}});
    let over = json!({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": stamp, "finishedAt": stamp}});
    let list = |list: &str| pod["spec"].get(list).and_then(Value::as_array).cloned().unwrap_or_default();
    let container = |container: &Value, state: &Value| {
        json!({"name": container["name"], "image": container["image"], "imageID": container["image"], "restartCount": 0,
            "ready": true, "started": true, "state": state})
    };
    let containers: Vec<Value> = list("containers").iter().map(|one| container(one, &running)).collect();
    let first: Vec<Value> =
        list("initContainers").iter().map(|one| container(one, if one["restartPolicy"] == "Always" { &running } else { &over })).collect();
    pod["status"]["containerStatuses"] = containers.into();
    if !first.is_empty() {
        pod["status"]["initContainerStatuses"] = first.into();
    }
}

/// All containers end well.
pub fn end(pod: &mut Value, stamp: &Value) {
    pod["status"]["phase"] = "Succeeded".into();
    for name in ["ContainersReady", "Ready"] {
        set_condition(pod, json!({"type": name, "status": "False", "reason": "PodCompleted", "lastTransitionTime": stamp}));
    }
    let started = pod["status"]["startTime"].clone();
    for container in pod.pointer_mut("/status/containerStatuses").and_then(Value::as_array_mut).into_iter().flatten() {
        container["ready"] = false.into();
        container["started"] = false.into();
        // CDI reads the message of a worker as JSON.
        container["state"] =
            json!({"terminated": {"exitCode": 0, "reason": "Completed", "message": "{}", "startedAt": started, "finishedAt": stamp}});
    }
}
