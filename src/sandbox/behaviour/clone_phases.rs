//! The phases of a clone: the copy beside its origin, growing and binding it, and handing its volume over.
//! Source: containerized-data-importer 1.65 `pkg/controller/clone/{csi-clone,snapshot,snap-clone,host-clone,prep-claim,rebind,common}.go`.
//!
//! Cases: `datavolumes/a-copy-from-another-namespace-has-the-bytes`, `datavolumes/a-copy-goes-through-a-claim-of-its-own`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::clone_strategies;
use super::datavolumes::POD_PHASE;
use super::objects::{annotate, annotation, bytes, mark, put, remove};
use super::populators::{self, SERVES, note, rebind, remove_helper, worked, worker};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLAIM, POD, Res, SNAPSHOT};
use crate::sandbox::index::{PODS_WITH, place};
use crate::sandbox::status::Status;
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;

/// How soon an origin that is not ready is looked at again.
pub const SOON: Duration = Duration::from_secs(2);
/// How soon a pod that works is looked at again.
const TICK: Duration = Duration::from_millis(500);
pub const COMPONENT: &str = "clone-populator";

/// A clone on its way: the claim that is to be filled, and its origin, beside which all work is done.
pub struct Job {
    pub key: Key,
    pub claim: Arc<Value>,
    pub origin: Key,
    uid: String,
}

/// How a phase ended: with the next, with waiting in it, or with an error.
pub enum Step {
    Done,
    Waits(Option<Duration>),
    Fails(String),
}

impl From<Status> for Step {
    fn from(status: Status) -> Self {
        Self::Fails(status.message().to_owned())
    }
}

impl Job {
    pub fn new(key: &Key, claim: &Arc<Value>, origin: Key) -> Self {
        Self { key: key.clone(), claim: claim.clone(), origin, uid: text(claim, "/metadata/uid").to_owned() }
    }

    /// Whether it is a snapshot that is cloned.
    pub fn is_snapshot(&self) -> bool {
        self.origin.resource == &SNAPSHOT
    }

    fn beside(&self, resource: Res, prefix: &str) -> Key {
        Key::new(resource, &self.origin.namespace, &format!("{prefix}{}", self.uid))
    }

    /// Whether the origin can be read: bound, filled, and used by no pod that has not ended.
    pub fn origin_ready(&self, world: &mut World) -> bool {
        let Some(origin) = world.store.get(&self.origin).cloned() else { return false };
        if text(&origin, "/status/phase") != "Bound" {
            return false;
        }
        let over = |pod: &Value| matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
        let users: Vec<Arc<Value>> =
            world.store.find(&PODS_WITH, &place(&self.origin.namespace, &self.origin.name)).map(|(_, pod)| pod.clone()).collect();
        let ours = |pod: &Value| text(pod, "/metadata/name") == format!("{}-source-pod", self.uid);
        for pod in users.iter().filter(|pod| !over(pod) && !ours(pod)) {
            let words = format!("pod {}/{} using PersistentVolumeClaim {}", self.origin.namespace, text(pod, "/metadata/name"), self.origin.name);
            world.tell(&self.claim, COMPONENT, "Warning", "CloneSourceInUse", &words);
        }
        let filled = populators::volume_of(world, &origin).is_none_or(|volume| text(&volume, "/status/phase") == "Succeeded");
        filled && users.iter().all(|pod| over(pod) || ours(pod))
    }

