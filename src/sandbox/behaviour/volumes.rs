//! Volumes: what may be made and changed, and that none goes while it is bound.
//! Source: kubernetes 1.36 `pkg/registry/core/persistentvolume/strategy.go`, `pkg/apis/core/validation/validation.go`,
//! `pkg/controller/volume/pvprotection`.
//!
//! Cases: `claims/a-volume-does-not-change-its-source`, `claims/a-bound-volume-outlives-its-deletion`.

use std::time::Duration;

use serde_json::{Value, json};

use super::claims::no_amount;
use super::{Controller, Rule, Subject, Verb, differences, is_deleting, itself};
use crate::sandbox::at::At;
use crate::sandbox::catalog::VOLUME;
use crate::sandbox::quantity::{Quantity, tidy};
use crate::sandbox::status::{Cause, Status};
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;
use crate::sandbox::write::Attempt;

pub const SUBJECT: Subject = Subject {
    rules: &[
        Rule { resource: &VOLUME, subresource: "", verbs: &[Verb::Create], run: complete },
        Rule { resource: &VOLUME, subresource: "", verbs: &[Verb::Create, Verb::Update], run: may_be },
        Rule { resource: &VOLUME, subresource: "status", verbs: &[Verb::Update], run: note_phase },
    ],
    controllers: &[Controller { name: "pv-protection-controller", watches: &[(&VOLUME, itself)], reconcile: protect }],
};

/// Holds a volume while it is bound.
const PROTECTION: &str = "kubernetes.io/pv-protection";

/// Adds a finalizer that is not there yet.
pub fn hold(object: &mut Value, finalizer: &str) {
    let metadata = &mut object["metadata"];
    if !metadata["finalizers"].is_array() {
        metadata["finalizers"] = json!([]);
    }
    if let Some(all) = metadata["finalizers"].as_array_mut()
        && !all.iter().any(|one| one == finalizer)
    {
        all.push(finalizer.into());
    }
}

/// Takes a finalizer off.
pub fn let_go(object: &mut Value, finalizer: &str) {
    let Some(metadata) = object["metadata"].as_object_mut() else { return };
    if let Some(all) = metadata.get_mut("finalizers").and_then(Value::as_array_mut) {
        all.retain(|one| one != finalizer);
        if all.is_empty() {
            metadata.remove("finalizers");
        }
    }
}

/// Whether a finalizer is there.
pub fn is_held(object: &Value, finalizer: &str) -> bool {
    object.at("/metadata/finalizers").and_then(Value::as_array).is_some_and(|all| all.iter().any(|one| one == finalizer))
}

/// A value that is none of those there are.
pub fn unsupported(field: &str, value: &Value, supported: &[&str]) -> Cause {
    let supported: Vec<String> = supported.iter().map(|one| format!("{one:?}")).collect();
    let message = format!("Unsupported value: {value}: supported values: {}", supported.join(", "));
    Cause { reason: "FieldValueNotSupported", message, field: field.to_owned() }
}

/// What is wrong with the access modes of a claim's or volume's specification.
pub fn access_modes(spec: &Value) -> Vec<Cause> {
    const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
    let modes: Vec<&Value> = spec.get("accessModes").and_then(Value::as_array).into_iter().flatten().collect();
    let known = |mode: &Value| mode.as_str().is_some_and(|mode| MODES.contains(&mode));
    let mut causes: Vec<Cause> = modes.iter().filter(|mode| !known(mode)).map(|mode| unsupported("spec.accessModes", mode, &MODES)).collect();
    if modes.iter().any(|mode| **mode == "ReadWriteOncePod") && modes.iter().any(|mode| known(mode) && **mode != "ReadWriteOncePod") {
        causes.push(Cause::forbidden("spec.accessModes", "may not use ReadWriteOncePod with other access modes"));
    }
    causes
}

fn complete(world: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let volume = &mut attempt.object;
    let spec = &mut volume["spec"];
    for (field, usual) in [("volumeMode", "Filesystem"), ("persistentVolumeReclaimPolicy", "Retain")] {
        if spec.get(field).is_none_or(Value::is_null) {
            spec[field] = usual.into();
        }
    }
    hold(volume, PROTECTION);
    volume["status"] = json!({"phase": "Pending", "lastPhaseTransitionTime": world.stamp()});
    Ok(())
}

