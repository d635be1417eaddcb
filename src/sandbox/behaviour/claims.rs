//! Claims: what may be asked for, what is filled in, what may be changed later, and that none goes while a pod uses it.
//! Source: kubernetes 1.36 `pkg/registry/core/persistentvolumeclaim/strategy.go`, `pkg/api/persistentvolumeclaim/util.go`,
//! `pkg/apis/core/validation/validation.go`, `plugin/pkg/admission/storage/*`, `pkg/controller/volume/pvcprotection`.
//!
//! Cases: `claims/a-claim-without-a-class-gets-the-default-one`, `claims/a-claim-does-not-change-its-mind`,
//! `claims/a-claim-in-use-waits-for-its-pod`, `claims/a-claim-says-what-it-needs`, `unknown_fields/a-datasource-and-its-reference-are-one`.

use std::time::Duration;

use serde_json::{Value, json};

use super::volumes::{access_modes, hold, let_go};
use super::{Controller, Rule, Subject, Verb, differences, is_deleting, itself};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLAIM, POD, STORAGE_CLASS};
use crate::sandbox::index::{PODS_WITH, place};
use crate::sandbox::quantity::{Quantity, tidy};
use crate::sandbox::status::{Cause, Status};
use crate::sandbox::store::{Change, Key, text};
use crate::sandbox::world::World;
use crate::sandbox::write::Attempt;

pub const SUBJECT: Subject = Subject {
    rules: &[
        Rule { resource: &CLAIM, subresource: "", verbs: &[Verb::Create], run: complete },
        Rule { resource: &CLAIM, subresource: "", verbs: &[Verb::Create], run: may_be_asked_for },
        Rule { resource: &CLAIM, subresource: "", verbs: &[Verb::Update], run: may_be_changed },
    ],
    controllers: &[Controller { name: "pvc-protection-controller", watches: &[(&CLAIM, itself), (&POD, claims_of)], reconcile: protect }],
};

/// Holds a claim while pods use it.
const PROTECTION: &str = "kubernetes.io/pvc-protection";
const BETA_CLASS: &str = "/metadata/annotations/volume.beta.kubernetes.io~1storage-class";
const IS_DEFAULT: &str = "/metadata/annotations/storageclass.kubernetes.io~1is-default-class";
const IS_DEFAULT_BETA: &str = "/metadata/annotations/storageclass.beta.kubernetes.io~1is-default-class";

/// The storage class that a claim names, or volume; empty when none.
pub fn class(object: &Value) -> &str {
    let beta = text(object, BETA_CLASS);
    if beta.is_empty() { text(object, "/spec/storageClassName") } else { beta }
}

/// `Filesystem` where nothing is said.
pub fn mode(object: &Value) -> &str {
    let mode = text(object, "/spec/volumeMode");
    if mode.is_empty() { "Filesystem" } else { mode }
}

/// How much a claim asks for.
pub fn wanted(claim: &Value) -> Quantity {
    Quantity::at(claim, "/spec/resources/requests/storage")
}

/// The class that claims without one get: of several the youngest, and of those the first by name.
pub fn default_class(world: &World) -> Option<String> {
    let is_default = |class: &Value| text(class, IS_DEFAULT) == "true" || text(class, IS_DEFAULT_BETA) == "true";
    let defaults = world.store.list(&STORAGE_CLASS, None).filter(|(_, class)| is_default(class));
    // The last of equal maxima wins, so names are gone through backwards.
    let mut defaults: Vec<_> = defaults.map(|(key, class)| (text(class, "/metadata/creationTimestamp"), key.name.clone())).collect();
    defaults.reverse();
    defaults.into_iter().max_by_key(|(created, _)| *created).map(|(_, name)| name)
}

