//! What becomes of a volume when its claim comes, goes, or finds another volume.
//! Source: kubernetes 1.36 `pkg/controller/volume/persistentvolume/pv_controller.go` (`syncVolume`, `reclaimVolume`, `unbindVolume`).
//!
//! Cases: `claims/a-volume-goes-with-its-claim`, `claims/a-kept-volume-is-released`, `claims/a-released-volume-that-is-promised-anew-is-bound-anew`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::binding::{BINDER, BOUND_BY_CONTROLLER, COMPONENT, PROVISIONED_BY, annotation};
use super::claims::mode;
use crate::sandbox::at::At;
use crate::sandbox::catalog::CLAIM;
use crate::sandbox::status::Status;
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;

/// Looks at a volume. True when nothing is left to be seen in the next round.
///
/// # Errors
/// What the API server would have said to a write.
pub fn volume(world: &mut World, key: &Key, volume: &Arc<Value>) -> Result<bool, Status> {
    let Some(reference) = volume.at("/spec/claimRef") else { return set_phase(world, key, "Available").map(|()| true) };
    let uid = text(reference, "/uid");
    if uid.is_empty() {
        return set_phase(world, key, "Available").map(|()| true);
    }
    let claim = Key::new(&CLAIM, text(reference, "/namespace"), text(reference, "/name"));
    let Some(found) = world.same(&claim, uid) else { return release(world, key, volume).map(|()| true) };
    match text(&found, "/spec/volumeName") {
        "" if mode(&found) != mode(volume) => {
            let (name, claim) = (&key.name, &claim.name);
            let to_volume = format!("Cannot bind PersistentVolume to requested PersistentVolumeClaim \"{claim}\" due to incompatible volumeMode.");
            world.tell(volume, COMPONENT, "Warning", "VolumeMismatch", &to_volume);
            let to_claim = format!("Cannot bind PersistentVolume \"{name}\" to requested PersistentVolumeClaim due to incompatible volumeMode.");
            world.tell(&found, COMPONENT, "Warning", "VolumeMismatch", &to_claim);
            Ok(false)
        }
        "" => {
            world.look(BINDER, claim, Duration::ZERO);
            Ok(false)
        }
        bound if bound == key.name => set_phase(world, key, "Bound").map(|()| true),
        _ if annotation(volume, PROVISIONED_BY).is_some() && text(volume, "/spec/persistentVolumeReclaimPolicy") == "Delete" => {
            release(world, key, volume).map(|()| true)
        }
        _ => unbind(world, key).map(|()| true),
    }
}

fn set_phase(world: &mut World, key: &Key, phase: &str) -> Result<(), Status> {
    world.change(key, |volume| {
        if volume["status"]["phase"] != phase {
            volume["status"]["phase"] = phase.into();
            volume["status"].as_object_mut().map(|status| status.remove("message"));
        }
    })
}

/// The claim is gone. What is kept stays as it is; what the driver is to delete, the driver deletes.
fn release(world: &mut World, key: &Key, volume: &Arc<Value>) -> Result<(), Status> {
    if !matches!(text(volume, "/status/phase"), "Released" | "Failed") {
        set_phase(world, key, "Released")?;
    }
    let policy = text(volume, "/spec/persistentVolumeReclaimPolicy");
    let by_driver = annotation(volume, PROVISIONED_BY).is_some_and(|driver| !driver.is_empty()) || volume.at("/spec/csi").is_some();
    if policy != "Delete" || by_driver || text(volume, "/status/phase") == "Failed" {
        return Ok(());
    }
    let message = format!("error getting deleter volume plugin for volume \"{}\": no deletable volume plugin matched", key.name);
    world.change(key, |volume| {
        volume["status"]["phase"] = "Failed".into();
        volume["status"]["message"] = message.clone().into();
    })?;
    world.tell(volume, COMPONENT, "Warning", "VolumeFailedDelete", &message);
    Ok(())
}

/// The claim has another volume: this one is free again, or waits for the claim that somebody meant it for.
fn unbind(world: &mut World, key: &Key) -> Result<(), Status> {
    world.change(key, |volume| {
        let ours = annotation(volume, BOUND_BY_CONTROLLER).is_some();
        if ours {
            volume["spec"].as_object_mut().map(|spec| spec.remove("claimRef"));
            volume["metadata"]["annotations"].as_object_mut().map(|annotations| annotations.remove(BOUND_BY_CONTROLLER));
        } else {
            volume["spec"]["claimRef"].as_object_mut().map(|reference| reference.remove("uid"));
        }
        volume["status"]["phase"] = "Available".into();
    })
}
