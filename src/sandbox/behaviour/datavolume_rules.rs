//! What may be written about a DataVolume, and who may.
//! Sources: containerized-data-importer 1.65 `pkg/apiserver/webhooks/{datavolume-mutate,datavolume-validate,handler}.go`,
//! `pkg/controller/common/util.go` ClaimMayExistBeforeDataVolume.
//!
//! Cases: `datavolumes/a-disk-is-of-one-source`, `datavolumes/a-claim-of-that-name-is-in-the-way`, `datavolumes/a-disk-does-not-change-its-mind`,
//! `datavolumes/a-source-of-a-copy-has-a-namespace`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::objects::{annotate, annotation, bytes, controller, list};
use super::refusals::{self, cause, invalid};
use super::{Rule, Verb, clone_rights, is_deleting};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLAIM, DATA_VOLUME};
use crate::sandbox::status::{Cause, Status};
use crate::sandbox::store::text;
use crate::sandbox::world::World;
use crate::sandbox::write::Attempt;

pub const RULES: &[Rule] = &[
    Rule { resource: &DATA_VOLUME, subresource: "", verbs: &[Verb::Create, Verb::Update], run: authorize },
    Rule { resource: &DATA_VOLUME, subresource: "", verbs: &[Verb::Create, Verb::Update], run: validate },
];

