//! Claims and volumes find each other, stay together, and part.
//!
//! A volume's changes are heard at once; the claim that its claimRef names is looked at only when it changes itself, or at
//! the next round over everything. After a swap of the claimRef both claims may show Bound until then.
//! Source: kubernetes 1.36 `pkg/controller/volume/persistentvolume/pv_controller.go`, component-helpers
//! `storage/volume/pv_helpers.go`.
//!
//! Cases: `claims/a-claim-gets-a-volume-of-its-own`, `claims/a-volume-is-handed-over-by-its-reference`, `claims/a-lost-claim-gets-its-volume-back`,
//! `wait_for_first_consumer/a-claim-waits-for-its-first-consumer`, `moves/of-two-swaps-one-wins`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::claims::{class, default_class};
use super::matching::{best_match, fits, is_for};
use super::{Controller, Subject, itself, reclaiming};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLAIM, STORAGE_CLASS, VOLUME};
use crate::sandbox::index::{PODS_WITH, place};
use crate::sandbox::status::Status;
use crate::sandbox::store::{Change, Key, What, text};
use crate::sandbox::world::World;

pub const SUBJECT: Subject = Subject {
    rules: &[],
    controllers: &[
        Controller { name: BINDER, watches: &[(&CLAIM, claim_changed), (&VOLUME, volume_changed)], reconcile: look },
        Controller { name: "persistentvolume-binder-rounds", watches: &[(&VOLUME, claims_of)], reconcile: look_next_round },
    ],
};

pub(super) const BINDER: &str = "persistentvolume-binder";
/// What events name as their source.
pub(super) const COMPONENT: &str = "persistentvolume-controller";
/// How often the controller goes over everything (`--pvclaimbinder-sync-period`).
const ROUND: Duration = Duration::from_secs(15);

pub const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
pub const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
pub const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
pub const STORAGE_PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
const STORAGE_PROVISIONER_BETA: &str = "volume.beta.kubernetes.io/storage-provisioner";
/// The provisioner of classes whose volumes are made by hand.
const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// An annotation, if it is there.
pub fn annotation<'v>(object: &'v Value, name: &str) -> Option<&'v str> {
    object.at("/metadata/annotations")?.get(name)?.as_str()
}

/// Whether claims of this class wait for a pod to be scheduled.
pub fn waits_for_consumer(world: &World, class: &str) -> bool {
    world.get(&STORAGE_CLASS, "", class).is_some_and(|class| text(&class, "/volumeBindingMode") == "WaitForFirstConsumer")
}

/// A reference to a claim, as volumes carry it.
pub fn reference(claim: &Value) -> Value {
    let metadata = &claim["metadata"];
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": metadata["namespace"], "name": metadata["name"],
        "uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]})
}

fn claim_changed(world: &World, change: &Change) -> Vec<Key> {
    match (change.what, text(&change.object, "/spec/volumeName")) {
        (What::Deleted, "") => Vec::new(),
        (What::Deleted, volume) => vec![Key::new(&VOLUME, "", volume)],
        _ => itself(world, change),
    }
}

fn volume_changed(world: &World, change: &Change) -> Vec<Key> {
    match change.what {
        What::Deleted => claim_in(&change.object).into_iter().collect(),
        _ => itself(world, change),
    }
}

/// The claims that a volume was for and is for.
fn claims_of(_: &World, change: &Change) -> Vec<Key> {
    let before = change.before.as_deref().map(|before| &before["spec"]["claimRef"]);
    if before == Some(&change.object["spec"]["claimRef"]) {
        return Vec::new();
    }
    change.before.as_deref().and_then(claim_in).into_iter().chain(claim_in(&change.object)).collect()
}

fn claim_in(volume: &Value) -> Option<Key> {
    let claim = volume.at("/spec/claimRef")?;
    Some(Key::new(&CLAIM, text(claim, "/namespace"), text(claim, "/name")))
}

fn look_next_round(world: &mut World, key: &Key) -> Option<Duration> {
    let until = to_next_round(world);
    world.look(BINDER, key.clone(), until);
    None
}

