//! How a clone is made: by the driver, from a snapshot, or by copying.
//! Source: containerized-data-importer 1.65 `pkg/controller/clone/{planner,common}.go` (computeStrategyForSourcePVC, validateAdvancedClonePVC).
//!
//! Cases: `datavolumes/the-clone-strategy-is-told`, `datavolumes/a-copy-is-made-of-another-driver-by-pods`.

use std::sync::Arc;

use serde_json::Value;

use super::objects::{annotation, bytes};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CDI, CLAIM, SNAPSHOT_CLASS, STORAGE_CLASS, STORAGE_PROFILE, VOLUME};
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;

/// What was chosen, and why nothing better was: reason and message of the event.
pub struct Choice {
    pub strategy: &'static str,
    pub fallback: Option<(&'static str, &'static str)>,
}

/// Why nothing can be chosen now.
pub enum Hindrance {
    Missing,
    Invalid(String),
}

fn fall_back(reason: &'static str, message: &'static str) -> Choice {
    Choice { strategy: "copy", fallback: Some((reason, message)) }
}

fn known(strategy: &str) -> &'static str {
    match strategy {
        "copy" => "copy",
        "csi-clone" => "csi-clone",
        _ => "snapshot",
    }
}

fn class(world: &World, claim: &Value) -> Option<Arc<Value>> {
    world.get(&STORAGE_CLASS, "", text(claim, "/spec/storageClassName"))
}

/// The first snapshot class of the driver of a claim's class.
pub fn snapshot_class(world: &World, claim: &Value) -> Option<String> {
    let driver = text(&*class(world, claim)?, "/provisioner").to_owned();
    let found = world.store.list(&SNAPSHOT_CLASS, None).find(|(_, class)| text(class, "/driver") == driver);
    found.map(|(key, _)| key.name.clone())
}

/// Chooses for a claim that is to be a copy.
///
/// # Errors
/// That the origin is not there, or cannot be cloned so.
pub fn choose(world: &World, claim: &Value, origin: &Key) -> Result<Choice, Hindrance> {
    let found = world.store.get(origin).cloned().ok_or(Hindrance::Missing)?;
    if let Some(forced) = annotation(claim, "cdi.kubevirt.io/cloneType") {
        return Ok(Choice { strategy: known(forced), fallback: None });
    }
    let class = class(world, claim).ok_or_else(|| Hindrance::Invalid("target storage class not found".to_owned()))?;
    if origin.resource != &CLAIM {
        return Ok(Choice { strategy: "snapshot", fallback: None });
    }
    let size = |object: &Value, pointer: &str| bytes(text(object, pointer)).unwrap_or_default();
    let (there, wanted) = (size(&found, "/spec/resources/requests/storage"), size(claim, "/spec/resources/requests/storage"));
    if wanted < there && annotation(claim, "cdi.kubevirt.io/permissiveClone").is_none() {
        let why = format!("target resources requests storage size is smaller than the source {wanted} < {there}");
        return Err(Hindrance::Invalid(why));
    }
    let override_of = |cdi: &Arc<Value>| Some(text(cdi, "/spec/cloneStrategyOverride").to_owned()).filter(|wish| !wish.is_empty());
    let overridden = world.list(&CDI, None).first().and_then(override_of);
    let profile = world.get(&STORAGE_PROFILE, "", text(&class, "/metadata/name"));
    let advised = profile.map(|profile| text(&profile, "/status/cloneStrategy").to_owned()).filter(|advice| !advice.is_empty());
    let strategy = known(&overridden.or(advised).unwrap_or_else(|| "snapshot".to_owned()));
    if strategy == "copy" {
        return Ok(Choice { strategy, fallback: None });
    }
    if strategy == "snapshot" && snapshot_class(world, claim).is_none() {
        return Ok(fall_back("NoVolumeSnapshotClass", "No compatible volumesnapshotclass found"));
    }
    let driver = world.get(&VOLUME, "", text(&found, "/spec/volumeName")).map(|volume| text(&volume, "/spec/csi/driver").to_owned());
    if text(&found, "/status/phase") == "Bound" && driver.as_deref() != Some(text(&class, "/provisioner")) {
        return Ok(fall_back("IncompatibleProvisioners", "Provisioners are incompatible"));
    }
    if (text(&found, "/spec/volumeMode") == "Block") != (text(claim, "/spec/volumeMode") == "Block") {
        return Ok(fall_back("IncompatibleVolumeModes", "The volume modes of source and target are incompatible"));
    }
    if size(&found, "/status/capacity/storage") < wanted && class.at("/allowVolumeExpansion") != Some(&true.into()) {
        return Ok(fall_back("NoVolumeExpansion", "No volume expansion is possible"));
    }
    Ok(Choice { strategy, fallback: None })
}
