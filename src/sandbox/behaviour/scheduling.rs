//! The scheduler: which node a pod goes to, and why it goes nowhere.
//! Source: kubernetes 1.36 `pkg/scheduler/framework/plugins/{nodeaffinity,tainttoleration,nodeunschedulable,noderesources,volumebinding}`,
//! `pkg/scheduler/framework/types.go` (FitError).
//!
//! Cases: `wait_for_first_consumer/a-node-is-chosen-where-the-pod-may-go`, `wait_for_first_consumer/a-pod-that-fits-nowhere-binds-nothing`,
//! `virtualmachines/no-node-meets-the-fence`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::binding::{BIND_COMPLETED, BOUND_BY_CONTROLLER, SELECTED_NODE, annotation, reference, waits_for_consumer};
use super::claims::class;
use super::matching::smallest_free;
use super::pods::set_condition;
use super::{Controller, Subject, is_deleting, itself, labels};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLAIM, NODE, POD, STORAGE_CLASS, VOLUME};
use crate::sandbox::index::{PODS_ON, PODS_WITH, place};
use crate::sandbox::quantity::{Quantity, amounts};
use crate::sandbox::store::{Change, Key, What, text};
use crate::sandbox::world::World;

pub const SUBJECT: Subject = Subject {
    rules: &[],
    controllers: &[Controller {
        name: "default-scheduler",
        watches: &[(&POD, pods_waiting), (&CLAIM, pods_with), (&NODE, all_waiting)],
        reconcile: schedule,
    }],
};

const COMPONENT: &str = "default-scheduler";

/// A pod that waits, and all that wait when one has made room.
fn pods_waiting(world: &World, change: &Change) -> Vec<Key> {
    let over = matches!(text(&change.object, "/status/phase"), "Succeeded" | "Failed");
    match (change.what, text(&change.object, "/spec/nodeName")) {
        (What::Deleted, _) => all_waiting(world, change),
        (_, "") => itself(world, change),
        _ if over => all_waiting(world, change),
        _ => Vec::new(),
    }
}

fn pods_with(world: &World, change: &Change) -> Vec<Key> {
    world.store.find(&PODS_WITH, &place(&change.key.namespace, &change.key.name)).map(|(key, _)| key.clone()).collect()
}

fn all_waiting(world: &World, _: &Change) -> Vec<Key> {
    world.store.find(&PODS_ON, "").map(|(key, _)| key.clone()).collect()
}

fn schedule(world: &mut World, key: &Key) -> Option<Duration> {
    let pod = world.store.get(key)?.clone();
    let gated = pod.at("/spec/schedulingGates").and_then(Value::as_array).is_some_and(|gates| !gates.is_empty());
    if !text(&pod, "/spec/nodeName").is_empty() || is_deleting(&pod) || text(&pod, "/status/phase") != "Pending" {
        return None;
    }
    if gated {
        not_yet(world, key, "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates");
        return None;
    }
    match volumes(world, key, &pod).and_then(|volumes| node_for(world, &pod, &volumes).map(|node| (node, volumes))) {
        Ok((node, volumes)) => {
            if volumes.late.is_empty() {
                assign(world, key, &pod, &node);
            } else {
                choose_for(world, &volumes.late, &node);
            }
        }
        Err(why) => {
            let new = not_yet(world, key, "Unschedulable", &why);
            if new {
                world.tell(&pod, COMPONENT, "Warning", "FailedScheduling", &why);
            }
        }
    }
    None
}

/// Notes why a pod is nowhere. True when that is news.
fn not_yet(world: &mut World, key: &Key, reason: &str, message: &str) -> bool {
    let stamp = world.stamp();
    let version = world.store.version();
    drop(world.change(key, |pod| {
        let known = pod["status"]["conditions"].as_array().into_iter().flatten().find(|one| one["type"] == "PodScheduled");
        if known.is_none_or(|known| known["message"] != message) {
            let condition = json!({"type": "PodScheduled", "status": "False", "reason": reason, "message": message, "lastTransitionTime": stamp});
            set_condition(pod, condition);
        }
    }));
    world.store.version() != version
}

/// A pod's claims, in what matters to the scheduler.
struct Volumes {
    bound: Vec<Arc<Value>>,
    /// Claims that wait for this pod.
    late: Vec<Key>,
    /// The node that was chosen for them.
    chosen: Option<String>,
}

