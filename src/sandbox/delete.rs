//! How an object goes: at once, or when nothing holds on to it any more.
//! Source: kubernetes 1.36 `staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go` and `pkg/registry/rest/delete.go`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::at::At;
use super::catalog::{self, Res};
use super::status::Status;
use super::store::{Key, is_deleting, text};
use super::subject::Verb;
use super::world::World;
use super::write::{Attempt, User, admitted, finalizers, has_generation, remove};

/// Deletion waits until the dependents no longer name the object as their owner.
pub const ORPHAN: &str = "orphan";
/// Deletion waits until the dependents that block it are gone.
pub const FOREGROUND: &str = "foregroundDeletion";

/// How an object is to be deleted.
#[derive(Clone, Debug, Default)]
pub struct Deletion {
    /// `Background` when empty.
    pub propagation: String,
    pub uid: Option<String>,
    pub resource_version: Option<String>,
    pub grace: Option<i64>,
    pub dry_run: bool,
}

/// Deletes an object, or marks it for deletion while something holds on to it. Says how it is then; `None` when it is gone.
///
/// # Errors
/// The refusal.
pub fn delete(world: &mut World, user: &User, key: &Key, how: &Deletion) -> Result<Option<Arc<Value>>, Status> {
    let Some(old) = world.store.get(key).cloned() else { return Err(Status::not_found(key.resource, &key.name)) };
    for (field, wanted, is) in
        [("UID", &how.uid, text(&old, "/metadata/uid")), ("ResourceVersion", &how.resource_version, text(&old, "/metadata/resourceVersion"))]
    {
        if let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != is) {
            return Err(Status::not_meant(key.resource, &key.name, field, wanted, is));
        }
    }
    let mut attempt = Attempt::new(user.clone(), key.resource, Value::clone(&old));
    (attempt.verb, attempt.old, attempt.dry_run) = (Verb::Delete, Some(old.clone()), how.dry_run);
    admitted(world, &mut attempt)?;
    let mut object = Value::clone(&old);
    mark(world, key.resource, &mut object, how);
    let waits =
        !finalizers(key.resource, &object).is_empty() || object["metadata"]["deletionGracePeriodSeconds"].as_i64().is_some_and(|grace| grace > 0);
    if how.dry_run {
        return Ok(waits.then(|| Arc::new(object)));
    }
    if !waits {
        world.store.remove(key);
        return Ok(None);
    }
    if object == *old { Ok(Some(old)) } else { Ok(Some(world.store.put(key.clone(), object))) }
}

/// Marks an object as going.
fn mark(world: &World, resource: Res, object: &mut Value, how: &Deletion) {
    let wanted = match how.propagation.as_str() {
        "Orphan" => Some(ORPHAN),
        "Foreground" => Some(FOREGROUND),
        // For the sake of clients of before 2016 (kubernetes 1.36 `pkg/registry/batch/job/strategy.go`).
        "" if resource == &catalog::JOB => Some(ORPHAN),
        _ => None,
    };
    let mut all = object.at("/metadata/finalizers").and_then(Value::as_array).cloned().unwrap_or_default();
    // Who asks anew is heard, whatever was asked before; who asks for nothing special leaves it.
    if !how.propagation.is_empty() {
        all.retain(|one| one != ORPHAN && one != FOREGROUND);
    }
    all.extend(wanted.map(Value::from));
    if all.is_empty() {
        remove(&mut object["metadata"], "finalizers");
    } else {
        object["metadata"]["finalizers"] = all.into();
    }
    let grace = if resource == &catalog::POD { grace(object, how) } else { 0 };
    if !is_deleting(object) {
        let at = world.now() + std::time::Duration::from_secs(u64::try_from(grace).unwrap_or_default());
        object["metadata"]["deletionTimestamp"] = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
        if has_generation(resource) {
            object["metadata"]["generation"] = (object["metadata"]["generation"].as_i64().unwrap_or(0) + 1).into();
        }
        object["metadata"]["deletionGracePeriodSeconds"] = grace.into();
        if resource == &catalog::NAMESPACE {
            object["status"]["phase"] = "Terminating".into();
        }
    } else if grace < object["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) {
        object["metadata"]["deletionGracePeriodSeconds"] = grace.into();
    }
}

/// How long a pod may take: one that runs nowhere, or is over, goes at once.
fn grace(pod: &Value, how: &Deletion) -> i64 {
    let over = matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
    if text(pod, "/spec/nodeName").is_empty() || over {
        return 0;
    }
    how.grace.unwrap_or_else(|| pod.at("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(30))
}

/// The answer to a deletion that took effect at once.
pub fn deleted(key: &Key, uid: &str) -> Value {
    let mut details = json!({"name": key.name, "kind": key.resource.plural, "uid": uid});
    if !key.resource.group.is_empty() {
        details["group"] = key.resource.group.into();
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
