//! The DataVolumes of the target: one that CDI clones across namespaces, and one that adopts a claim that is already in place.
//!
//! Source: kubevirt/containerized-data-importer `pkg/apiserver/webhooks/datavolume-validate.go` (what is refused),
//! `pkg/controller/common/util.go` (annotations; sizes in `spec.storage` grow by the filesystem overhead).

use serde_json::{Value, json};

use super::Marks;
use super::metadata::{DISK, EVERYWHERE, fresh_object};
use crate::model::disk::Claim;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::quantity;
use crate::plan::document::DiskPlan;

/// Bind at once: a machine that is halted would never be the first consumer that the class waits for.
const BIND_IMMEDIATELY: &str = "cdi.kubevirt.io/storage.bind.immediate.requested";
/// Keep the DataVolume when it is done: old CDI collects it, and a machine's template would make it again.
const DELETE_AFTER_COMPLETION: &str = "cdi.kubevirt.io/storage.deleteAfterCompletion";
/// Take a claim of the same name as it is.
const ALLOW_ADOPTION: &str = "cdi.kubevirt.io/allowClaimAdoption";

/// CDI's default for the part of a filesystem that an image cannot use, where its configuration could not be read.
pub const DEFAULT_OVERHEAD: f64 = 0.06;

/// Where a DataVolume of the target is made and out of what.
#[derive(Clone, Copy, Debug)]
pub struct Making<'a> {
    pub disk: &'a DiskPlan,
    pub source_claim: &'a Manifest,
    /// The DataVolume that the source claim belongs to, if one does.
    pub source_dv: Option<&'a Manifest>,
    /// The target namespace.
    pub namespace: &'a str,
    pub marks: &'a Marks,
}

/// A DataVolume that CDI clones from the source claim, with the size, modes and content type of the source. `overhead` is the target
/// class's filesystem overhead as the CDIConfig says it ([`overhead`]).
pub fn clone_data_volume(making: &Making, overhead: f64) -> Manifest {
    let claim = Claim(making.source_claim);
    let source = json!({"pvc": {"namespace": making.source_claim.namespace(), "name": making.source_claim.name()}});
    let mut made = base(making, source, claim.content_type());
    made.set_annotation(BIND_IMMEDIATELY, "true");
    let (field, size) = match claim.access_modes().count() {
        0 | 1 => ("pvc", claim.size().unwrap_or(&making.disk.request).to_owned()),
        _ => ("storage", deflated(making, overhead)),
    };
    set_storage(&mut made, making, field, &size);
    made
}

/// A DataVolume that adopts a claim which is bound to its volume already: CDI calls it done and imports nothing.
/// To be created only over such a claim, for over an empty one it would be done just the same.
pub fn adopting_data_volume(making: &Making) -> Manifest {
    let content = Claim(making.source_claim).content_type();
    // A blank source is refused for archives; both sources stand for "nothing to fetch".
    let source = if content == "archive" { json!({"upload": {}}) } else { json!({"blank": {}}) };
    let mut made = base(making, source, content);
    made.set_annotation(ALLOW_ADOPTION, "true");
    let claim = Claim(making.source_claim);
    let field = if claim.access_modes().count() > 1 { "storage" } else { "pvc" };
    set_storage(&mut made, making, field, claim.request().unwrap_or(&making.disk.request));
    made
}

/// The filesystem overhead of a class, from a CDIConfig's status.
pub fn overhead(config: Option<&Manifest>, class: Option<&str>) -> f64 {
    let said = |pointer: String| config.and_then(|config| config.text(&pointer)).and_then(|text| text.parse().ok());
    let of_class = class.and_then(|class| said(format!("/status/filesystemOverhead/storageClass/{}", crate::model::manifest::escape(class))));
    of_class.or_else(|| said("/status/filesystemOverhead/global".to_owned())).filter(|part| (0.0..1.0).contains(part)).unwrap_or(DEFAULT_OVERHEAD)
}

fn base(making: &Making, source: Value, content_type: &str) -> Manifest {
    let labelled = making.source_dv.unwrap_or(making.source_claim);
    let mut made = fresh_object(kind::DATA_VOLUME, labelled, making.namespace, &making.disk.target_claim, &[EVERYWHERE, DISK]);
    // What the claim carries beyond its DataVolume, such as the labels of a default instancetype: CDI copies it to the new claim.
    let claim = fresh_object(kind::CLAIM, making.source_claim, making.namespace, &making.disk.target_claim, &[EVERYWHERE, DISK]);
    for (key, value) in claim.labels() {
        if made.label(key).is_none() {
            made.set_label(key, value);
        }
    }
    made.set_annotation(DELETE_AFTER_COMPLETION, "false");
    made.set("/spec/source", source);
    made.set("/spec/contentType", content_type.into());
    for kept in ["/spec/preallocation", "/spec/priorityClassName"] {
        if let Some(value) = making.source_dv.and_then(|dv| dv.at(kept)) {
            made.set(kept, value.to_value());
        }
    }
    making.marks.put(&mut made);
    made
}

/// Writes class, modes and size. `spec.pvc` says them to the letter but allows one access mode; `spec.storage` allows several.
fn set_storage(made: &mut Manifest, making: &Making, field: &str, size: &str) {
    let claim = Claim(making.source_claim);
    made.set(
        &format!("/spec/{field}"),
        json!({
            "accessModes": claim.access_modes().collect::<Vec<_>>(),
            "volumeMode": claim.volume_mode(),
            "resources": {"requests": {"storage": size}},
        }),
    );
    if let Some(class) = making.disk.target_class.as_deref().or(claim.class()) {
        made.set(&format!("/spec/{field}/storageClassName"), class.into());
    }
}

/// The size to ask for in `spec.storage` so that CDI, which adds the filesystem overhead to it, ends at the source's size: rounded up to
/// a mebibyte, so that it ends at no less.
fn deflated(making: &Making, overhead: f64) -> String {
    const MEBIBYTE: u64 = 1 << 20;
    let claim = Claim(making.source_claim);
    let size = claim.size().unwrap_or(&making.disk.request);
    let grows = claim.volume_mode() == "Filesystem" && claim.content_type() == "kubevirt";
    let Some(bytes) = quantity::units(size).filter(|_| grows) else { return size.to_owned() };
    // Parts per million keep the arithmetic exact; CDI itself allows an overhead three digits.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let millionths = ((1.0 - overhead.clamp(0.0, 1.0)) * 1e6).round() as u128;
    let usable = u64::try_from((u128::from(bytes) * millionths).div_ceil(1_000_000)).unwrap_or(bytes);
    format!("{}Mi", usable.div_ceil(MEBIBYTE))
}

#[cfg(test)]
#[path = "data_volume_tests.rs"]
mod tests;
