//! Which volume is for which claim.
//! Source: kubernetes 1.36 `pkg/controller/volume/persistentvolume/{pv_controller,index}.go`, component-helpers `storage/volume/pv_helpers.go`.
//!
//! Cases: `claims/a-claim-takes-the-smallest-volume-that-is-large-enough`, `claims/a-claim-does-not-take-a-volume-that-is-too-small`,
//! `claims/a-claim-takes-no-volume-of-another-class`.

use serde_json::Value;

use super::claims::{class, mode, wanted};
use super::{is_deleting, labels};
use crate::sandbox::at::At;
use crate::sandbox::index::{FREE_VOLUMES, VOLUMES_FOR, place};
use crate::sandbox::quantity::Quantity;
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;

/// Whether the volume is for the claim, by name and, if given, identity.
pub fn is_for(volume: &Value, claim: &Value) -> bool {
    let uid = text(volume, "/spec/claimRef/uid");
    ["name", "namespace"].iter().all(|field| volume["spec"]["claimRef"][field] == claim["metadata"][field])
        && (uid.is_empty() || uid == text(claim, "/metadata/uid"))
}

/// Whether a volume will do for the claim that names it.
///
/// # Errors
/// Why not.
pub fn fits(volume: &Value, claim: &Value) -> Result<(), String> {
    if is_deleting(volume) {
        return Err(format!("the volume is marked for deletion \"{}\"", text(volume, "/metadata/name")));
    }
    if Quantity::at(volume, "/spec/capacity/storage") < wanted(claim) {
        return Err("requested PV is too small".to_owned());
    }
    if class(volume) != class(claim) {
        return Err("storageClassName does not match".to_owned());
    }
    if mode(volume) != mode(claim) {
        return Err("incompatible volumeMode".to_owned());
    }
    if has_modes(volume, claim) { Ok(()) } else { Err("incompatible accessMode".to_owned()) }
}

fn has_modes(volume: &Value, claim: &Value) -> bool {
    let modes = |object: &Value| object.at("/spec/accessModes").and_then(Value::as_array).cloned().unwrap_or_default();
    let offered = modes(volume);
    modes(claim).iter().all(|mode| offered.contains(mode))
}

/// The volume that was meant for the claim, or else the smallest free one that will do.
pub fn best_match(world: &World, claim: &Value, late: bool) -> Option<Key> {
    let place = place(text(claim, "/metadata/namespace"), text(claim, "/metadata/name"));
    let meant = world.store.find(&VOLUMES_FOR, &place).find(|(_, volume)| is_for(volume, claim) && suits(volume, claim));
    if let Some((key, _)) = meant {
        return Some(key.clone());
    }
    if late { None } else { smallest_free(world, claim) }
}

fn suits(volume: &Value, claim: &Value) -> bool {
    !is_deleting(volume) && Quantity::at(volume, "/spec/capacity/storage") >= wanted(claim) && mode(volume) == mode(claim) && has_modes(volume, claim)
}

/// The smallest volume that is for nobody and will do, with the fewest access modes.
pub fn smallest_free(world: &World, claim: &Value) -> Option<Key> {
    let free = world.store.find(&FREE_VOLUMES, class(claim));
    let free = free.filter(|(_, volume)| suits(volume, claim) && text(volume, "/status/phase") == "Available");
    let selected = free.filter(|(_, volume)| labels::selected(&claim["spec"]["selector"], &volume["metadata"]["labels"]));
    let modes = |volume: &Value| volume["spec"]["accessModes"].as_array().map_or(0, Vec::len);
    selected.min_by_key(|(_, volume)| (modes(volume), Quantity::at(volume, "/spec/capacity/storage"))).map(|(key, _)| key.clone())
}
