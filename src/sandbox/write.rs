//! How an object comes to be and changes: the part of the API server that all writes pass, whoever makes them.
//! Source: kubernetes 1.36 `staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go` and `pkg/registry/rest/{create,update}.go`.

use std::sync::Arc;

use serde_json::Value;

use super::at::At;
use super::catalog::{self, Res};
use super::names;
use super::status::{Cause, Status};
use super::store::{Key, is_deleting, text};
use super::subject::{Rule, Verb};
use super::world::World;

/// Who writes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct User {
    pub name: String,
    pub groups: Vec<String>,
}

impl User {
    /// Who may do everything.
    pub fn admin() -> Self {
        Self { name: "sandbox-admin".to_owned(), groups: vec!["system:masters".to_owned(), "system:authenticated".to_owned()] }
    }

    /// A component of the cluster.
    pub fn controller() -> Self {
        Self { name: "system:kube-controller-manager".to_owned(), groups: vec!["system:masters".to_owned()] }
    }

    /// The garbage collector, whom webhooks know by this name and give no more than its own rights.
    pub fn garbage_collector() -> Self {
        let groups = ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"].map(str::to_owned);
        Self { name: "system:serviceaccount:kube-system:generic-garbage-collector".to_owned(), groups: groups.to_vec() }
    }
}

/// A write on its way through the rules.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub user: User,
    pub resource: Res,
    /// Empty, or `status`.
    pub subresource: &'static str,
    /// As it is to be; rules fill in and correct.
    pub object: Value,
    /// As it is.
    pub old: Option<Arc<Value>>,
    pub verb: Verb,
    pub dry_run: bool,
    /// What the writer is told beside the answer.
    pub warnings: Vec<String>,
}

impl Attempt {
    pub fn new(user: User, resource: Res, object: Value) -> Self {
        let verb = Verb::Create;
        Self { user, resource, subresource: "", object, old: None, verb, dry_run: false, warnings: Vec::new() }
    }

    pub fn name(&self) -> &str {
        text(&self.object, "/metadata/name")
    }

    pub fn key(&self) -> Key {
        Key::of(self.resource, &self.object)
    }
}

pub(super) fn admitted(world: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let meant: Vec<&Rule> = world.rules.iter().copied().filter(|rule| rule.is_for(attempt)).collect();
    for rule in meant {
        (rule.run)(world, attempt)?;
    }
    Ok(())
}

/// Makes an object.
///
/// # Errors
/// The refusal.
pub fn create(world: &mut World, attempt: Attempt) -> Result<Arc<Value>, Status> {
    create_aloud(world, attempt).map(|(object, _)| object)
}

/// As [`create`], with what the writer is warned of.
///
/// # Errors
/// The refusal.
pub fn create_aloud(world: &mut World, mut attempt: Attempt) -> Result<(Arc<Value>, Vec<String>), Status> {
    attempt.verb = Verb::Create;
    if !text(&attempt.object, "/metadata/resourceVersion").is_empty() {
        return Err(Status::new(500, "", "resourceVersion should not be set on objects to be created"));
    }
    name(world, &mut attempt)?;
    let (uid, stamp) = (world.uid(), world.stamp());
    let metadata = &mut attempt.object["metadata"];
    metadata["uid"] = uid.into();
    metadata["creationTimestamp"] = stamp;
    for field in ["managedFields", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion", "generation"] {
        remove(metadata, field);
    }
    if has_generation(attempt.resource) {
        metadata["generation"] = 1.into();
    }
    without_empties(metadata);
    if attempt.resource.has_status {
        remove(&mut attempt.object, "status");
    }
    admitted(world, &mut attempt)?;
    let key = attempt.key();
    if world.store.get(&key).is_some() {
        return Err(Status::already_exists(attempt.resource, &key.name));
    }
    if attempt.dry_run {
        return Ok((Arc::new(attempt.object), attempt.warnings));
    }
    Ok((world.store.put(key, attempt.object), attempt.warnings))
}

/// Gives an object the name that it is to be generated, and refuses one that is no name.
fn name(world: &mut World, attempt: &mut Attempt) -> Result<(), Status> {
    if !attempt.name().is_empty() {
        return names::wrong(attempt.resource, attempt.name())
            .map_or(Ok(()), |cause| Err(Status::invalid(attempt.resource, attempt.name(), &[cause])));
    }
    let prefix = text(&attempt.object, "/metadata/generateName").to_owned();
    if prefix.is_empty() {
        let cause = Cause::required("metadata.name", "name or generateName is required");
        return Err(Status::invalid(attempt.resource, "", &[cause]));
    }
    attempt.object["metadata"]["name"] = format!("{prefix}{}", world.suffix()).into();
    Ok(())
}

/// Replaces an object, or its status.
///
/// # Errors
/// The refusal.
pub fn update(world: &mut World, attempt: Attempt) -> Result<Arc<Value>, Status> {
    update_aloud(world, attempt).map(|(object, _)| object)
}

