//! ResourceQuotas: how much of everything a namespace may have, and how much it has.
//! Source: kubernetes 1.36 apiserver `pkg/admission/plugin/resourcequota/controller.go`, `pkg/quota/v1/evaluator/core`,
//! `pkg/controller/resourcequota`.
//!
//! Cases: `quota/a-quota-counts`, `quota/a-quota-refuses-what-is-too-much`, `quota/a-quota-of-a-class-is-for-it-alone`,
//! `quota/a-machine-over-its-quota-is-told`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::claims::{class, no_amount, wanted};
use super::{Controller, Rule, Subject, Verb};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{self, ANYTHING, CLAIM, CONFIG_MAP, EVENT, POD, QUOTA, Res, SECRET, SERVICE};
use crate::sandbox::quantity::{Quantity, amounts, tidy};
use crate::sandbox::status::Status;
use crate::sandbox::store::{Change, Key, What, text};
use crate::sandbox::world::World;
use crate::sandbox::write::Attempt;

pub const SUBJECT: Subject = Subject {
    rules: &[
        // Everything that is made is counted; claims also when they grow.
        Rule { resource: &ANYTHING, subresource: "", verbs: &[Verb::Create], run: within },
        Rule { resource: &CLAIM, subresource: "", verbs: &[Verb::Update], run: within },
        Rule { resource: &QUOTA, subresource: "", verbs: &[Verb::Create, Verb::Update], run: complete },
    ],
    controllers: &[Controller { name: "resourcequota-controller", watches: &[(&ANYTHING, quotas_of)], reconcile: count }],
};

type Amounts = BTreeMap<String, Quantity>;

fn complete(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    tidy(attempt.object.pointer_mut("/spec/hard")).map_err(|_| no_amount("ResourceQuota"))
}

/// The quotas that something counts in.
fn quotas_of(world: &World, change: &Change) -> Vec<Key> {
    let counted = change.what != What::Modified || [&CLAIM, &POD, &QUOTA].contains(&change.key.resource);
    if !counted || !is_counted(change.key.resource) {
        return Vec::new();
    }
    world.store.list(&QUOTA, Some(&change.key.namespace)).map(|(key, _)| key.clone()).collect()
}

fn is_counted(resource: Res) -> bool {
    resource.namespaced && resource != &EVENT
}

fn add(sum: &mut Amounts, name: impl Into<String>, amount: Quantity) {
    let entry = sum.entry(name.into()).or_default();
    *entry = entry.plus(amount);
}

/// What an object counts for, by the names that quotas use.
fn usage(resource: Res, object: &Value) -> Amounts {
    let one = Quantity::count(1);
    let mut usage = Amounts::from([(format!("count/{}", resource.full_name()), one)]);
    if [&CLAIM, &SERVICE, &SECRET, &CONFIG_MAP, &QUOTA].contains(&resource) {
        add(&mut usage, resource.plural, one);
    }
    if resource == &CLAIM {
        let class = class(object);
        let size = wanted(object).max(Quantity::at(object, "/status/allocatedResources/storage"));
        add(&mut usage, "requests.storage", size);
        if !class.is_empty() {
            add(&mut usage, format!("{class}.storageclass.storage.k8s.io/persistentvolumeclaims"), one);
            add(&mut usage, format!("{class}.storageclass.storage.k8s.io/requests.storage"), size);
        }
    }
    if resource == &POD && !matches!(text(object, "/status/phase"), "Succeeded" | "Failed") {
        add(&mut usage, "pods", one);
        for (name, amount) in of_pod(object, "requests") {
            add(&mut usage, format!("requests.{name}"), amount);
            if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-") {
                add(&mut usage, name, amount);
            }
        }
        for (name, amount) in of_pod(object, "limits").into_iter().filter(|(name, _)| matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage"))
        {
            add(&mut usage, format!("limits.{name}"), amount);
        }
    }
    usage
}

/// What a pod needs: all its containers together, or the largest of those that run before them.
pub fn of_pod(pod: &Value, list: &str) -> Amounts {
    let pointer = format!("/resources/{list}");
    let containers = |which: &str| pod["spec"].get(which).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut sum = Amounts::new();
    let (lasting, first): (Vec<Value>, Vec<Value>) = containers("initContainers").into_iter().partition(|one| one["restartPolicy"] == "Always");
    for container in containers("containers").iter().chain(&lasting) {
        for (name, amount) in amounts(container, &pointer) {
            add(&mut sum, name, amount);
        }
    }
    for container in &first {
        for (name, amount) in amounts(container, &pointer) {
            let entry = sum.entry(name.to_owned()).or_default();
            *entry = (*entry).max(amount);
        }
    }
    sum
}

/// Whether a quota is about such objects at all.
fn in_scope(quota: &Value, resource: Res, object: &Value) -> bool {
    let plain = quota.at("/spec/scopes").and_then(Value::as_array).cloned().unwrap_or_default();
    let selected = quota.at("/spec/scopeSelector/matchExpressions").and_then(Value::as_array).cloned().unwrap_or_default();
    let deadline = object.at("/spec/activeDeadlineSeconds").is_some();
    let best_effort = of_pod(object, "requests").is_empty() && of_pod(object, "limits").is_empty();
    let matches = |scope: &str| match scope {
        "Terminating" => deadline,
        "NotTerminating" => !deadline,
        "BestEffort" => best_effort,
        "NotBestEffort" => !best_effort,
        "PriorityClass" => !text(object, "/spec/priorityClassName").is_empty(),
        _ => false,
    };
    let mut names = plain.iter().filter_map(Value::as_str).chain(selected.iter().map(|one| text(one, "/scopeName")));
    names.all(|scope| resource == &POD && matches(scope))
}

