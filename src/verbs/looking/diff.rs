//! How each object of the target differs from the one of the source that it stands for, as `kubectl diff` would show it.

use serde_json::Value;
use similar::TextDiff;

use super::manifests::{Made, here, made, marks};
use crate::model::failure::Failure;
use crate::model::inventory::Inventory;
use crate::model::manifest::Manifest;
use crate::model::names::{End, ObjectRef, is_own_key};
use crate::output::{escape, yaml};
use crate::plan::document::Plan;
use crate::plan::rewrite::Role;
use crate::plan::rewrite::changes::without_secrets;
use crate::plan::rewrite::dependent::rewrite_dependent;
use crate::steps::sites::Sites;

/// What servers and controllers write by themselves and would only be noise.
const NOISE: [&str; 7] = [
    "/status",
    "/metadata/managedFields",
    "/metadata/uid",
    "/metadata/resourceVersion",
    "/metadata/generation",
    "/metadata/creationTimestamp",
    "/metadata/selfLink",
];

/// The unified diff of every object that the plan makes in the target. Contents of Secrets and cloud-init are left out on both sides; what
/// is in the target already is not made, and so not shown.
///
/// # Errors
/// The server does not answer.
pub async fn diff(sites: &Sites, seen: &Inventory, plan: &Plan) -> Result<String, Failure> {
    let mut objects: Vec<Made> = made(plan, seen).into_iter().filter(|made| made.object.end == End::Target).collect();
    for dependent in plan.spec.dependents.iter().filter(|dependent| !dependent.exists) {
        let object = ObjectRef::namespaced(End::Source, dependent.kind, &plan.spec.source.namespace, &dependent.name);
        if let Some(source) = sites.source.cluster.get(&object).await? {
            let copy = rewrite_dependent(&source, &plan.spec.target.namespace, &marks(plan, &source, Role::Dependent));
            objects.push(here(plan, End::Target, copy, &source));
        }
    }
    objects.iter().map(one).collect()
}

fn one(made: &Made) -> Result<String, Failure> {
    let (from, to) = (text(&made.source)?, text(&made.manifest)?);
    let diff = TextDiff::from_lines(&from, &to);
    Ok(escape::paragraph(&diff.unified_diff().context_radius(3).header(&title(&made.source), &title(&made.manifest)).to_string()))
}

fn title(object: &Manifest) -> String {
    let kind = object.kind().map_or_else(|| object.kind_name().to_lowercase(), |kind| kind.singular());
    format!("{}/{kind}/{}", object.namespace().unwrap_or_default(), object.name())
}

/// An object as it is compared: without noise, and without the tool's marks, which are not known before a move begins.
fn text(object: &Manifest) -> Result<String, Failure> {
    let mut shown = object.clone();
    for pointer in NOISE {
        shown.remove(pointer);
    }
    for place in ["/metadata/labels", "/metadata/annotations"] {
        let Some(map) = shown.value_mut().pointer_mut(place).and_then(Value::as_object_mut) else { continue };
        map.retain(|key, _| !is_own_key(key));
        if map.is_empty() {
            shown.remove(place);
        }
    }
    yaml::write(&without_secrets(&shown.value()))
}
