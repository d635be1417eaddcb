//! DataVolumes: each makes its claim, or takes the one that is there, and says how far it is filled.
//! Sources: containerized-data-importer 1.65 `pkg/controller/datavolume/{controller-base,conditions,import-controller,pvc-clone-controller,
//! clone-controller-base,upload-controller}.go`.
//!
//! Cases: `datavolumes/a-blank-disk-is-made`, `datavolumes/a-claim-is-adopted-on-demand`,
//! `datavolumes/a-data-volume-that-adopted-its-claim-fails-while-it-is-lost`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::datavolume_rules::{self, adopts};
use super::objects::{
    add_finalizer, adopt, annotate, annotation, bytes, condition, default, drop_finalizer, has_finalizer, is_controlled_by, list, put, remove, state,
};
use super::{Controller, Subject, claim_specs, is_deleting, itself, populators};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLAIM, DATA_SOURCE, DATA_VOLUME};
use crate::sandbox::store::{Change, Key, text};
use crate::sandbox::world::World;

pub const SUBJECT: Subject = Subject {
    rules: datavolume_rules::RULES,
    controllers: &[Controller { name: "datavolume-controller", watches: &[(&DATA_VOLUME, itself), (&CLAIM, of_claim)], reconcile }],
};

pub const POPULATED_FOR: &str = "cdi.kubevirt.io/storage.populatedFor";
const PREPOPULATED: &str = "cdi.kubevirt.io/storage.prePopulated";
pub const POD_PHASE: &str = "cdi.kubevirt.io/storage.pod.phase";
pub const PROGRESS: &str = "cdi.kubevirt.io/storage.populator.progress";
/// Held while objects in another namespace belong to a DataVolume.
const FINALIZER: &str = "cdi.kubevirt.io/dataVolumeFinalizer";
const TOKEN: &str = "cdi.kubevirt.io/storage.clone.token";
const EXTENDED: &str = "cdi.kubevirt.io/storage.extended.clone.token";
const COMPONENT: &str = "datavolume-controller";

/// A claim has its DataVolume's name.
fn of_claim(_: &World, change: &Change) -> Vec<Key> {
    vec![Key::new(&DATA_VOLUME, &change.key.namespace, &change.key.name)]
}

/// Which way a DataVolume is filled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Filling {
    Import,
    Upload,
    Clone,
    /// By whoever serves the data source that it names.
    Outside,
}

/// The way, and where from; a DataSource is looked through.
pub fn source(world: &World, volume: &Value) -> (Filling, Value) {
    let mut source = volume.at("/spec/source").cloned().unwrap_or_default();
    if text(volume, "/spec/sourceRef/kind") == "DataSource" {
        let own = text(volume, "/metadata/namespace");
        let namespace = Some(text(volume, "/spec/sourceRef/namespace")).filter(|named| !named.is_empty()).unwrap_or(own);
        let found = world.get(&DATA_SOURCE, namespace, text(volume, "/spec/sourceRef/name")).unwrap_or_default();
        let through = found.at("/spec/source/dataSource").is_some();
        source = found.at(if through { "/status/source" } else { "/spec/source" }).cloned().unwrap_or_default();
        for kind in ["pvc", "snapshot"] {
            if source.get(kind).is_some() {
                default(&mut source, &format!("/{kind}/namespace"), namespace);
            }
        }
    }
    let has = |kind: &str| source.get(kind).is_some_and(|at| !at.is_null());
    let filling = if has("pvc") || has("snapshot") {
        Filling::Clone
    } else if has("upload") {
        Filling::Upload
    } else if source.as_object().is_some_and(|source| !source.is_empty()) {
        Filling::Import
    } else {
        Filling::Outside
    };
    (filling, source)
}

/// Whether a claim is still to be filled for a DataVolume.
pub fn requires_work(claim: &Value, volume: &Value) -> bool {
    annotation(claim, POPULATED_FOR) != Some(text(volume, "/metadata/name")) && !adopts(claim, volume)
}

fn reconcile(world: &mut World, key: &Key) -> Option<Duration> {
    let volume = world.store.get(key)?.clone();
    let (filling, source) = source(world, &volume);
    if is_deleting(&volume) {
        drop(world.change(key, |volume| drop_finalizer(volume, FINALIZER)));
        return None;
    }
    let again = sync(world, key, &volume, filling, &source);
    report(world, key, filling, again.as_ref().err());
    again.unwrap_or_else(|trouble| trouble.again)
}

/// What keeps a DataVolume from getting on.
struct Trouble {
    reason: &'static str,
    message: String,
    again: Option<Duration>,
}