const MUTATOR: &str = "datavolume-mutate.cdi.kubevirt.io";
const VALIDATOR: &str = "datavolume-validate.cdi.kubevirt.io";
const MODES: &[&str] = &["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];
const SOURCES: &[&str] = &["http", "s3", "gcs", "registry", "pvc", "upload", "blank", "imageio", "vddk", "snapshot"];
const MEBIBYTE: u64 = 1 << 20;

/// Whoever writes a clone, in whichever way, must be allowed to read its origin.
fn authorize(world: &World, attempt: &mut Attempt) -> Result<(), Status> {
    if is_deleting(&attempt.object) {
        return Ok(());
    }
    if let Some(why) = clone_rights::refusal(world, &attempt.user, &attempt.object) {
        return if why.contains("insufficient permissions") {
            refusals::cdi(MUTATOR, &[invalid("spec.source.PVC.namespace", why)])
        } else {
            Err(refusals::failed(MUTATOR, &why))
        };
    }
    if attempt.verb == Verb::Create && clone_rights::clones(world, &attempt.object) {
        let token = token(world, &attempt.object);
        annotate(&mut attempt.object, "cdi.kubevirt.io/storage.clone.token", &token);
    }
    Ok(())
}

/// A token as CDI makes them, which nobody in the sandbox reads: a header, what is allowed, and a signature that is none.
fn token(world: &World, volume: &Value) -> String {
    let name = &volume["metadata"];
    let now = world.now().as_second();
    let claims = json!({
        "iss": "cdi-apiserver", "iat": now, "nbf": now, "exp": now + 300, "operation": "Clone",
        "params": {"targetName": name["name"], "targetNamespace": name["namespace"]},
    });
    [json!({"alg": "PS256"}), claims, name["uid"].clone()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".")
}

/// What the definition of DataVolumes asks for in each source.
fn required(volume: &Value) -> Vec<Cause> {
    let sources = [("pvc", "name"), ("pvc", "namespace"), ("snapshot", "name"), ("snapshot", "namespace"), ("http", "url")];
    let missing = |(kind, field): &(&str, &str)| {
        let source = volume.at(&format!("/spec/source/{kind}"));
        source.is_some_and(|source| source.is_object() && source.get(*field).is_none_or(Value::is_null))
    };
    sources.iter().filter(|at| missing(at)).map(|(kind, field)| Cause::required(&format!("spec.source.{kind}.{field}"), "")).collect()
}

fn validate(world: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let volume = &attempt.object;
    let missing = required(volume);
    if !missing.is_empty() {
        return Err(Status::invalid(&DATA_VOLUME, attempt.name(), &missing));
    }
    if attempt.old.as_ref().is_some_and(|old| old.get("spec") != volume.get("spec")) {
        let cause = cause("FieldValueDuplicate", "DataVolume.Spec", "Cannot update DataVolume Spec");
        return refusals::cdi(VALIDATOR, &[cause]);
    }
    if text(volume, "/metadata/name").len() > 253 {
        return refusals::cdi(VALIDATOR, &[invalid("", "Name cannot be longer than 253 characters")]);
    }
    if attempt.old.is_none()
        && let Some(claim) = world.get(&CLAIM, text(volume, "/metadata/namespace"), text(volume, "/metadata/name"))
        && !may_exist(&claim, volume)
    {
        let message = format!("Destination PVC {}/{} already exists", text(&claim, "/metadata/namespace"), text(&claim, "/metadata/name"));
        return refusals::cdi(VALIDATOR, &[cause("FieldValueDuplicate", "DataVolume.Name", message)]);
    }
    refusals::cdi(VALIDATOR, &wrong(volume))
}

/// Whether a claim of that name is no obstacle: it is filled for the DataVolume, may be adopted, or is a DataVolume's anyway.
fn may_exist(claim: &Value, volume: &Value) -> bool {
    let filled = annotation(claim, "cdi.kubevirt.io/storage.populatedFor") == Some(text(volume, "/metadata/name"));
    filled || adopts(claim, volume) || controller(claim).is_some_and(|owner| text(owner, "/kind") == "DataVolume")
}

/// Whether a DataVolume takes a claim as it is (`AllowClaimAdoption`; the feature gate DataVolumeClaimAdoption is off).
pub fn adopts(claim: &Value, volume: &Value) -> bool {
    let made_for_it = annotation(claim, "cdi.kubevirt.io/createdForDataVolume") == Some(text(volume, "/metadata/uid"));
    let asked = annotation(volume, "cdi.kubevirt.io/allowClaimAdoption");
    !made_for_it && matches!(asked, Some("1" | "t" | "T" | "true" | "TRUE" | "True"))
}

/// The first rule that a DataVolume breaks.
fn wrong(volume: &Value) -> Vec<Cause> {
    let at = |field: &str| volume.at(&format!("/spec/{field}")).filter(|found| found.is_object());
    let (claim, storage) = (at("pvc"), at("storage"));
    let (source, reference) = (at("source"), at("sourceRef"));
    let (word, wish) = match (claim, storage) {
        (None, None) => return vec![invalid("spec.PVC", "Missing Data volume PVC")],
        (Some(_), Some(_)) => {
            return vec![invalid("spec.PVC.Storage", "Duplicate storage definition, both target storage and target pvc defined")];
        }
        (Some(claim), None) => ("PVC", claim),
        (None, Some(storage)) => ("Storage", storage),
    };
    let clone = reference.is_some() || source.is_some_and(|source| source.get("pvc").is_some() || source.get("snapshot").is_some());
    if let Some(message) = size(word, wish, storage.is_some() && clone) {
        return vec![invalid(&format!("spec.{word}.resources.requests.size"), message)];
    }
    if let Some(message) = modes(wish, claim.is_some()) {
        return vec![invalid("spec.PVC.accessModes", message)];
    }
    if wish.get("dataSource").or(wish.get("dataSourceRef")).is_some_and(|origin| !origin.is_null()) {
        let both = source.is_some() || reference.is_some();
        let message = "External population is incompatible with Source and SourceRef";
        return if both { vec![invalid("spec.source", message)] } else { Vec::new() };
    }
    match (source, reference) {
        (None, None) | (Some(_), Some(_)) => {
            vec![invalid("spec.source", "Data volume should have either Source or SourceRef, or be externally populated")]
        }
        (None, Some(reference)) => of_reference(reference),
        (Some(source), None) => of_source(source, text(volume, "/spec/contentType")),
    }
}

fn size(word: &str, wish: &Value, optional: bool) -> Option<String> {
    let asked = wish.at("/resources/requests/storage").map(|size| size.as_str().map_or_else(|| size.to_string(), str::to_owned));
    match asked {
        None if optional => None,
        None => Some(format!("{word} size is missing")),
        Some(size) if size.starts_with('-') || bytes(&size) == Some(0) => Some(format!("{word} size can't be equal or less than zero")),
        Some(size) if bytes(&size).is_some_and(|size| size < MEBIBYTE) => Some(format!("{word} size should be at least 1MiB")),
        Some(_) => None,
    }
}

fn modes(wish: &Value, exact: bool) -> Option<String> {
    let all = list(wish, "/accessModes");
    match all.len() {
        0 if exact => return Some("Required value: at least 1 access mode is required".to_owned()),
        2.. if exact => return Some("PVC multiple accessModes".to_owned()),
        _ => {}
    }
    let known = |mode: &Value| mode.as_str().is_some_and(|mode| MODES.contains(&mode));
    let supported = r#""ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod""#;
    (!all.iter().all(known)).then(|| format!("Unsupported value: {}: supported values: {supported}", all[0]))
}

fn of_reference(reference: &Value) -> Vec<Cause> {
    match (text(reference, "/kind"), text(reference, "/name")) {
        ("", _) => vec![invalid("spec.sourceRef.Kind", "Missing sourceRef kind")],
        ("DataSource", "") => vec![invalid("spec.sourceRef.Name", "Missing sourceRef name")],
        ("DataSource", _) => Vec::new(),
        (kind, _) => {
            vec![invalid("spec.sourceRef.Kind", format!("Unsupported sourceRef kind {kind}, currently only DataSource is supported"))]
        }
    }
}

/// Sources: `pkg/apiserver/webhooks/util.go`.
fn of_source(source: &Value, content: &str) -> Vec<Cause> {
    let given: Vec<&str> = SOURCES.iter().copied().filter(|kind| source.get(*kind).is_some_and(|at| !at.is_null())).collect();
    match given.as_slice() {
        [] => return vec![invalid("spec.source", "Missing Data volume source")],
        [_] => {}
        _ => return vec![invalid("spec.source", "Multiple Data volume sources")],
    }
    if !matches!(content, "" | "kubevirt" | "archive") {
        return vec![invalid("spec.contentType", "ContentType not one of: kubevirt, archive")];
    }
    let kind = given[0];
    let missing = |field: &str| text(source, &format!("/{kind}/{field}")).is_empty();
    match kind {
        "blank" if content == "archive" => vec![invalid("spec.contentType", "SourceType cannot be blank and the contentType be archive")],
        "http" if missing("url") => vec![invalid("spec.source.http.url", "spec.source.http source URL is empty")],
        "pvc" if missing("namespace") || missing("name") => vec![invalid("spec.source.PVC", "spec.source.PVC source PVC is not valid")],
        "snapshot" if missing("namespace") || missing("name") => {
            vec![invalid("spec.source.Snapshot", "spec.source.Snapshot source snapshot is not valid")]
        }
        _ => Vec::new(),
    }
}