fn shown(amounts: &Amounts) -> String {
    amounts.iter().map(|(name, amount)| format!("{name}={amount}")).collect::<Vec<_>>().join(",")
}

/// Only what is named in the other.
fn masked(amounts: &Amounts, names: &Amounts) -> Amounts {
    amounts.iter().filter(|(name, _)| names.contains_key(*name)).map(|(name, amount)| (name.clone(), *amount)).collect()
}

/// What a namespace has, of what is named.
fn used(world: &World, namespace: &str, quota: &Value, resource: Res, names: &Amounts) -> Amounts {
    let mut sum: Amounts = names.keys().map(|name| (name.clone(), Quantity::default())).collect();
    for (_, object) in world.store.list(resource, Some(namespace)).filter(|(_, object)| in_scope(quota, resource, object)) {
        for (name, amount) in masked(&usage(resource, object), names) {
            add(&mut sum, name, amount);
        }
    }
    sum
}

fn within(world: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let (resource, object) = (attempt.resource, &attempt.object);
    if !is_counted(resource) {
        return Ok(());
    }
    let namespace = text(object, "/metadata/namespace");
    for (key, quota) in world.store.list(&QUOTA, Some(namespace)) {
        let all: Amounts = amounts(quota, "/status/hard").map(|(name, amount)| (name.to_owned(), amount)).collect();
        if all.is_empty() || !in_scope(quota, resource, object) {
            continue;
        }
        if resource == &POD {
            says_what_it_needs(&key.name, &all, attempt)?;
        }
        let before = attempt.old.as_deref().map(|old| usage(resource, old)).unwrap_or_default();
        let more = usage(resource, object).into_iter().map(|(name, amount)| {
            let before = before.get(&name).copied().unwrap_or_default();
            (name, amount.minus(before))
        });
        let more: Amounts = masked(&more.filter(|(_, amount)| *amount > Quantity::default()).collect(), &all);
        let has = used(world, namespace, quota, resource, &more);
        let exceeds = |name: &String| has[name].plus(more[name]) > all[name];
        let exceeded: Amounts = more.iter().filter(|(name, _)| exceeds(name)).map(|(name, amount)| (name.clone(), *amount)).collect();
        if !exceeded.is_empty() {
            let (used, limited) = (masked(&has, &exceeded), masked(&all, &exceeded));
            let why = format!("exceeded quota: {}, requested: {}, used: {}, limited: {}", key.name, shown(&exceeded), shown(&used), shown(&limited));
            return Err(Status::forbidden(resource, attempt.name(), &why));
        }
    }
    Ok(())
}

/// Where processors and memory are counted, every container says how much of them it wants.
fn says_what_it_needs(quota: &str, hard: &Amounts, attempt: &Attempt) -> Result<(), Status> {
    const COUNTED: [(&str, &str, &str); 6] = [
        ("cpu", "requests", "cpu"),
        ("limits.cpu", "limits", "cpu"),
        ("limits.memory", "limits", "memory"),
        ("memory", "requests", "memory"),
        ("requests.cpu", "requests", "cpu"),
        ("requests.memory", "requests", "memory"),
    ];
    let spec = &attempt.object["spec"];
    let mut missing = Vec::new();
    for (counted, list, name) in COUNTED.into_iter().filter(|(counted, ..)| hard.contains_key(*counted)) {
        let all = ["containers", "initContainers"].iter().filter_map(|which| spec.get(*which)?.as_array()).flatten();
        let silent = all.filter(|container| container["resources"].get(list).and_then(|given| given.get(name)).is_none());
        let mut names: Vec<&str> = silent.map(|container| text(container, "/name")).collect();
        names.sort_unstable();
        if !names.is_empty() {
            missing.push(format!("{counted} for: {}", names.join(",")));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let why = format!("failed quota: {quota}: must specify {}", missing.join("; "));
    Err(Status::forbidden(&POD, attempt.name(), &why))
}

/// Writes into a quota how much there is.
fn count(world: &mut World, key: &Key) -> Option<Duration> {
    let quota = world.store.get(key)?.clone();
    let hard: Amounts = amounts(&quota, "/spec/hard").map(|(name, amount)| (name.to_owned(), amount)).collect();
    let mut sum: Amounts = hard.keys().map(|name| (name.clone(), Quantity::default())).collect();
    for resource in catalog::ALL.iter().copied().filter(|resource| is_counted(resource)) {
        for (name, amount) in used(world, &key.namespace, &quota, resource, &hard) {
            add(&mut sum, name, amount);
        }
    }
    let written = |amounts: &Amounts| amounts.iter().map(|(name, amount)| (name.clone(), Value::from(*amount))).collect::<Map<_, _>>();
    let status = json!({"hard": written(&hard), "used": written(&sum)});
    drop(world.change(key, |quota| quota["status"] = status));
    None
}