fn complete(world: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let claim = &mut attempt.object;
    let spec = &mut claim["spec"];
    // CrossNamespaceVolumeDataSource is off: all of such a reference goes, without a word.
    if !text(spec, "/dataSourceRef/namespace").is_empty() {
        remove(spec, "dataSourceRef");
    }
    if spec.get("dataSourceRef").is_none() && spec.get("dataSource").is_some_and(|source| !is_claim_or_snapshot(source)) {
        remove(spec, "dataSource");
    }
    mirror_sources(spec);
    if spec.get("volumeMode").is_none_or(Value::is_null) {
        spec["volumeMode"] = "Filesystem".into();
    }
    tidy_up(attempt)?;
    let claim = &mut attempt.object;
    if claim.at(BETA_CLASS).is_none()
        && claim.at("/spec/storageClassName").is_none_or(Value::is_null)
        && let Some(class) = default_class(world)
    {
        claim["spec"]["storageClassName"] = class.into();
    }
    hold(claim, PROTECTION);
    claim["status"] = json!({"phase": "Pending"});
    Ok(())
}

/// Amounts are stored in one form only.
fn tidy_up(attempt: &mut Attempt) -> Result<(), Status> {
    for list in ["/spec/resources/requests", "/spec/resources/limits"] {
        tidy(attempt.object.pointer_mut(list)).map_err(|_| no_amount("PersistentVolumeClaim"))?;
    }
    Ok(())
}

/// What is said of an object with an amount that cannot be read.
pub fn no_amount(kind: &str) -> Status {
    let form = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$";
    Status::bad_request(format!("{kind} in version \"v1\" cannot be handled as a {kind}: quantities must match the regular expression '{form}'"))
}

/// `dataSource` and `dataSourceRef` say the same.
fn mirror_sources(spec: &mut Value) {
    let copy = |source: &Value| {
        let mut copy = json!({"kind": source["kind"], "name": source["name"]});
        copy["apiGroup"] = source.get("apiGroup").cloned().unwrap_or(Value::Null);
        if copy["apiGroup"].is_null() {
            remove(&mut copy, "apiGroup");
        }
        copy
    };
    match (spec.get("dataSource").cloned(), spec.get("dataSourceRef").cloned()) {
        (Some(source), None) => spec["dataSourceRef"] = copy(&source),
        (None, Some(source)) => spec["dataSource"] = copy(&source),
        _ => {}
    }
}

fn is_claim_or_snapshot(source: &Value) -> bool {
    matches!((text(source, "/apiGroup"), text(source, "/kind")), ("", "PersistentVolumeClaim") | ("snapshot.storage.k8s.io", "VolumeSnapshot"))
}

fn remove(object: &mut Value, field: &str) {
    object.as_object_mut().map(|fields| fields.remove(field));
}

fn may_be_asked_for(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let causes = wrong_in(&attempt.object["spec"]);
    if causes.is_empty() { Ok(()) } else { Err(Status::invalid(&CLAIM, attempt.name(), &causes)) }
}

/// What is wrong in a claim, whatever it was before.
fn wrong_in(spec: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if spec.get("accessModes").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        causes.push(Cause::required("spec.accessModes", "at least 1 access mode is required"));
    }
    causes.extend(access_modes(spec));
    match spec.at("/resources/requests/storage") {
        None => causes.push(Cause::required("spec.resources[storage]", "")),
        Some(size) if Quantity::of(size).is_none_or(|size| size <= Quantity::default()) => {
            causes.push(Cause::invalid("spec.resources[storage]", size, "must be greater than zero"));
        }
        Some(_) => {}
    }
    let mode = &spec["volumeMode"];
    if !matches!(mode.as_str(), Some("Block" | "Filesystem")) {
        causes.push(super::volumes::unsupported("spec.volumeMode", mode, &["Block", "Filesystem"]));
    }
    for field in ["dataSource", "dataSourceRef"] {
        let Some(source) = spec.get(field) else { continue };
        let path = |part: &str| format!("spec.{field}.{part}");
        causes.extend(
            ["name", "kind"].into_iter().filter(|part| text(source, &format!("/{part}")).is_empty()).map(|part| Cause::required(&path(part), "")),
        );
        if text(source, "/apiGroup").is_empty() && text(source, "/kind") != "PersistentVolumeClaim" {
            let why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
            causes.push(Cause::invalid(&format!("spec.{field}"), &source["kind"], why));
        }
    }
    if let (Some(one), Some(other)) = (spec.get("dataSource"), spec.get("dataSourceRef"))
        && ["apiGroup", "kind", "name"].iter().any(|part| text(one, &format!("/{part}")) != text(other, &format!("/{part}")))
    {
        causes.push(Cause::invalid("spec", &json!("spec.dataSource"), "must match dataSourceRef"));
    }
    causes
}