fn trouble(reason: &'static str, message: impl Into<String>) -> Trouble {
    Trouble { reason, message: message.into(), again: Some(Duration::from_secs(2)) }
}

fn sync(world: &mut World, key: &Key, volume: &Arc<Value>, filling: Filling, source: &Value) -> Result<Option<Duration>, Trouble> {
    let claim = world.get(&CLAIM, &key.namespace, &key.name);
    if let Some(claim) = claim {
        return take(world, key, volume, &claim).map(|()| None);
    }
    if annotation(volume, PREPOPULATED).is_some() {
        return Ok(None);
    }
    let crosses = filling == Filling::Clone && text(source, "/pvc/namespace") != key.namespace && source.get("pvc").is_some();
    if crosses && !(has_finalizer(volume, FINALIZER) && annotation(volume, EXTENDED).is_some()) {
        let token = annotation(volume, TOKEN).unwrap_or_default().to_owned();
        let guarded = |volume: &mut Value| {
            add_finalizer(volume, FINALIZER);
            annotate(volume, EXTENDED, &token);
        };
        drop(world.change(key, guarded));
    }
    let origin = world.get(&CLAIM, text(source, "/pvc/namespace"), text(source, "/pvc/name"));
    if source.get("pvc").is_some() {
        let missing = || trouble("CloneWithoutSource", format!("The source pvc {} doesn't exist", text(source, "/pvc/name")));
        let origin = origin.as_ref().ok_or_else(missing)?;
        if let Some(why) = mismatch(origin, volume) {
            return Err(trouble("CloneValidationFailed", format!("The clone doesn't meet the validation requirements: {why}")));
        }
    }
    let spec = claim_specs::render(world, volume, origin.as_deref()).map_err(|why| trouble("ErrClaimNotValid", why))?;
    let volume = world.store.get(key).cloned().unwrap_or_else(|| volume.clone());
    let mut claim = claim_specs::claim(&volume, spec);
    populators::prepare(world, &mut claim, &volume, filling, source);
    match world.create(claim) {
        Ok(_) => Ok(None),
        Err(status) if status.message().contains("exceeded quota") => Err(trouble("ErrExceededQuota", status.message())),
        Err(status) => Err(trouble("", status.message())),
    }
}

/// Why a claim cannot be cloned as a DataVolume asks.
fn mismatch(origin: &Value, volume: &Value) -> Option<String> {
    let content = |named: Option<&str>| named.filter(|named| !named.is_empty()).unwrap_or("kubevirt").to_owned();
    let (theirs, ours) = (content(annotation(origin, "cdi.kubevirt.io/storage.contentType")), content(Some(text(volume, "/spec/contentType"))));
    if theirs != ours {
        return Some(format!("Source contentType ({theirs}) and target contentType ({ours}) do not match"));
    }
    let exact = volume.at("/spec/pvc").is_some();
    if !exact && text(origin, "/spec/volumeMode") != "Block" {
        return None;
    }
    let size = |object: &Value, pointer: &str| bytes(text(object, pointer));
    let wanted = size(volume, &format!("/spec/{}/resources/requests/storage", if exact { "pvc" } else { "storage" }))?;
    let there = size(origin, "/spec/resources/requests/storage")?;
    (wanted < there).then(|| format!("target resources requests storage size is smaller than the source {wanted} < {there}"))
}

/// A claim that is there is the DataVolume's, is taken as it is, or is somebody else's.
fn take(world: &mut World, key: &Key, volume: &Value, claim: &Value) -> Result<(), Trouble> {
    let name = &key.name;
    if is_deleting(claim) {
        let message = format!("Resource \"{name}\" marked for deletion");
        world.tell(volume, COMPONENT, "Warning", "ErrResourceMarkedForDeletion", &message);
        return Err(trouble("", message));
    }
    if !is_controlled_by(claim, volume) {
        if requires_work(claim, volume) {
            let message = format!("Resource \"{name}\" already exists and is not managed by DataVolume");
            world.tell(volume, COMPONENT, "Warning", "ErrResourceExists", &message);
            return Err(trouble("", message));
        }
        let mut mine = claim.clone();
        if !adopt(&mut mine, &DATA_VOLUME, volume) {
            return Err(trouble("", format!("Object {}/{name} is already owned by another controller", key.namespace)));
        }
        drop(world.change(&Key::of(&CLAIM, claim), |claim| _ = adopt(claim, &DATA_VOLUME, volume)));
    }
    let filled = text(claim, "/status/phase") == "Bound" && annotation(claim, POPULATED_FOR) == Some(name);
    if filled && annotation(volume, PREPOPULATED).is_none() {
        drop(world.change(key, |volume| annotate(volume, PREPOPULATED, name)));
    }
    Ok(())
}