    /// The temporary claim, with the asking claim's labels and annotations, as CDI makes it.
    fn temporary(&self, data_source: Option<Value>, size: Option<&str>) -> Value {
        let at = self.beside(&CLAIM, "tmp-pvc-");
        let mut made = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {
                "name": at.name, "namespace": at.namespace, "labels": self.claim["metadata"]["labels"],
                "annotations": self.claim["metadata"]["annotations"],
            },
            "spec": self.claim["spec"],
        });
        for dropped in ["dataSource", "dataSourceRef", "volumeName"] {
            remove(&mut made, "/spec", dropped);
        }
        if let Some(source) = data_source {
            put(&mut made, "/spec/dataSourceRef", source);
        }
        if let Some(size) = size.filter(|size| !size.is_empty()) {
            put(&mut made, "/spec/resources/requests/storage", size);
        }
        annotate(&mut made, SERVES, &format!("{}/{}", self.key.namespace, self.key.name));
        annotate(&mut made, "cdi.kubevirt.io/storage.populator.kind", "VolumeCloneSource");
        annotate(&mut made, "cdi.kubevirt.io/events.source.kind", "PersistentVolumeClaim");
        mark(&mut made, "cdi.kubevirt.io/OwnedByUID", &self.uid);
        mark(&mut made, "velero.io/exclude-from-backup", "true");
        made
    }

    fn made(&self, world: &mut World, object: Value) -> Step {
        match world.create(object) {
            Ok(_) => Step::Waits(None),
            Err(status) => {
                if status.message().contains("exceeded quota") {
                    world.tell(&self.claim, COMPONENT, "Warning", "ErrExceededQuota", status.message());
                }
                status.into()
            }
        }
    }

    pub fn csi_clone(&self, world: &mut World) -> Step {
        let at = self.beside(&CLAIM, "tmp-pvc-");
        let Some(made) = world.store.get(&at).cloned() else {
            if !self.origin_ready(world) {
                return Step::Waits(Some(SOON));
            }
            let origin = world.store.get(&self.origin).cloned().unwrap_or_default();
            let source = json!({"kind": "PersistentVolumeClaim", "name": self.origin.name});
            let made = self.temporary(Some(source), Some(text(&origin, "/status/capacity/storage")));
            return self.made(world, made);
        };
        bound_or_waiting(world, &made)
    }

    pub fn snapshot(&self, world: &mut World) -> Step {
        let at = self.beside(&SNAPSHOT, "tmp-snapshot-");
        let Some(made) = world.store.get(&at).cloned() else {
            if world.store.get(&self.beside(&CLAIM, "tmp-pvc-")).is_some() {
                return Step::Done;
            }
            if !self.origin_ready(world) {
                return Step::Waits(Some(SOON));
            }
            let Some(class) = clone_strategies::snapshot_class(world, &self.claim) else {
                return Step::Fails("no compatible volumesnapshotclass".to_owned());
            };
            let made = json!({
                "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
                "metadata": {
                    "name": at.name, "namespace": at.namespace, "annotations": {SERVES: format!("{}/{}", self.key.namespace, self.key.name)},
                    "labels": {"cdi.kubevirt.io/OwnedByUID": self.uid, "app": "containerized-data-importer"},
                },
                "spec": {"source": {"persistentVolumeClaimName": self.origin.name}, "volumeSnapshotClassName": class},
            });
            return self.made(world, made);
        };
        if made.at("/status/readyToUse") == Some(&true.into()) { Step::Done } else { Step::Waits(Some(TICK)) }
    }

    pub fn restore(&self, world: &mut World) -> Step {
        let at = self.beside(&CLAIM, "tmp-pvc-");
        let Some(made) = world.store.get(&at).cloned() else {
            let from = if self.is_snapshot() { self.origin.clone() } else { self.beside(&SNAPSHOT, "tmp-snapshot-") };
            let size = world.store.get(&from).map(|snapshot| text(snapshot, "/status/restoreSize").to_owned());
            let source = json!({"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": from.name});
            let made = self.temporary(Some(source), size.as_deref());
            return self.made(world, made);
        };
        bound_or_waiting(world, &made)
    }

    /// Binds and grows the temporary claim, with the help of a pod where that needs a node.
    pub fn prepare(&self, world: &mut World) -> Step {
        let at = self.beside(&CLAIM, "tmp-pvc-");
        let pod = self.beside(&POD, "prep-");
        let Some(made) = world.store.get(&at).cloned() else { return Step::Fails(format!("claim {}/{} does not exist", at.namespace, at.name)) };
        if !text(&self.claim, "/spec/volumeName").is_empty() || text(&made, "/status/phase") == "Lost" {
            return Step::Done;
        }
        let size = |object: &Value, pointer: &str| bytes(text(object, pointer)).unwrap_or_default();
        let wanted = size(&self.claim, "/spec/resources/requests/storage");
        let bound = text(&made, "/status/phase") == "Bound";
        if bound && size(&made, "/spec/resources/requests/storage") < wanted {
            let asked = self.claim["spec"]["resources"]["requests"]["storage"].clone();
            let grown = world.change(&at, |made| put(made, "/spec/resources/requests/storage", asked));
            return grown.map_or_else(Step::from, |()| Step::Waits(None));
        }
        let needed = !bound || size(&made, "/status/capacity/storage") < wanted;
        match world.store.get(&pod).cloned() {
            None if !needed => Step::Done,
            None => self.made(world, worker(&pod.name, &pod.namespace, &made, &self.key, None)),
            Some(found) if !needed || text(&found, "/status/phase") == "Succeeded" => {
                remove_helper(world, &pod);
                Step::Waits(Some(TICK))
            }
            Some(found) => {
                if worked(world, &found, 1).is_ok() && bound {
                    drop(world.change(&pod, |pod| put(pod, "/status/phase", "Succeeded")));
                }
                Step::Waits(Some(TICK))
            }
        }
    }

    pub fn host_clone(&self, world: &mut World) -> Step {
        let at = self.beside(&CLAIM, "tmp-pvc-");
        let Some(made) = world.store.get(&at).cloned() else {
            if world.store.get(&self.origin).is_none() {
                return Step::Waits(Some(SOON));
            }
            let mut made = self.temporary(None, None);
            annotate(&mut made, "k8s.io/CloneRequest", &format!("{}/{}", self.origin.namespace, self.origin.name));
            annotate(&mut made, "cdi.kubevirt.io/storage.bind.immediate.requested", "");
            return self.made(world, made);
        };
        if annotation(&made, POD_PHASE) == Some("Succeeded") {
            return Step::Done;
        }
        if !self.origin_ready(world) {
            return Step::Waits(Some(SOON));
        }
        let again = carry(world, &made, self);
        Step::Waits(again.or(Some(SOON)))
    }

    pub fn rebind(&self, world: &mut World) -> Step {
        if !text(&self.claim, "/spec/volumeName").is_empty() {
            return Step::Done;
        }
        let at = self.beside(&CLAIM, "tmp-pvc-");
        let Some(made) = world.store.get(&at).cloned() else { return Step::Fails("source claim does not exist".to_owned()) };
        match rebind(world, &made, &self.claim) {
            Ok(()) => Step::Waits(None),
            Err(status) => status.into(),
        }
    }
}