fn may_be_changed(world: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let Some(old) = attempt.old.clone() else { return Ok(()) };
    tidy_up(attempt)?;
    let new = &attempt.object;
    let mut causes = wrong_in(&new["spec"]);
    let bound = text(&old, "/status/phase") == "Bound";
    let (before, after) = comparable(&old, new, bound);
    if before != after {
        let difference = differences::between(&differences::claim(&before), &differences::claim(&after));
        let why = format!("spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n{difference}");
        causes.push(Cause::forbidden("spec", &why));
    }
    let (was, is) = (wanted(&old), wanted(new));
    if is < was && is <= Quantity::at(&old, "/status/capacity/storage") {
        causes.push(Cause::forbidden("spec.resources.requests.storage", "field can not be less than status.capacity"));
    }
    if new["spec"]["volumeMode"] != old["spec"]["volumeMode"] {
        causes.push(Cause::invalid("volumeMode", &new["spec"]["volumeMode"], "field is immutable"));
    }
    if !causes.is_empty() {
        return Err(Status::invalid(&CLAIM, attempt.name(), &causes));
    }
    may_grow(world, attempt, &old, bound)
}

/// Both specifications, without what may be changed.
fn comparable(old: &Value, new: &Value, bound: bool) -> (Value, Value) {
    let (mut before, mut after) = (old["spec"].clone(), new["spec"].clone());
    if text(&before, "/volumeName").is_empty()
        && let Some(name) = after.get("volumeName").cloned()
    {
        before["volumeName"] = name;
    }
    if before.get("storageClassName").is_none()
        && old.at(BETA_CLASS).is_none()
        && let Some(class) = after.get("storageClassName").cloned()
    {
        before["storageClassName"] = class;
    }
    if (bound && after.at("/resources/requests").is_some()) || wanted(old) == wanted(new) {
        after["resources"]["requests"]["storage"] = before["resources"]["requests"]["storage"].clone();
    }
    (before, after)
}

fn may_grow(world: &World, attempt: &Attempt, old: &Value, bound: bool) -> Result<(), Status> {
    let new = &attempt.object;
    if wanted(new) <= wanted(old) {
        return Ok(());
    }
    if !bound {
        return Err(Status::forbidden(&CLAIM, attempt.name(), "Only bound persistent volume claims can be expanded"));
    }
    let class = world.get(&STORAGE_CLASS, "", class(new));
    if class.is_some_and(|class| class["allowVolumeExpansion"] == true) {
        return Ok(());
    }
    let why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
    Err(Status::forbidden(&CLAIM, attempt.name(), why))
}

/// The claims that a pod uses: when it goes they may go.
fn claims_of(_: &World, change: &Change) -> Vec<Key> {
    let volumes = change.object.at("/spec/volumes").and_then(Value::as_array).into_iter().flatten();
    let names = volumes.filter_map(|volume| volume.at("/persistentVolumeClaim/claimName")?.as_str());
    names.map(|name| Key::new(&CLAIM, &change.key.namespace, name)).collect()
}

/// A pod that runs somewhere, or did, holds its claims until it is gone itself.
fn protect(world: &mut World, key: &Key) -> Option<Duration> {
    let used = world.store.find(&PODS_WITH, &place(&key.namespace, &key.name)).any(|(_, pod)| !text(pod, "/spec/nodeName").is_empty());
    if is_deleting(world.store.get(key)?) && !used {
        drop(world.change(key, |claim| let_go(claim, PROTECTION)));
    }
    None
}