/// As [`update`], with what the writer is warned of.
///
/// # Errors
/// The refusal.
pub fn update_aloud(world: &mut World, mut attempt: Attempt) -> Result<(Arc<Value>, Vec<String>), Status> {
    let key = attempt.key();
    let Some(old) = world.store.get(&key).cloned() else { return Err(Status::not_found(attempt.resource, &key.name)) };
    unchanged_since(&attempt, &old)?;
    merge_with(&mut attempt, &old);
    attempt.verb = Verb::Update;
    attempt.old = Some(old.clone());
    no_new_finalizers(&attempt, &old)?;
    admitted(world, &mut attempt)?;
    if has_generation(attempt.resource) && !wish(&attempt.object, attempt.resource).eq(wish(&old, attempt.resource)) {
        let generation = old["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
        attempt.object["metadata"]["generation"] = generation.into();
    }
    if attempt.object == *old {
        return Ok((old, attempt.warnings));
    }
    if attempt.dry_run {
        return Ok((Arc::new(attempt.object), attempt.warnings));
    }
    let last_of_it = is_deleting(&attempt.object) && finalizers(attempt.resource, &attempt.object).is_empty();
    let graceful = attempt.object.at("/metadata/deletionGracePeriodSeconds").and_then(Value::as_i64).is_some_and(|grace| grace > 0);
    let written = world.store.put(key.clone(), attempt.object);
    if last_of_it && !graceful {
        world.store.remove(&key);
    }
    Ok((written, attempt.warnings))
}

/// The identity and the version that came with the object must be the last ones.
fn unchanged_since(attempt: &Attempt, old: &Value) -> Result<(), Status> {
    let (resource, name) = (attempt.resource, attempt.name());
    let (uid, old_uid) = (text(&attempt.object, "/metadata/uid"), text(old, "/metadata/uid"));
    if !uid.is_empty() && uid != old_uid {
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {old_uid}");
        return Err(Status::conflict(resource, name, &why));
    }
    let version = text(&attempt.object, "/metadata/resourceVersion");
    if !version.is_empty() && version != text(old, "/metadata/resourceVersion") {
        return Err(Status::outdated(resource, name));
    }
    Ok(())
}

/// What a writer has no say in stays as it was.
fn merge_with(attempt: &mut Attempt, old: &Value) {
    let keep = |object: &mut Value, field: &str| put_or_remove(object, field, old.get(field));
    if attempt.subresource == "status" {
        let status = attempt.object["status"].take();
        attempt.object = old.clone();
        match status {
            Value::Null => remove(&mut attempt.object, "status"),
            status => attempt.object["status"] = status,
        }
        return;
    }
    if attempt.resource.has_status {
        keep(&mut attempt.object, "status");
    }
    if attempt.resource == &catalog::NAMESPACE && attempt.object.get("spec").is_none() {
        keep(&mut attempt.object, "spec");
    }
    let metadata = &mut attempt.object["metadata"];
    without_empties(metadata);
    remove(metadata, "managedFields");
    for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "generateName"] {
        put_or_remove(metadata, field, old["metadata"].get(field));
    }
}

fn no_new_finalizers(attempt: &Attempt, old: &Value) -> Result<(), Status> {
    let list = |object: &Value| object.at("/metadata/finalizers").and_then(Value::as_array).cloned().unwrap_or_default();
    let before = list(old);
    let new: Vec<Value> = list(&attempt.object).into_iter().filter(|one| !before.contains(one)).collect();
    if !is_deleting(old) || new.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = new.iter().map(|name| format!("{name}")).collect();
    let why = format!("no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}", names.join(", "));
    Err(Status::invalid(attempt.resource, attempt.name(), &[Cause::forbidden("metadata.finalizers", &why)]))
}

/// What holds on to an object.
pub(super) fn finalizers(resource: Res, object: &Value) -> Vec<&Value> {
    let list = |pointer: &str| object.at(pointer).and_then(Value::as_array).into_iter().flatten();
    let own = if resource == &catalog::NAMESPACE { "/spec/finalizers" } else { "/none" };
    list("/metadata/finalizers").chain(list(own)).collect()
}

/// Whether changes of what an object asks for are counted in it.
pub(super) fn has_generation(resource: Res) -> bool {
    const COUNTED: [Res; 6] = [&catalog::POD, &catalog::JOB, &catalog::CRD, &catalog::INGRESS, &catalog::NETWORK_POLICY, &catalog::DISRUPTION_BUDGET];
    resource.custom || COUNTED.contains(&resource)
}

/// All of an object but its metadata and what is said of it.
fn wish(object: &Value, resource: Res) -> impl Iterator<Item = (&String, &Value)> {
    let counts = move |field: &str| field != "metadata" && (field != "status" || !resource.has_status);
    object.as_object().into_iter().flatten().filter(move |(field, _)| counts(field))
}

/// Empty fields of the metadata are left out, of whatever kind the object is.
fn without_empties(metadata: &mut Value) {
    for field in ["labels", "annotations", "finalizers", "ownerReferences"] {
        let empty = metadata.get(field).is_some_and(|value| {
            value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
        });
        if empty {
            remove(metadata, field);
        }
    }
}

/// Whether two states of an object differ at most in what is said of it.
pub(super) fn same_but_status(one: &Value, other: &Value) -> bool {
    let rest = |object| Value::as_object(object).into_iter().flatten().filter(|(field, _)| field.as_str() != "status");
    rest(one).eq(rest(other))
}

pub(super) fn put_or_remove(object: &mut Value, field: &str, value: Option<&Value>) {
    match value {
        Some(value) => object[field] = value.clone(),
        None => remove(object, field),
    }
}

pub(super) fn remove(object: &mut Value, field: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove(field);
    }
}
