//! How claims are filled: by CDI's populators, who fill a claim of their own and hand its volume over, or in place where no CSI driver is.
//! Sources: containerized-data-importer 1.65 `pkg/controller/populators/{populator-base,util}.go`, `pkg/controller/datavolume/{controller-base,
//! import-controller,clone-controller-base,upload-controller}.go`, `pkg/controller/common/util.go` (Rebind).
//!
//! Cases: `datavolumes/a-disk-is-filled-through-a-prime-claim`, `datavolumes/a-disk-that-was-filled-stays-filled`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::datavolumes::{self, Filling, POD_PHASE, requires_work};
use super::objects::{annotate, annotation, controller, list, put};
use super::{Controller, Subject, claims, clones, imports, is_deleting, itself};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CDI_CONFIG, CLAIM, CSI_DRIVER, DATA_VOLUME, POD, STORAGE_CLASS, VOLUME};
use crate::sandbox::status::Status;
use crate::sandbox::store::{Change, Key, text};
use crate::sandbox::world::World;

pub const SUBJECT: Subject = Subject {
    rules: &[],
    controllers: &[Controller { name: "populator", watches: &[(&CLAIM, itself), (&CLAIM, of_helper), (&POD, of_helper)], reconcile }],
};

pub const GROUP: &str = "cdi.kubevirt.io";
const IMMEDIATE: &str = "cdi.kubevirt.io/storage.bind.immediate.requested";
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// On what serves a claim: that claim.
pub const SERVES: &str = "cdi.kubevirt.io/events.source";
pub const RUNNING: &str = "cdi.kubevirt.io/storage.condition.running";

/// What is there for another claim concerns that claim.
fn of_helper(_: &World, change: &Change) -> Vec<Key> {
    let served = annotation(&change.object, SERVES).and_then(|served| served.split_once('/'));
    served.map(|(namespace, name)| Key::new(&CLAIM, namespace, name)).into_iter().collect()
}

fn reconcile(world: &mut World, key: &Key) -> Option<Duration> {
    let claim = world.store.get(key)?.clone();
    if is_deleting(&claim) {
        imports::leave(world, key);
    }
    let kind = if text(&claim, "/spec/dataSourceRef/apiGroup") == GROUP { text(&claim, "/spec/dataSourceRef/kind") } else { "" };
    match kind {
        "VolumeCloneSource" => clones::reconcile(world, key, &claim),
        "VolumeImportSource" | "VolumeUploadSource" => imports::reconcile(world, key, &claim),
        "" => in_place(world, key, &claim),
        _ => None,
    }
}

/// A claim without a populator is filled itself.
fn in_place(world: &mut World, key: &Key, claim: &Arc<Value>) -> Option<Duration> {
    let volume = volume_of(world, claim)?;
    let unfilled = requires_work(claim, &volume) && annotation(claim, POD_PHASE) != Some("Succeeded");
    let possible = text(claim, "/spec/dataSource/kind").is_empty() && !is_deleting(claim);
    if !unfilled || !possible {
        return None;
    }
    let (filling, source) = datavolumes::source(world, &volume);
    match filling {
        Filling::Import => imports::fill(world, claim, key, &source),
        Filling::Clone => clones::copy(world, key, &source, claim),
        Filling::Upload | Filling::Outside => None,
    }
}

/// The DataVolume whose claim this is.
pub fn volume_of(world: &World, claim: &Value) -> Option<Arc<Value>> {
    let owner = controller(claim).filter(|owner| text(owner, "/kind") == "DataVolume")?;
    world.same(&Key::new(&DATA_VOLUME, text(claim, "/metadata/namespace"), text(owner, "/name")), text(owner, "/uid"))
}

fn class(world: &World, claim: &Value) -> Option<Arc<Value>> {
    let named = claim.at("/spec/storageClassName").and_then(Value::as_str).map(str::to_owned);
    world.get(&STORAGE_CLASS, "", &named.or_else(|| claims::default_class(world))?)
}

pub fn waits_for_consumer(world: &World, claim: &Value) -> bool {
    class(world, claim).is_some_and(|class| text(&class, "/volumeBindingMode") == "WaitForFirstConsumer")
}

/// Whether CDI leaves claims alone until somebody wants them (gate HonorWaitForFirstConsumer, which its operator sets).
fn honors_waiting(world: &World) -> bool {
    let config = world.get(&CDI_CONFIG, "", "config");
    let gates = config.as_ref().and_then(|config| config.at("/spec/featureGates"));
    gates.is_none_or(|_| {
        config.as_ref().is_some_and(|config| list(config, "/spec/featureGates").iter().any(|gate| gate == "HonorWaitForFirstConsumer"))
    })
}

/// Marks a DataVolume's claim for the populator that is to fill it.
pub fn prepare(world: &World, claim: &mut Value, volume: &Value, filling: Filling, source: &Value) {
    let driver = class(world, claim).map(|class| text(&class, "/provisioner").to_owned());
    let known = driver.is_some_and(|driver| world.get(&CSI_DRIVER, "", &driver).is_some());
    let used = annotation(volume, "cdi.kubevirt.io/storage.usePopulator").map_or(known, |wish| wish == "true");
    annotate(claim, "cdi.kubevirt.io/storage.usePopulator", if used { "true" } else { "false" });
    if filling == Filling::Clone {
        annotate(claim, "cdi.kubevirt.io/storage.extended.clone.token", text(volume, "/metadata/uid"));
    }
    if !honors_waiting(world) {
        annotate(claim, IMMEDIATE, "");
    }
    let kind = match filling {
        Filling::Import => "import",
        Filling::Upload => "upload",
        Filling::Clone => "clone",
        Filling::Outside => return,
    };
    if !used {
        return;
    }
    let from = ["pvc", "snapshot"].map(|kind| text(source, &format!("/{kind}/namespace")).to_owned()).concat();
    if !from.is_empty() && from != text(volume, "/metadata/namespace") {
        annotate(claim, clones::FROM, &from);
    }
    let title = format!("{}{}", kind[..1].to_uppercase(), &kind[1..]);
    let name = format!("volume-{kind}-source-{}", text(volume, "/metadata/uid"));
    put(claim, "/spec/dataSourceRef", json!({"apiGroup": GROUP, "kind": format!("Volume{title}Source"), "name": name}));
}