fn may_be(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    tidy(attempt.object.pointer_mut("/spec/capacity")).map_err(|_| no_amount("PersistentVolume"))?;
    let spec = &attempt.object["spec"];
    let mut causes = wrong_in(spec);
    if let Some(old) = &attempt.old {
        causes.extend(wrong_since(&old["spec"], spec));
    }
    if causes.is_empty() { Ok(()) } else { Err(Status::invalid(&VOLUME, attempt.name(), &causes)) }
}

/// What is wrong in a volume, whatever it was before.
fn wrong_in(spec: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if spec.get("accessModes").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        causes.push(Cause::required("spec.accessModes", ""));
    }
    causes.extend(access_modes(spec));
    match spec.at("/capacity/storage") {
        None => causes.push(Cause::required("spec.capacity", "")),
        Some(size) if Quantity::of(size).is_none_or(|size| size <= Quantity::default()) => {
            causes.push(Cause::invalid("spec.capacity[storage]", size, "must be greater than zero"));
        }
        Some(_) => {}
    }
    let sources: Vec<&str> = differences::SOURCES.into_iter().filter(|source| spec.get(*source).is_some_and(|value| !value.is_null())).collect();
    if sources.is_empty() {
        causes.push(Cause::required("spec", "must specify a volume type"));
    }
    causes.extend(sources.iter().skip(1).map(|source| Cause::forbidden(&format!("spec.{source}"), "may not specify more than 1 volume type")));
    if let Some(csi) = spec.get("csi") {
        let missing = ["driver", "volumeHandle"].into_iter().filter(|field| text(csi, &format!("/{field}")).is_empty());
        causes.extend(missing.map(|field| Cause::required(&format!("spec.csi.{field}"), "")));
    }
    let policy = &spec["persistentVolumeReclaimPolicy"];
    if !matches!(policy.as_str(), Some("Delete" | "Recycle" | "Retain")) {
        causes.push(unsupported("spec.persistentVolumeReclaimPolicy", policy, &["Delete", "Recycle", "Retain"]));
    }
    let mode = &spec["volumeMode"];
    if !matches!(mode.as_str(), Some("Block" | "Filesystem")) {
        causes.push(unsupported("spec.volumeMode", mode, &["Block", "Filesystem"]));
    }
    causes
}

/// What was changed that may not be. A claimRef may: nothing about it is compared with the claim.
fn wrong_since(old: &Value, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let same = |source: &&str| old.get(*source).filter(|value| !value.is_null()) == new.get(*source).filter(|value| !value.is_null());
    if !differences::SOURCES.iter().all(same) {
        let difference = differences::between(&differences::source(old), &differences::source(new));
        let why = format!("spec.persistentvolumesource is immutable after creation\n{difference}");
        causes.push(Cause::forbidden("spec.persistentvolumesource", &why));
    }
    if old["volumeMode"] != new["volumeMode"] {
        causes.push(Cause::invalid("volumeMode", &new["volumeMode"], "field is immutable"));
    }
    if old.get("nodeAffinity").is_some() && old.get("nodeAffinity") != new.get("nodeAffinity") {
        causes.push(Cause::invalid("nodeAffinity", &new["nodeAffinity"], "field is immutable"));
    }
    causes
}

fn note_phase(world: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let Some(old) = &attempt.old else { return Ok(()) };
    let (before, after) = (&old["status"], &attempt.object["status"]);
    let stamp = if before["phase"] == after["phase"] { before["lastPhaseTransitionTime"].clone() } else { world.stamp() };
    if !stamp.is_null() {
        attempt.object["status"]["lastPhaseTransitionTime"] = stamp;
    }
    Ok(())
}

fn protect(world: &mut World, key: &Key) -> Option<Duration> {
    let volume = world.store.get(key)?;
    if is_deleting(volume) && text(volume, "/status/phase") != "Bound" {
        drop(world.change(key, |volume| let_go(volume, PROTECTION)));
    }
    None
}