fn volumes(world: &World, key: &Key, pod: &Value) -> Result<Volumes, String> {
    let mut volumes = Volumes { bound: Vec::new(), late: Vec::new(), chosen: None };
    let nodes = world.store.list(&NODE, None).count();
    let nowhere = |why: &str| {
        let preemption = format!("preemption: 0/{nodes} nodes are available: {nodes} Preemption is not helpful for scheduling.");
        format!("0/{nodes} nodes are available: {why}. {preemption}")
    };
    let all = pod.at("/spec/volumes").and_then(Value::as_array).into_iter().flatten();
    for name in all.filter_map(|volume| volume.at("/persistentVolumeClaim/claimName")?.as_str()) {
        let Some(claim) = world.get(&CLAIM, &key.namespace, name) else {
            return Err(nowhere(&format!("persistentvolumeclaim \"{name}\" not found")));
        };
        if is_deleting(&claim) {
            return Err(nowhere(&format!("persistentvolumeclaim \"{name}\" is being deleted")));
        }
        if text(&claim, "/status/phase") == "Lost" {
            return Err(nowhere(&format!(
                "persistentvolumeclaim \"{name}\" bound to non-existent persistentvolume \"{}\"",
                text(&claim, "/spec/volumeName")
            )));
        }
        let volume = text(&claim, "/spec/volumeName");
        if annotation(&claim, BIND_COMPLETED).is_some() && !volume.is_empty() {
            volumes.bound.extend(world.get(&VOLUME, "", volume));
        } else if waits_for_consumer(world, class(&claim)) && volume.is_empty() {
            volumes.chosen = volumes.chosen.or_else(|| annotation(&claim, SELECTED_NODE).map(str::to_owned));
            volumes.late.push(Key::of(&CLAIM, &claim));
        } else {
            return Err(nowhere("pod has unbound immediate PersistentVolumeClaims"));
        }
    }
    Ok(volumes)
}

/// The node with the most room for pods among those that fit; the one that was chosen before, if it does.
fn node_for(world: &World, pod: &Value, volumes: &Volumes) -> Result<String, String> {
    let mut why: BTreeMap<String, usize> = BTreeMap::new();
    let mut fitting = Vec::new();
    let mut all = 0;
    for (key, node) in world.store.list(&NODE, None) {
        all += 1;
        match fits(world, pod, volumes, &key.name, node) {
            Ok(()) => fitting.push((world.store.find(&PODS_ON, &key.name).count(), key.name.clone())),
            Err(reason) => *why.entry(reason).or_default() += 1,
        }
    }
    if let Some(chosen) = volumes.chosen.as_ref().filter(|chosen| fitting.iter().any(|(_, name)| name == *chosen)) {
        return Ok(chosen.clone());
    }
    if let Some((_, name)) = fitting.into_iter().min() {
        return Ok(name);
    }
    if all == 0 {
        return Err("no nodes available to schedule pods".to_owned());
    }
    let mut reasons: Vec<String> = why.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    reasons.sort();
    let room =
        why.iter().filter(|(reason, _)| reason.starts_with("Insufficient") || *reason == "Too many pods").map(|(_, count)| count).sum::<usize>();
    let mut help = Vec::new();
    if room > 0 {
        help.push(format!("{room} No preemption victims found for incoming pod"));
    }
    if all > room {
        help.push(format!("{} Preemption is not helpful for scheduling", all - room));
    }
    let (reasons, help) = (reasons.join(", "), help.join(", "));
    Err(format!("0/{all} nodes are available: {reasons}. preemption: 0/{all} nodes are available: {help}."))
}

fn fits(world: &World, pod: &Value, volumes: &Volumes, name: &str, node: &Value) -> Result<(), String> {
    if node.at("/spec/unschedulable") == Some(&Value::Bool(true)) {
        return Err("node(s) were unschedulable".to_owned());
    }
    if !tolerates(pod, node) {
        return Err("node(s) had untolerated taint(s)".to_owned());
    }
    let given = &node["metadata"]["labels"];
    let exact = pod.at("/spec/nodeSelector").and_then(Value::as_object);
    let selected = exact.is_none_or(|wanted| wanted.iter().all(|(label, value)| given.get(label) == Some(value)));
    let required = pod.at("/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution");
    if !selected || !required.is_none_or(|required| any_term(required, name, given)) {
        return Err("node(s) didn't match Pod's node affinity/selector".to_owned());
    }
    has_room(world, pod, name, node)?;
    let reachable = |volume: &Arc<Value>| volume.at("/spec/nodeAffinity/required").is_none_or(|required| any_term(required, name, given));
    if !volumes.bound.iter().all(reachable) {
        return Err("node(s) didn't match PersistentVolume's node affinity".to_owned());
    }
    let obtainable = |key: &Key| {
        let claim = world.store.get(key);
        let class = claim.and_then(|claim| world.get(&STORAGE_CLASS, "", class(claim)));
        let made = class.is_some_and(|class| text(&class, "/provisioner") != "kubernetes.io/no-provisioner");
        made || claim.is_some_and(|claim| smallest_free(world, claim).is_some())
    };
    if volumes.late.iter().all(obtainable) { Ok(()) } else { Err("node(s) didn't find available persistent volumes to bind".to_owned()) }
}

