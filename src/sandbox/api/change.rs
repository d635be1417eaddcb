//! Writing: requests that make, replace, patch and delete objects.

use std::sync::Arc;

use serde_json::{Value, json};

use super::path::Query;
use super::sent::{Part, Sent, Shown};
use crate::sandbox::at::At;
use crate::sandbox::catalog::Res;
use crate::sandbox::delete::{self, Deletion};
use crate::sandbox::fields;
use crate::sandbox::status::{Cause, Status};
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;
use crate::sandbox::write::{self, Attempt, User};

const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
/// Server-side apply.
const APPLY_PATCHES: [&str; 2] = ["application/apply-patch+yaml", "application/apply-patch+cbor"];

/// What comes of a write: the object, whether it is new, and what the writer is warned of.
pub struct Written {
    pub object: Arc<Value>,
    pub code: u16,
    pub warnings: Vec<String>,
}

/// Where a write goes, by its path.
pub struct Place<'p> {
    pub resource: Res,
    pub namespace: &'p str,
    pub name: &'p str,
    pub subresource: &'p str,
}

impl Place<'_> {
    fn key(&self) -> Key {
        Key::new(self.resource, self.namespace, self.name)
    }
}

/// Makes an object.
///
/// # Errors
/// The refusal.
pub fn create(world: &mut World, user: &User, place: &Place, query: &Query, body: Value) -> Result<Written, Status> {
    let mut object = fitted(place, body)?;
    let unknown = only_known(place, query, &mut object, |words| unreadable(place.resource, words))?;
    let mut attempt = Attempt::new(user.clone(), place.resource, object);
    (attempt.dry_run, attempt.warnings) = (dry_run(query)?, unknown);
    let (object, warnings) = write::create_aloud(world, attempt)?;
    Ok(Written { object, code: 201, warnings })
}

/// Replaces an object or its status.
///
/// # Errors
/// The refusal.
pub fn replace(world: &mut World, user: &User, place: &Place, query: &Query, body: Value) -> Result<Written, Status> {
    let mut object = fitted(place, body)?;
    let unknown = only_known(place, query, &mut object, |words| unreadable(place.resource, words))?;
    if place.resource.custom && text(&object, "/metadata/resourceVersion").is_empty() && world.store.get(&place.key()).is_some() {
        let cause = Cause::invalid("metadata.resourceVersion", &0.into(), "must be specified for an update");
        return Err(Status::invalid_resource(place.resource, place.name, &[cause]));
    }
    put(world, user, place, query, (object, unknown))
}