/// Whether a claim may be filled now: one whose class waits for a consumer needs a node, or the wish not to wait.
pub fn ready(world: &World, claim: &Value) -> bool {
    let Some(class) = class(world, claim) else { return false };
    let waits = text(&class, "/volumeBindingMode") == "WaitForFirstConsumer";
    !waits || annotation(claim, SELECTED_NODE).is_some() || annotation(claim, IMMEDIATE).is_some()
}

/// Hands the volume of one claim over to another. The volume controller does the rest.
///
/// # Errors
/// What the API server said, or that the volume is somebody else's.
pub fn rebind(world: &mut World, from: &Value, to: &Value) -> Result<(), Status> {
    let key = Key::new(&VOLUME, "", text(from, "/spec/volumeName"));
    let Some(volume) = world.store.get(&key).cloned() else { return Err(Status::not_found(&VOLUME, &key.name)) };
    let holder = text(&volume, "/spec/claimRef/uid");
    if holder == text(to, "/metadata/uid") {
        return Ok(());
    }
    if holder != text(from, "/metadata/uid") {
        let words = format!("PV {} bound to unexpected claim {}", key.name, text(&volume, "/spec/claimRef/name"));
        return Err(Status::bad_request(words));
    }
    let to = &to["metadata"];
    let reference = json!({"namespace": to["namespace"], "name": to["name"], "uid": to["uid"], "resourceVersion": to["resourceVersion"]});
    world.change(&key, |volume| put(volume, "/spec/claimRef", reference))
}

/// Says on a claim how its filling goes.
pub fn note(world: &mut World, key: &Key, notes: &[(&str, &str)]) {
    let marked = |claim: &mut Value| {
        for (name, value) in notes {
            annotate(claim, name, value);
        }
    };
    drop(world.change(key, marked));
}

/// A pod that works on a claim.
pub fn worker(name: &str, namespace: &str, claim: &Value, served: &Key, owner: Option<Value>) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": namespace, "labels": {"app": "containerized-data-importer", "cdi.kubevirt.io": "worker"},
            "annotations": {SERVES: format!("{}/{}", served.namespace, served.name), "cdi.kubevirt.io/storage.createdByController": "yes"},
        },
        "spec": {
            "restartPolicy": "OnFailure", "containers": [{"name": "worker", "image": "quay.io/kubevirt/cdi-importer:v1.65.0"}],
            "volumes": [{"name": "cdi-data-vol", "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}}],
        },
    });
    if let Some(owner) = owner {
        pod["metadata"]["ownerReferences"] = json!([owner]);
    }
    pod
}

/// Whether a pod has worked so many seconds, or how long it still does; `None` in `Err` when it has not begun.
pub fn worked(world: &World, pod: &Value, seconds: u64) -> Result<(), Option<Duration>> {
    match text(pod, "/status/phase") {
        "Succeeded" => return Ok(()),
        "Running" => {}
        _ => return Err(None),
    }
    let begun = text(pod, "/status/startTime").parse::<Timestamp>().unwrap_or(Timestamp::UNIX_EPOCH);
    let end = begun + Duration::from_secs(seconds);
    match Duration::try_from(end.duration_since(world.now())) {
        Ok(rest) if !rest.is_zero() => Err(Some(rest)),
        _ => Ok(()),
    }
}

/// Removes a pod or a claim that has done its work.
pub fn remove_helper(world: &mut World, key: &Key) {
    if world.store.get(key).is_some_and(|found| !is_deleting(found)) {
        drop(world.delete(key));
    }
}

/// The handle of the volume behind a claim.
pub fn handle(world: &World, claim: &Value) -> Option<String> {
    let volume = world.get(&VOLUME, "", text(claim, "/spec/volumeName"))?;
    volume.at("/spec/csi/volumeHandle").and_then(Value::as_str).map(str::to_owned)
}

type Event = (&'static str, &'static str, String);

/// The phase of a DataVolume by the state of its claim, and what is told when that is new.
pub fn phase(world: &World, volume: &Value, claim: &Value, filling: Filling) -> (String, Option<Event>) {
    let (was, name) = (text(volume, "/status/phase"), text(claim, "/metadata/name"));
    let work = requires_work(claim, volume);
    let of_filling = || match filling {
        Filling::Clone => clones::phase(world, volume, claim),
        _ => imports::phase(claim, filling),
    };
    let plain = |phase: &str| (phase.to_owned(), None);
    if work && annotation(claim, POD_PHASE) == Some("Succeeded") {
        return of_filling();
    }
    match text(claim, "/status/phase") {
        "Lost" => ("Failed".to_owned(), Some(("Warning", "ErrClaimLost", format!("PVC {name} lost")))),
        _ if !work => plain("Succeeded"),
        "Bound" if filling == Filling::Outside => plain("Succeeded"),
        "Bound" => of_filling(),
        _ if text(claim, "/spec/dataSourceRef/apiGroup") == GROUP => {
            if ready(world, claim) {
                of_filling()
            } else {
                plain("PendingPopulation")
            }
        }
        _ if waits_for_consumer(world, claim) && honors_waiting(world) => plain("WaitForFirstConsumer"),
        _ => plain(if was.is_empty() { "Pending" } else { was }),
    }
}
