//! LimitRanges: what containers get that ask for nothing, and how much one may ask for.
//! Source: kubernetes 1.36 `plugin/pkg/admission/limitranger/admission.go`, `pkg/apis/core/v1/defaults.go`.
//!
//! Cases: `quota/a-limit-range-bounds-claims`, `quota/a-limit-range-bounds-containers`.

use serde_json::{Value, json};

use super::claims::no_amount;
use super::pods::quality;
use super::quota::of_pod;
use super::{Rule, Subject, Verb, is_deleting};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLAIM, LIMIT_RANGE, POD};
use crate::sandbox::quantity::{Quantity, amounts, tidy};
use crate::sandbox::status::Status;
use crate::sandbox::store::text;
use crate::sandbox::world::World;
use crate::sandbox::write::Attempt;

pub const SUBJECT: Subject = Subject {
    rules: &[
        Rule { resource: &LIMIT_RANGE, subresource: "", verbs: &[Verb::Create, Verb::Update], run: complete },
        Rule { resource: &POD, subresource: "", verbs: &[Verb::Create], run: fill_in },
        Rule { resource: &POD, subresource: "", verbs: &[Verb::Create], run: pod_within },
        Rule { resource: &CLAIM, subresource: "", verbs: &[Verb::Create, Verb::Update], run: claim_within },
    ],
    controllers: &[],
};

/// What is said once holds for what follows from it: the most is the usual limit, that the usual request, and the least what is asked for.
fn complete(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    for limit in attempt.object.pointer_mut("/spec/limits").and_then(Value::as_array_mut).into_iter().flatten() {
        for list in ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] {
            tidy(limit.get_mut(list)).map_err(|_| no_amount("LimitRange"))?;
        }
        if text(limit, "/type") != "Container" {
            continue;
        }
        for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
            for (name, amount) in limit.get(from).and_then(Value::as_object).cloned().into_iter().flatten() {
                if limit.get(to).and_then(|list| list.get(&name)).is_none() {
                    limit[to][name] = amount;
                }
            }
        }
    }
    Ok(())
}

/// The limits of a type in a namespace.
fn limits(world: &World, namespace: &str, kind: &str) -> Vec<Value> {
    let ranges = world.store.list(&LIMIT_RANGE, Some(namespace));
    let all = ranges.flat_map(|(_, range)| range.at("/spec/limits").and_then(Value::as_array).into_iter().flatten());
    all.filter(|limit| text(limit, "/type") == kind).cloned().collect()
}

fn fill_in(world: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let mut notes = Vec::new();
    let all = limits(world, text(&attempt.object, "/metadata/namespace"), "Container");
    for (list, kind) in [("containers", "container"), ("initContainers", "init container")] {
        for container in attempt.object["spec"].get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            for (usual, field, what) in [("defaultRequest", "requests", "request"), ("default", "limits", "limit")] {
                let mut set = Vec::new();
                for (name, amount) in all.iter().filter_map(|limit| limit.get(usual)?.as_object()).flatten() {
                    if container["resources"].get(field).and_then(|given| given.get(name)).is_none() {
                        container["resources"][field][name] = amount.clone();
                        set.push(name.clone());
                    }
                }
                set.sort();
                if !set.is_empty() {
                    notes.push(format!("{} {what} for {kind} {}", set.join(", "), text(container, "/name")));
                }
            }
        }
    }
    if !notes.is_empty() {
        let note = format!("LimitRanger plugin set: {}", notes.join("; "));
        attempt.object["metadata"]["annotations"]["kubernetes.io/limit-ranger"] = note.into();
        let class = quality(&attempt.object["spec"]);
        attempt.object["status"]["qosClass"] = class.into();
    }
    Ok(())
}

fn pod_within(world: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let pod = &attempt.object;
    let namespace = text(pod, "/metadata/namespace");
    let mut wrong = Vec::new();
    for limit in limits(world, namespace, "Container") {
        for list in ["containers", "initContainers"] {
            for container in pod["spec"].get(list).and_then(Value::as_array).into_iter().flatten() {
                wrong.extend(beyond(&limit, &container["resources"]));
            }
        }
    }
    for limit in limits(world, namespace, "Pod") {
        let written = |list: &str| of_pod(pod, list).into_iter().map(|(name, amount)| (name, Value::from(amount))).collect::<serde_json::Map<_, _>>();
        wrong.extend(beyond(&limit, &json!({"requests": written("requests"), "limits": written("limits")})));
    }
    refuse(attempt, wrong)
}

fn claim_within(world: &World, attempt: &mut Attempt) -> Result<(), Status> {
    if attempt.old.as_deref().is_some_and(is_deleting) {
        return Ok(());
    }
    let all = limits(world, text(&attempt.object, "/metadata/namespace"), "PersistentVolumeClaim");
    let resources = json!({"requests": attempt.object.at("/spec/resources/requests")});
    let wrong = all.iter().flat_map(|limit| beyond(limit, &resources)).collect();
    refuse(attempt, wrong)
}

fn refuse(attempt: &Attempt, mut wrong: Vec<String>) -> Result<(), Status> {
    wrong.dedup();
    let why = match wrong.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    Err(Status::forbidden(attempt.resource, attempt.name(), &why))
}

/// How resources go beyond a limit. Claims have no limits of their own: their requests are held to the most.
fn beyond(limit: &Value, resources: &Value) -> Vec<String> {
    let kind = text(limit, "/type");
    let given = |list: &str, name: &str| resources.get(list).and_then(|list| list.get(name)).and_then(Quantity::of);
    let mut wrong = Vec::new();
    for (name, least) in amounts(limit, "/min") {
        let words = format!("minimum {name} usage per {kind} is {least}");
        match (given("requests", name), given("limits", name)) {
            (None, _) => wrong.push(format!("{words}.  No request is specified")),
            (Some(request), _) if request < least => wrong.push(format!("{words}, but request is {request}")),
            (_, Some(most)) if most < least => wrong.push(format!("{words}, but limit is {most}")),
            _ => {}
        }
    }
    for (name, most) in amounts(limit, "/max") {
        let words = format!("maximum {name} usage per {kind} is {most}");
        let claim = kind == CLAIM.kind;
        match (given("requests", name), given("limits", name)) {
            (None, _) if claim => wrong.push(format!("{words}.  No request is specified")),
            (_, None) if !claim => wrong.push(format!("{words}.  No limit is specified")),
            (_, Some(limit)) if limit > most => wrong.push(format!("{words}, but limit is {limit}")),
            (Some(request), _) if request > most => wrong.push(format!("{words}, but request is {request}")),
            _ => {}
        }
    }
    wrong
}