fn to_next_round(world: &World) -> Duration {
    let round = i128::try_from(ROUND.as_nanos()).unwrap_or(1);
    let gone = world.now().as_nanosecond().rem_euclid(round);
    Duration::from_nanos(u64::try_from(round - gone).unwrap_or_default())
}

fn look(world: &mut World, key: &Key) -> Option<Duration> {
    let object = world.store.get(key)?.clone();
    let settled = if key.resource == &VOLUME {
        reclaiming::volume(world, key, &object)
    } else if annotation(&object, BIND_COMPLETED).is_some() {
        bound_claim(world, key, &object)
    } else {
        unbound_claim(world, key, &object)
    };
    match settled {
        Ok(true) => None,
        Ok(false) => Some(to_next_round(world)),
        // Somebody else wrote in between, or an admission rule refused: again soon, as a queue with a limited rate does.
        Err(_) => Some(Duration::from_millis(100)),
    }
}

fn unbound_claim(world: &mut World, key: &Key, claim: &Arc<Value>) -> Result<bool, Status> {
    let name = text(claim, "/spec/volumeName");
    if name.is_empty() {
        let late = waits_for_consumer(world, class(claim));
        return match best_match(world, claim, late) {
            Some(volume) => bind(world, &volume, key).map(|()| true),
            None => nothing_matches(world, key, claim, late),
        };
    }
    let Some(volume) = world.get(&VOLUME, "", name) else { return pending(world, key) };
    let volume_key = Key::new(&VOLUME, "", name);
    if volume.at("/spec/claimRef").is_none() {
        let Err(why) = fits(&volume, claim) else { return bind(world, &volume_key, key).map(|()| true) };
        let message = format!("Cannot bind to requested volume \"{name}\": {why}");
        world.tell(claim, COMPONENT, "Warning", "VolumeMismatch", &message);
        return pending(world, key);
    }
    if is_for(&volume, claim) {
        return bind(world, &volume_key, key).map(|()| true);
    }
    world.tell(claim, COMPONENT, "Warning", "FailedBinding", &format!("volume \"{name}\" already bound to a different claim."));
    // A claim that says the controller had bound it is not even marked.
    if annotation(claim, BOUND_BY_CONTROLLER).is_some() { Ok(false) } else { pending(world, key) }
}

fn nothing_matches(world: &mut World, key: &Key, claim: &Arc<Value>, late: bool) -> Result<bool, Status> {
    let no_class = claim.at("/spec/storageClassName").is_none() && class(claim).is_empty();
    if no_class && let Some(usual) = default_class(world) {
        return world.change(key, |claim| claim["spec"]["storageClassName"] = usual.into()).map(|()| true);
    }
    if late && annotation(claim, SELECTED_NODE).is_none() {
        let (reason, message) = waiting(world, key);
        world.tell(claim, COMPONENT, "Normal", reason, &message);
        return pending(world, key);
    }
    if class(claim).is_empty() {
        let message = "no persistent volumes available for this claim and no storage class is set";
        world.tell(claim, COMPONENT, "Normal", "FailedBinding", message);
        return pending(world, key);
    }
    ask_provisioner(world, key, claim)?;
    pending(world, key)
}

/// What a claim waits for that binds only with a pod.
fn waiting(world: &World, key: &Key) -> (&'static str, String) {
    let pods = world.store.find(&PODS_WITH, &place(&key.namespace, &key.name));
    let unscheduled = pods.filter(|(_, pod)| text(pod, "/spec/nodeName").is_empty());
    let names: Vec<&str> = unscheduled.map(|(key, _)| key.name.as_str()).collect();
    match names.as_slice() {
        [] => ("WaitForFirstConsumer", "waiting for first consumer to be created before binding".to_owned()),
        [one] => ("WaitForPodScheduled", format!("waiting for pod {one} to be scheduled")),
        several => ("WaitForPodScheduled", format!("waiting for pods {} to be scheduled", several.join(","))),
    }
}

