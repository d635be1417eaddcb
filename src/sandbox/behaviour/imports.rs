//! Imports, blank disks and uploads: a prime claim is filled by a pod, then its volume is handed over.
//! The annotation `sandbox/import-seconds` of a DataVolume says how long that takes, `sandbox/import: fails` that it does not work.
//! Sources: containerized-data-importer 1.65 `pkg/controller/populators/import-populator.go`, `pkg/controller/import-controller.go`,
//! `pkg/controller/datavolume/{import,upload}-controller.go`.
//!
//! Cases: `datavolumes/a-blank-disk-is-made`, `datavolumes/a-disk-is-filled-through-a-prime-claim`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::datavolumes::{self, Filling, POD_PHASE, PROGRESS};
use super::is_deleting;
use super::objects::{annotate, annotation, controlled_by, put};
use super::populators::{self, RUNNING, note, ready, rebind, remove_helper, worked, worker};
use crate::sandbox::catalog::{CLAIM, POD};
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;

const FATAL: &str = "cdi.kubevirt.io/storage.import.fatalError";

pub fn reconcile(world: &mut World, key: &Key, claim: &Arc<Value>) -> Option<Duration> {
    let volume = populators::volume_of(world, claim)?;
    if is_deleting(claim) {
        return None;
    }
    let at = Key::new(&CLAIM, &key.namespace, &format!("prime-{}", text(claim, "/metadata/uid")));
    let prime = world.store.get(&at).cloned();
    if !text(claim, "/spec/volumeName").is_empty() {
        if prime.is_some_and(|prime| text(&prime, "/status/phase") == "Lost") {
            remove_helper(world, &at);
        }
        return None;
    }
    let Some(prime) = prime else {
        if ready(world, claim) {
            let made = world.create(self::prime(claim, &at.name));
            let (kind, reason, words) = match &made {
                Ok(_) => ("Normal", "CreatedPVCPrimeSuccessfully", "PVC Prime created successfully".to_owned()),
                Err(status) => ("Warning", "ErrCreatingPVCPrime", status.message().to_owned()),
            };
            world.tell(claim, "import-populator", kind, reason, &words);
            return made.is_err().then_some(Duration::from_secs(2));
        }
        return None;
    };
    if annotation(claim, "cdi.kubevirt.io/storage.populator.pvcPrime").is_none() {
        note(world, key, &[("cdi.kubevirt.io/storage.populator.pvcPrime", &at.name)]);
    }
    if annotation(&prime, POD_PHASE) == Some("Succeeded") {
        drop(rebind(world, &prime, claim));
        return None;
    }
    let (_, source) = datavolumes::source(world, &volume);
    fill(world, &prime, key, &source)
}

/// The claim that is filled in a claim's place.
fn prime(claim: &Value, name: &str) -> Value {
    let spec = &claim["spec"];
    let mut prime = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name, "namespace": claim["metadata"]["namespace"], "labels": claim["metadata"]["labels"],
            "ownerReferences": [controlled_by(&CLAIM, claim)],
        },
        "spec": {
            "accessModes": spec["accessModes"], "resources": spec["resources"], "storageClassName": spec["storageClassName"],
            "volumeMode": spec["volumeMode"],
        },
    });
    annotate(&mut prime, "cdi.kubevirt.io/storage.bind.immediate.requested", "");
    annotate(&mut prime, populators::SERVES, &format!("{}/{}", text(claim, "/metadata/namespace"), text(claim, "/metadata/name")));
    for kept in ["volume.kubernetes.io/selected-node", "sandbox/import-seconds", "sandbox/import", "cdi.kubevirt.io/storage.contentType"] {
        if let Some(value) = annotation(claim, kept) {
            annotate(&mut prime, kept, value);
        }
    }
    prime
}

fn importer(claim: &Key) -> Key {
    Key::new(&POD, &claim.namespace, &format!("importer-{}", claim.name))
}

/// A claim that goes is not filled any more: its pod would hold it (containerized-data-importer 1.65 `pkg/controller/import-controller.go`,
/// reconcilePvc).
pub fn leave(world: &mut World, claim: &Key) {
    remove_helper(world, &importer(claim));
}