/// Patches an object or its status.
///
/// # Errors
/// The refusal; 415 for kinds of patches that the sandbox leaves to real clusters.
pub fn patch(world: &mut World, user: &User, place: &Place, query: &Query, (media, body): (&str, &[u8])) -> Result<Written, Status> {
    takes(place, media)?;
    let key = place.key();
    let Some(old) = world.store.get(&key).cloned() else { return Err(Status::not_found(place.resource, place.name)) };
    let mut object = Value::clone(&old);
    let undecodable = |error| Status::bad_request(format!("error decoding patch: {error}"));
    if media == JSON_PATCH {
        let patch: json_patch::Patch = serde_json::from_slice(body).map_err(undecodable)?;
        json_patch::patch(&mut object, &patch).map_err(|_| unprocessable())?;
    } else {
        json_patch::merge(&mut object, &serde_json::from_slice(body).map_err(undecodable)?);
    }
    let uid = text(&object, "/metadata/uid");
    if !uid.is_empty() && uid != text(&old, "/metadata/uid") {
        let cause = Cause::invalid("metadata.uid", &uid.into(), "field is immutable");
        return Err(Status::invalid(place.resource, place.name, &[cause]));
    }
    // A patch that names no version fits any.
    if text(&object, "/metadata/resourceVersion").is_empty() {
        object["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
    }
    let mut object = fitted(place, object)?;
    let unknown = only_known(place, query, &mut object, |words| unfitting(body, words))?;
    put(world, user, place, query, (object, unknown))
}

/// Refuses a kind of patch before anything is looked up (kubernetes/apiserver 1.36 `pkg/endpoints/handlers/patch.go`, PatchResource).
fn takes(place: &Place, media: &str) -> Result<(), Status> {
    if [JSON_PATCH, MERGE_PATCH].contains(&media) {
        return Ok(());
    }
    if place.resource.custom && !APPLY_PATCHES.contains(&media) {
        return Err(Status::unsupported(&[JSON_PATCH, MERGE_PATCH, APPLY_PATCHES[0], APPLY_PATCHES[1]]));
    }
    let message = format!(
        "{media} is left out of the sandbox: it takes {JSON_PATCH} and {MERGE_PATCH}; server-side apply and strategic merge need a real cluster"
    );
    Err(Status::new(415, "UnsupportedMediaType", message))
}

fn put(world: &mut World, user: &User, place: &Place, query: &Query, (object, warnings): (Value, Vec<String>)) -> Result<Written, Status> {
    let mut attempt = Attempt::new(user.clone(), place.resource, object);
    (attempt.dry_run, attempt.warnings) = (dry_run(query)?, warnings);
    attempt.subresource = match place.subresource {
        "" => "",
        "status" if place.resource.has_status => "status",
        "finalize" if place.resource.plural == "namespaces" => "finalize",
        _ => return Err(Status::no_such_path()),
    };
    let (object, warnings) = write::update_aloud(world, attempt)?;
    Ok(Written { object, code: 200, warnings })
}

/// Drops what the kind does not know: with warnings, without a word or, refusing in the words for it, not at all, as the writer wishes.
fn only_known(place: &Place, query: &Query, object: &mut Value, refused: impl FnOnce(&str) -> Status) -> Result<Vec<String>, Status> {
    let unknown = fields::drop_unknown(place.resource, object);
    let words: Vec<String> = unknown.iter().map(|field| format!("unknown field \"{field}\"")).collect();
    match query.get("fieldValidation").map(String::as_str) {
        _ if words.is_empty() => Ok(words),
        Some("Ignore") => Ok(Vec::new()),
        Some("Strict") => Err(refused(&format!("strict decoding error: {}", words.join(", ")))),
        _ => Ok(words),
    }
}

fn unreadable(resource: Res, words: &str) -> Status {
    let (kind, version) = (resource.kind, resource.version());
    Status::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {words}"))
}

fn unfitting(patch: &[u8], words: &str) -> Status {
    let patch = String::from_utf8_lossy(patch);
    Status::new(422, "Invalid", format!(" \"\" is invalid: patch: Invalid value: {patch:?}: {words}"))
}

/// Deletes one object.
///
/// # Errors
/// The refusal.
pub fn delete(world: &mut World, user: &User, place: &Place, query: &Query, body: &Value) -> Result<Sent, Status> {
    let key = place.key();
    let uid = world.store.get(&key).map(|object| text(object, "/metadata/uid").to_owned()).unwrap_or_default();
    let left = delete::delete(world, user, &key, &deletion(query, body)?)?;
    Ok(left.map_or_else(|| delete::deleted(&key, &uid).into(), |object| Sent::Object(Shown { object, part: Part::Whole })))
}

/// Deletes what is selected, one after the other.
///
/// # Errors
/// The first refusal.
pub fn delete_many(world: &mut World, user: &User, place: &Place, query: &Query, body: &Value) -> Result<Sent, Status> {
    let selector = super::read::selector(place.resource, query)?;
    let namespace = Some(place.namespace).filter(|namespace| !namespace.is_empty());
    let selected: Vec<(Key, Arc<Value>)> = world
        .store
        .list(place.resource, namespace)
        .filter(|(_, object)| selector.matches(object))
        .map(|(key, object)| (key.clone(), object.clone()))
        .collect();
    let how = deletion(query, body)?;
    for (key, _) in &selected {
        delete::delete(world, user, key, &how)?;
    }
    let objects: Vec<&Arc<Value>> = selected.iter().map(|(_, object)| object).collect();
    let list = json!({"resourceVersion": world.store.version().to_string()});
    Ok(super::form::Form::Whole.many(place.resource, &objects, list, world.now()))
}

fn deletion(query: &Query, body: &Value) -> Result<Deletion, Status> {
    let given = |name: &str| body[name].as_str().map(str::to_owned).or_else(|| query.get(name).cloned());
    let orphan = body["orphanDependents"].as_bool().filter(|orphan| *orphan).map(|_| "Orphan".to_owned());
    let all = body["dryRun"].as_array().is_some_and(|all| all.iter().any(|one| one == "All"));
    Ok(Deletion {
        propagation: given("propagationPolicy").or(orphan).unwrap_or_default(),
        uid: body.at("/preconditions/uid").and_then(Value::as_str).map(str::to_owned),
        resource_version: body.at("/preconditions/resourceVersion").and_then(Value::as_str).map(str::to_owned),
        grace: body["gracePeriodSeconds"].as_i64().or_else(|| query.get("gracePeriodSeconds")?.parse().ok()),
        dry_run: all || dry_run(query)?,
    })
}

fn dry_run(query: &Query) -> Result<bool, Status> {
    match query.get("dryRun").map(String::as_str) {
        None | Some("") => Ok(false),
        Some("All") => Ok(true),
        Some(other) => {
            Err(Status::new(422, "Invalid", format!(" \"\" is invalid: dryRun: Unsupported value: [\"{other}\"]: supported values: \"All\"")))
        }
    }
}

/// The object of a body at its place: what the path says and the body leaves out is filled in, what contradicts it is refused.
fn fitted(place: &Place, mut object: Value) -> Result<Value, Status> {
    let resource = place.resource;
    if !object.is_object() {
        return Err(Status::bad_request("the object provided is unrecognized (must be of type JSON object)"));
    }
    let (api_version, kind) = (text(&object, "/apiVersion").to_owned(), text(&object, "/kind").to_owned());
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    if (!api_version.is_empty() && group != resource.group) || (!kind.is_empty() && kind != resource.kind) {
        let (version, wanted) = (api_version.rsplit('/').next().unwrap_or_default(), resource.kind);
        let message = format!(
            "{kind} in version \"{api_version}\" cannot be handled as a {wanted}: converting ({version}.{kind}) to (core.{wanted}): unknown conversion"
        );
        return Err(Status::bad_request(message));
    }
    object["apiVersion"] = resource.api_version().into();
    object["kind"] = resource.kind.into();
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    let namespace = text(&object, "/metadata/namespace").to_owned();
    if resource.namespaced && !namespace.is_empty() && namespace != place.namespace {
        return Err(Status::bad_request("the namespace of the provided object does not match the namespace sent on the request"));
    }
    if resource.namespaced {
        object["metadata"]["namespace"] = place.namespace.into();
    }
    let name = text(&object, "/metadata/name").to_owned();
    if !place.name.is_empty() && name != place.name {
        let why = format!("the name of the object ({name}) does not match the name on the URL ({})", place.name);
        return Err(Status::bad_request(why));
    }
    Ok(object)
}

/// A patch that does not fit the object, such as a `test` that failed: 422, without a word about which.
fn unprocessable() -> Status {
    let mut status = Status::new(422, "Invalid", "the server rejected our request due to an error in our request");
    status.0["details"] = json!({});
    status
}