fn bound_or_waiting(world: &World, made: &Value) -> Step {
    let bound = text(made, "/status/phase") != "Pending" && !text(made, "/spec/volumeName").is_empty();
    if bound || populators::waits_for_consumer(world, made) { Step::Done } else { Step::Waits(None) }
}

/// Copies the origin's content through two pods, which takes as long as the annotation `sandbox/copy-seconds` says.
pub fn carry(world: &mut World, made: &Value, job: &Job) -> Option<Duration> {
    let own = Key::of(&CLAIM, made);
    let from = world.store.get(&job.origin).cloned()?;
    let pods = [
        (Key::new(&POD, &own.namespace, &format!("cdi-upload-{}", own.name)), made.clone()),
        (Key::new(&POD, &job.origin.namespace, &format!("{}-source-pod", job.uid)), Value::clone(&from)),
    ];
    let seconds = annotation(made, "sandbox/copy-seconds").and_then(|seconds| seconds.parse().ok()).unwrap_or(2);
    let mut waits = None;
    for (at, claim) in &pods {
        match world.store.get(at).cloned() {
            None => {
                drop(world.create(worker(&at.name, &at.namespace, claim, &job.key, None)));
                waits = Some(TICK);
            }
            Some(pod) => {
                if let Err(rest) = worked(world, &pod, seconds) {
                    waits = waits.max(rest).or(Some(TICK));
                }
            }
        }
    }
    if waits.is_some() {
        return waits;
    }
    if let (Some(source), Some(target)) = (populators::handle(world, &from), populators::handle(world, made)) {
        let content = world.disks.read(&source).unwrap_or_default().to_vec();
        world.disks.write(&target, &content);
    }
    for (at, _) in &pods {
        drop(world.change(at, |pod| put(pod, "/status/phase", "Succeeded")));
        remove_helper(world, at);
    }
    note(world, &own, &[(POD_PHASE, "Succeeded")]);
    None
}
