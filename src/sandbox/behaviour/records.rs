//! Records that controllers do not look at: what may be written into ConfigMaps and Secrets.
//! Source: kubernetes 1.36 `pkg/apis/core/validation/validation.go`, ValidateConfigMapUpdate, ValidateSecretUpdate.

use serde_json::Value;

use super::{Rule, Subject, Verb};
use crate::sandbox::catalog::{CONFIG_MAP, SECRET};
use crate::sandbox::status::{Cause, Status};
use crate::sandbox::world::World;
use crate::sandbox::write::Attempt;

pub const SUBJECT: Subject = Subject {
    rules: &[
        Rule { resource: &CONFIG_MAP, subresource: "", verbs: &[Verb::Create, Verb::Update], run: without_empty_maps },
        Rule { resource: &SECRET, subresource: "", verbs: &[Verb::Create, Verb::Update], run: without_empty_maps },
        Rule { resource: &SECRET, subresource: "", verbs: &[Verb::Create], run: with_a_type },
        Rule { resource: &CONFIG_MAP, subresource: "", verbs: &[Verb::Update], run: immutable_stays },
        Rule { resource: &SECRET, subresource: "", verbs: &[Verb::Update], run: immutable_stays },
    ],
    controllers: &[],
};

/// An empty map is none, as everywhere where objects are encoded without their empty fields.
fn without_empty_maps(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    if let Some(fields) = attempt.object.as_object_mut() {
        for map in ["data", "binaryData"] {
            if fields.get(map).and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
                fields.remove(map);
            }
        }
    }
    Ok(())
}

fn with_a_type(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    if attempt.object.get("type").is_none() {
        attempt.object["type"] = "Opaque".into();
    }
    Ok(())
}

fn immutable_stays(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let Some(old) = attempt.old.as_deref().filter(|old| old["immutable"] == true) else { return Ok(()) };
    let mut causes = Vec::new();
    if attempt.object["immutable"] != true {
        causes.push(Cause::forbidden("immutable", "field is immutable when `immutable` is set"));
    }
    for map in ["data", "binaryData"] {
        if old.get(map) != attempt.object.get(map) {
            causes.push(Cause::forbidden(map, "field is immutable when `immutable` is set"));
        }
    }
    if causes.is_empty() { Ok(()) } else { Err(Status::invalid(attempt.resource, attempt.name(), &causes)) }
}