fn ask_provisioner(world: &mut World, key: &Key, claim: &Arc<Value>) -> Result<(), Status> {
    let Some(found) = world.get(&STORAGE_CLASS, "", class(claim)) else {
        let message = format!("storageclass.storage.k8s.io \"{}\" not found", class(claim));
        world.tell(claim, COMPONENT, "Warning", "ProvisioningFailed", &message);
        return Ok(());
    };
    let provisioner = text(&found, "/provisioner").to_owned();
    if provisioner == NO_PROVISIONER {
        return Ok(());
    }
    world.change(key, |claim| {
        for name in [STORAGE_PROVISIONER, STORAGE_PROVISIONER_BETA] {
            claim["metadata"]["annotations"][name] = provisioner.clone().into();
        }
    })?;
    let message = format!(
        "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the system administrator. \
         If volume creation is delayed, please verify that the provisioner is running and correctly registered."
    );
    world.tell(claim, COMPONENT, "Normal", "ExternalProvisioning", &message);
    Ok(())
}

fn pending(world: &mut World, key: &Key) -> Result<bool, Status> {
    set_phase(world, key, "Pending", None)?;
    Ok(false)
}

fn bound_claim(world: &mut World, key: &Key, claim: &Arc<Value>) -> Result<bool, Status> {
    let name = text(claim, "/spec/volumeName");
    let volume = world.get(&VOLUME, "", name);
    let (reason, message) = match &volume {
        _ if name.is_empty() => ("ClaimLost", "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"),
        None => ("ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!"),
        Some(volume) if volume.at("/spec/claimRef").is_none() || volume["spec"]["claimRef"]["uid"] == claim["metadata"]["uid"] => {
            return bind(world, &Key::new(&VOLUME, "", name), key).map(|()| true);
        }
        Some(_) => ("ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly"),
    };
    if text(claim, "/status/phase") != "Lost" {
        set_phase(world, key, "Lost", None)?;
        world.tell(claim, COMPONENT, "Warning", reason, message);
    }
    Ok(true)
}

/// Notes a claim's phase, and what its volume offers.
fn set_phase(world: &mut World, key: &Key, phase: &str, volume: Option<&Value>) -> Result<(), Status> {
    world.change(key, |claim| {
        let becomes = claim["status"]["phase"] != phase;
        claim["status"]["phase"] = phase.into();
        let Some(volume) = volume else {
            for field in ["accessModes", "capacity"] {
                claim["status"].as_object_mut().map(|status| status.remove(field));
            }
            return;
        };
        claim["status"]["accessModes"] = volume["spec"]["accessModes"].clone();
        if becomes {
            claim["status"]["capacity"] = volume["spec"]["capacity"].clone();
        }
    })
}

/// Writes the binding on both; the volume first.
fn bind(world: &mut World, volume: &Key, claim: &Key) -> Result<(), Status> {
    let Some(wanted) = world.store.get(claim).cloned() else { return Ok(()) };
    world.change(volume, |volume| {
        let same = ["name", "namespace", "uid"].iter().all(|field| volume["spec"]["claimRef"][field] == wanted["metadata"][field]);
        if !is_for(volume, &wanted) {
            volume["metadata"]["annotations"][BOUND_BY_CONTROLLER] = "yes".into();
        }
        if !same {
            volume["spec"]["claimRef"] = reference(&wanted);
        }
        volume["status"]["phase"] = "Bound".into();
    })?;
    let Some(bound) = world.store.get(volume).cloned() else { return Ok(()) };
    world.change(claim, |claim| {
        if claim["spec"]["volumeName"] != bound["metadata"]["name"] {
            claim["spec"]["volumeName"] = bound["metadata"]["name"].clone();
            claim["metadata"]["annotations"][BOUND_BY_CONTROLLER] = "yes".into();
        }
        claim["metadata"]["annotations"][BIND_COMPLETED] = "yes".into();
    })?;
    set_phase(world, claim, "Bound", Some(&bound))
}