/// Says how far a DataVolume is.
fn report(world: &mut World, key: &Key, filling: Filling, trouble: Option<&Trouble>) {
    let Some(volume) = world.store.get(key).cloned() else { return };
    let claim = world.get(&CLAIM, &key.namespace, &key.name).filter(|claim| !is_deleting(claim));
    let was = text(&volume, "/status/phase").to_owned();
    let mut said = Value::clone(&volume);
    let (phase, event) = match &claim {
        None if trouble.is_some_and(|trouble| trouble.reason == "ErrExceededQuota") => ("Pending".to_owned(), None),
        // A copy that cannot begin has no phase yet.
        None if trouble.is_some_and(|trouble| trouble.reason.starts_with("Clone")) => (was.clone(), None),
        None if annotation(&volume, PREPOPULATED).is_some() || was.is_empty() => ("Pending".to_owned(), None),
        None => (was.clone(), None),
        Some(claim) => populators::phase(world, &volume, claim, filling),
    };
    if !phase.is_empty() {
        put(&mut said, "/status/phase", phase.as_str());
    }
    if let Some(claim) = &claim {
        put(&mut said, "/status/claimName", key.name.as_str());
        put(&mut said, "/status/progress", annotation(claim, PROGRESS).unwrap_or("N/A"));
    }
    conditions(world, &mut said, claim.as_deref(), &phase, trouble);
    let bound = |volume: &Value| condition(volume, "Bound").map(|bound| (text(bound, "/reason").to_owned(), text(bound, "/message").to_owned()));
    let told = bound(&said).filter(|now| bound(&volume).as_ref() != Some(now));
    let status = said["status"].take();
    drop(world.change(key, |volume| volume["status"] = status));
    if let Some((kind, reason, message)) = event.filter(|_| phase != was) {
        world.tell(&volume, COMPONENT, kind, reason, &message);
    }
    if let Some(trouble) = trouble.filter(|trouble| !trouble.reason.is_empty()) {
        world.tell(&volume, COMPONENT, "Warning", trouble.reason, &trouble.message);
    }
    if let Some((reason, message)) = told.filter(|(reason, _)| !reason.is_empty()) {
        world.tell(&volume, COMPONENT, "Normal", &reason, &message);
    }
}

fn conditions(world: &World, said: &mut Value, claim: Option<&Value>, phase: &str, trouble: Option<&Trouble>) {
    let name = text(said, "/metadata/name").to_owned();
    let now = world.stamp();
    let (status, reason, message) = match claim.map(|claim| text(claim, "/status/phase")) {
        None => {
            let said = trouble.map(|trouble| (trouble.reason, trouble.message.as_str())).filter(|(reason, _)| !reason.is_empty());
            let (reason, message) = said.unwrap_or(("NotFound", "No PVC found"));
            ("False", reason, message.to_owned())
        }
        Some("Bound") => ("True", "Bound", format!("PVC {name} Bound")),
        Some("Lost") => ("False", "ClaimLost", "Claim Lost".to_owned()),
        Some(_) => ("False", "Pending", format!("PVC {name} Pending")),
    };
    state(said, &now, "Bound", status, (reason, &message));
    let ready = if phase == "Succeeded" && status == "True" { "True" } else { "False" };
    let ready = if phase == "Unknown" { "Unknown" } else { ready };
    let running = claim.and_then(|claim| annotation(claim, "cdi.kubevirt.io/storage.condition.running"));
    let words =
        |part: &str| claim.and_then(|claim| annotation(claim, &format!("cdi.kubevirt.io/storage.condition.running.{part}"))).unwrap_or_default();
    let runs = running == Some("true");
    state(said, &now, "Ready", if runs { "False" } else { ready }, (if runs { "TransferRunning" } else { "" }, ""));
    state(said, &now, "Running", if runs { "True" } else { "False" }, (words("reason"), words("message")));
    let mut all = list(said, "/status/conditions").to_vec();
    for one in &mut all {
        remove(one, "", "lastProbeTime");
        let since = one["lastTransitionTime"].clone();
        default(one, "/lastHeartbeatTime", since);
    }
    put(said, "/status/conditions", json!(all));
}

#[cfg(test)]
#[path = "datavolumes_tests.rs"]
mod tests;
