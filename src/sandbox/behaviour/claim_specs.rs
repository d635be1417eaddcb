//! The claim that a DataVolume asks for. Sources: containerized-data-importer 1.65 `pkg/controller/datavolume/util.go` (renderPvcSpec),
//! `controller-base.go` (newPersistentVolumeClaim), `pkg/util/util.go` (GetRequiredSpace), `pkg/controller/common/util.go`.
//!
//! Cases: `datavolumes/a-storage-profile-fills-in-what-is-left-out`, `datavolumes/a-disk-has-a-size`, `datavolumes/a-copy-may-be-larger`.

use serde_json::{Value, json};

use super::objects::{annotate, annotation, bytes, controlled_by, list, mark, put};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CDI_CONFIG, DATA_VOLUME, STORAGE_CLASS, STORAGE_PROFILE};
use crate::sandbox::store::text;
use crate::sandbox::world::World;

const MEBIBYTE: u64 = 1 << 20;

/// The class of this name, or the default one: for virtual machines, else for all.
fn class(world: &World, name: Option<&str>) -> Option<String> {
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        return world.get(&STORAGE_CLASS, "", name).map(|_| name.to_owned());
    }
    let marked = |key: &str| {
        let is = |class: &&std::sync::Arc<Value>| annotation(class, key) == Some("true");
        world.list(&STORAGE_CLASS, None).iter().find(is).map(|class| text(class, "/metadata/name").to_owned())
    };
    marked("storageclass.kubevirt.io/is-default-virt-class").or_else(|| marked("storageclass.kubernetes.io/is-default-class"))
}

/// How much of a filesystem is lost to itself, as a part of it.
fn overhead(world: &World, class: &str) -> f64 {
    let config = world.get(&CDI_CONFIG, "", "config");
    let said = |config: &Value| {
        let all = config.at("/status/filesystemOverhead")?;
        all.at("/storageClass")?.get(class).or(all.get("global"))?.as_str()?.parse().ok()
    };
    let global = |config: &Value| config.at("/status/filesystemOverhead/global")?.as_str()?.parse().ok();
    config.and_then(|config| said(&config).or_else(|| global(&config))).unwrap_or(0.06)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "as the original computes it")]
fn inflated(size: u64, overhead: f64) -> u64 {
    (size.div_ceil(MEBIBYTE) as f64 * MEBIBYTE as f64 * (1.0 + overhead)).ceil() as u64
}

/// What a DataVolume's claim asks for.
///
/// # Errors
/// Why that cannot be known, as the event `ErrClaimNotValid` says it.
pub fn render(world: &World, volume: &Value, origin: Option<&Value>) -> Result<Value, String> {
    if let Some(wish) = volume.at("/spec/pvc") {
        return Ok(wish.clone());
    }
    let mut spec = volume.at("/spec/storage").cloned().unwrap_or_else(|| json!({}));
    if text(volume, "/spec/contentType") == "archive" {
        if text(&spec, "/volumeMode") == "Block" {
            return Err("ContentType Archive cannot have block volumeMode".to_owned());
        }
        put(&mut spec, "/volumeMode", "Filesystem");
    }
    let Some(class) = class(world, spec.get("storageClassName").and_then(Value::as_str)) else {
        let known = !list(&spec, "/accessModes").is_empty();
        return if known { Ok(spec) } else { Err("PVC spec is missing accessMode and no storageClass to choose profile".to_owned()) };
    };
    put(&mut spec, "/storageClassName", class.as_str());
    modes(world, &mut spec, &class)?;
    let asked = spec.at("/resources/requests/storage").map(|size| size.as_str().map_or_else(|| size.to_string(), str::to_owned));
    match asked.as_deref().and_then(bytes) {
        Some(size) if text(&spec, "/volumeMode") == "Block" => put(&mut spec, "/resources/requests/storage", size.to_string()),
        Some(size) => put(&mut spec, "/resources/requests/storage", inflated(size, overhead(world, &class)).to_string()),
        None => {
            let size = origin.map(|origin| text(origin, "/status/capacity/storage").to_owned()).filter(|size| !size.is_empty());
            put(&mut spec, "/resources/requests/storage", size.ok_or("PVC Spec is not valid - missing storage size")?);
        }
    }
    Ok(spec)
}

/// Fills in modes from the class' profile.
fn modes(world: &World, spec: &mut Value, class: &str) -> Result<(), String> {
    let mode = Some(text(spec, "/volumeMode").to_owned()).filter(|mode| !mode.is_empty());
    let access = list(spec, "/accessModes").to_vec();
    if mode.is_some() && !access.is_empty() {
        return Ok(());
    }
    let profile = world.get(&STORAGE_PROFILE, "", class);
    let sets = profile.as_ref().map(|profile| list(profile, "/status/claimPropertySets").to_vec()).unwrap_or_default();
    let fits = |set: &&Value| {
        let all = list(set, "/accessModes");
        mode.as_ref().is_none_or(|mode| text(set, "/volumeMode") == mode) && (access.is_empty() || access.iter().all(|one| all.contains(one)))
    };
    let Some(set) = sets.iter().find(fits) else {
        let missing = if mode.is_none() { "accessMode and volumeMode, cannot get access mode" } else { "accessMode and cannot get access mode" };
        if access.is_empty() {
            return Err(format!("Spec is missing {missing} from StorageProfile {class}"));
        }
        put(spec, "/volumeMode", "Filesystem");
        return Ok(());
    };
    if access.is_empty() {
        put(spec, "/accessModes", set["accessModes"].clone());
    }
    if mode.is_none() {
        put(spec, "/volumeMode", set["volumeMode"].clone());
    }
    Ok(())
}

/// The claim itself: with the DataVolume's labels and annotations, and marks of its own.
pub fn claim(volume: &Value, spec: Value) -> Value {
    let mut claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": volume["metadata"]["name"], "namespace": volume["metadata"]["namespace"],
            "labels": {"app": "containerized-data-importer", "app.kubernetes.io/component": "storage", "app.kubernetes.io/managed-by": "cdi-controller"},
            "annotations": {}, "ownerReferences": [controlled_by(&DATA_VOLUME, volume)],
        },
        "spec": spec,
    });
    if text(&claim, "/spec/volumeMode") != "Block" {
        mark(&mut claim, "alerts.k8s.io/KubePersistentVolumeFillingUp", "disabled");
    }
    let map = |kind: &str| volume.at(&format!("/metadata/{kind}")).and_then(Value::as_object).cloned().unwrap_or_default();
    for (key, value) in map("labels") {
        mark(&mut claim, &key, value.as_str().unwrap_or_default());
    }
    for (key, value) in map("annotations").iter().filter(|(key, _)| *key != super::datavolumes::POPULATED_FOR) {
        annotate(&mut claim, key, value.as_str().unwrap_or_default());
    }
    let content = Some(text(volume, "/spec/contentType")).filter(|content| !content.is_empty()).unwrap_or("kubevirt");
    let allocated = volume.at("/spec/preallocation") == Some(&true.into());
    for (key, value) in [
        ("cdi.kubevirt.io/storage.pod.restarts", "0"),
        ("cdi.kubevirt.io/storage.contentType", content),
        ("cdi.kubevirt.io/storage.preallocation.requested", if allocated { "true" } else { "false" }),
        ("cdi.kubevirt.io/createdForDataVolume", text(volume, "/metadata/uid")),
        ("cdi.kubevirt.io/storage.pod.priorityclassname", text(volume, "/spec/priorityClassName")),
    ] {
        if !value.is_empty() {
            annotate(&mut claim, key, value);
        }
    }
    claim
}