/// Fills a claim by a pod and says on the served claim how that goes.
pub fn fill(world: &mut World, claim: &Arc<Value>, served: &Key, source: &Value) -> Option<Duration> {
    let own = Key::of(&CLAIM, claim);
    let at = importer(&own);
    if source.get("upload").is_some() {
        note(world, served, &[(POD_PHASE, "Running"), (RUNNING, "true")]);
        return None;
    }
    if annotation(claim, "sandbox/import") == Some("fails") {
        note(world, served, &[(POD_PHASE, "Failed"), (FATAL, "true"), (RUNNING, "false"), (&format!("{RUNNING}.reason"), "Error")]);
        return None;
    }
    let Some(pod) = world.store.get(&at).cloned() else {
        if is_deleting(claim) {
            return None;
        }
        let made = world.create(worker(&at.name, &at.namespace, claim, served, Some(controlled_by(&CLAIM, claim))));
        if let Err(status) = &made {
            world.tell(claim, "import-controller", "Warning", "ErrImportFailed", status.message());
        }
        return made.is_err().then_some(Duration::from_secs(2));
    };
    let blank = source.get("blank").is_some();
    let seconds = annotation(claim, "sandbox/import-seconds").and_then(|seconds| seconds.parse().ok()).unwrap_or(u64::from(!blank));
    match worked(world, &pod, seconds) {
        Err(None) => {
            note(world, served, &[(POD_PHASE, "Pending"), (RUNNING, "false")]);
            None
        }
        Err(Some(rest)) => {
            note(world, served, &[(POD_PHASE, "Running"), (RUNNING, "true"), (&format!("{RUNNING}.reason"), "Pod is running")]);
            Some(rest)
        }
        Ok(()) => {
            if let (Some(handle), Some(content)) = (populators::handle(world, claim), content(source)) {
                world.disks.write(&handle, content.as_bytes());
            }
            drop(world.change(&at, |pod| put(pod, "/status/phase", "Succeeded")));
            remove_helper(world, &at);
            let (reason, message) = (format!("{RUNNING}.reason"), format!("{RUNNING}.message"));
            let done = [(POD_PHASE, "Succeeded"), (PROGRESS, "100.0%"), (RUNNING, "false"), (&reason, "Completed"), (&message, "Import Complete")];
            note(world, served, &done);
            note(world, &own, &[(POD_PHASE, "Succeeded")]);
            None
        }
    }
}

/// What is on a disk after its import: where it came from.
fn content(source: &Value) -> Option<String> {
    let (kind, at) = source.as_object()?.iter().next()?;
    let from = ["url", "imageStream", "uri"].iter().find_map(|field| at.get(*field)?.as_str())?;
    Some(format!("{kind} {from}\n"))
}

/// The phase of a DataVolume whose claim is being filled.
pub fn phase(claim: &Value, filling: Filling) -> (String, Option<(&'static str, &'static str, String)>) {
    let name = text(claim, "/metadata/name");
    let upload = filling == Filling::Upload;
    let words = |import: &'static str, upload_word: &'static str| if upload { upload_word } else { import };
    match annotation(claim, POD_PHASE) {
        Some("Pending") => {
            let verb = words("Import", "Upload");
            let told = ("Normal", words("ImportScheduled", "UploadScheduled"), format!("{verb} into {name} scheduled"));
            (words("ImportScheduled", "UploadScheduled").to_owned(), Some(told))
        }
        Some("Running") if upload => ("UploadReady".to_owned(), Some(("Normal", "UploadReady", format!("Upload into {name} ready")))),
        Some("Running") => ("ImportInProgress".to_owned(), Some(("Normal", "ImportInProgress", format!("Import into {name} in progress")))),
        Some("Failed") => {
            let phase = if annotation(claim, FATAL) == Some("true") { "Failed" } else { "ImportScheduled" };
            (phase.to_owned(), Some(("Warning", "ImportFailed", format!("Failed to import into PVC {name}"))))
        }
        Some("Succeeded") => ("Succeeded".to_owned(), Some(("Normal", "ImportSucceeded", format!("Successfully imported into PVC {name}")))),
        _ => (words("ImportScheduled", "UploadScheduled").to_owned(), None),
    }
}