/// Whether a node meets one of the terms, of which each must be met whole. A term without anything is met by none.
fn any_term(required: &Value, name: &str, given: &Value) -> bool {
    let fields = json!({"metadata.name": name});
    required["nodeSelectorTerms"].as_array().into_iter().flatten().any(|term| {
        let empty = ["matchExpressions", "matchFields"].iter().all(|list| term[*list].as_array().is_none_or(Vec::is_empty));
        !empty && labels::all(&term["matchExpressions"], given) && labels::all(&term["matchFields"], &fields)
    })
}

fn tolerates(pod: &Value, node: &Value) -> bool {
    let taints = node.at("/spec/taints").and_then(Value::as_array).into_iter().flatten();
    let tolerations: Vec<&Value> = pod.at("/spec/tolerations").and_then(Value::as_array).into_iter().flatten().collect();
    let tolerated = |taint: &Value| {
        tolerations.iter().any(|one| {
            let effect = text(one, "/effect").is_empty() || one["effect"] == taint["effect"];
            let key = text(one, "/key").is_empty() || one["key"] == taint["key"];
            effect && key && (text(one, "/operator") == "Exists" || text(one, "/value") == text(taint, "/value"))
        })
    };
    taints.filter(|taint| text(taint, "/effect") != "PreferNoSchedule").all(tolerated)
}

/// What a pod's containers ask for, together.
pub fn requests(pod: &Value) -> BTreeMap<&str, Quantity> {
    let mut sum: BTreeMap<&str, Quantity> = BTreeMap::new();
    for container in pod.at("/spec/containers").and_then(Value::as_array).into_iter().flatten() {
        for (name, amount) in amounts(container, "/resources/requests") {
            let before = sum.get(name).copied().unwrap_or_default();
            sum.insert(name, before.plus(amount));
        }
    }
    sum
}

fn has_room(world: &World, pod: &Value, name: &str, node: &Value) -> Result<(), String> {
    let Some(allocatable) = node.at("/status/allocatable") else { return Ok(()) };
    let others: Vec<&Arc<Value>> = world.store.find(&PODS_ON, name).map(|(_, pod)| pod).collect();
    let amount = |name: &str| allocatable.get(name).and_then(Quantity::of).unwrap_or_default();
    if amount("pods") < Quantity::count(i64::try_from(others.len() + 1).unwrap_or(i64::MAX)) {
        return Err("Too many pods".to_owned());
    }
    let wanted = requests(pod);
    if wanted.is_empty() {
        return Ok(());
    }
    let mut used: BTreeMap<&str, Quantity> = BTreeMap::new();
    for other in others {
        for (name, amount) in requests(other) {
            let before = used.get(name).copied().unwrap_or_default();
            used.insert(name, before.plus(amount));
        }
    }
    let lacking = wanted.into_iter().find(|(name, wanted)| {
        let used = used.get(name).copied().unwrap_or_default();
        !wanted.is_zero() && used.plus(*wanted) > amount(name)
    });
    lacking.map_or(Ok(()), |(name, _)| Err(format!("Insufficient {name}")))
}

/// Tells the claims of a pod where it will run: now they are bound, and then it is.
fn choose_for(world: &mut World, claims: &[Key], node: &str) {
    for claim in claims {
        let Some(object) = world.store.get(claim).cloned() else { continue };
        if let Some(volume) = smallest_free(world, &object) {
            drop(world.change(&volume, |volume| {
                volume["spec"]["claimRef"] = reference(&object);
                volume["metadata"]["annotations"][BOUND_BY_CONTROLLER] = "yes".into();
            }));
        } else {
            drop(world.change(claim, |claim| claim["metadata"]["annotations"][SELECTED_NODE] = node.into()));
        }
    }
}

fn assign(world: &mut World, key: &Key, pod: &Value, node: &str) {
    let stamp = world.stamp();
    drop(world.change(key, |pod| {
        pod["spec"]["nodeName"] = node.into();
        set_condition(pod, json!({"type": "PodScheduled", "status": "True", "lastTransitionTime": stamp}));
    }));
    let message = format!("Successfully assigned {}/{} to {node}", key.namespace, key.name);
    world.tell(pod, COMPONENT, "Normal", "Scheduled", &message);
}
