//! DataSources: each leads to a claim or a snapshot, and says whether that is there.
//! Source: containerized-data-importer 1.65 `pkg/controller/datasource-controller.go`.
//!
//! Cases: `datavolumes/a-data-source-leads-to-its-claim`.

use std::time::Duration;

use serde_json::{Value, json};

use super::objects::{put, remove, state};
use super::{Controller, Subject, is_deleting, itself};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLAIM, DATA_SOURCE, DATA_VOLUME, SNAPSHOT};
use crate::sandbox::store::{Change, Key, text};
use crate::sandbox::world::World;

pub const SUBJECT: Subject = Subject {
    rules: &[],
    controllers: &[Controller {
        name: "datasource-controller",
        watches: &[(&DATA_SOURCE, itself), (&CLAIM, of_target), (&DATA_VOLUME, of_target), (&SNAPSHOT, of_target)],
        reconcile,
    }],
};

/// Where a DataSource leads: the kind, by its field, and the place.
fn target(source: &Value) -> Option<(&'static str, &str, &str)> {
    let kind = ["pvc", "snapshot"].into_iter().find(|kind| source.at(&format!("/spec/source/{kind}")).is_some_and(Value::is_object))?;
    let at = |field: &str| text(source, &format!("/spec/source/{kind}/{field}"));
    let namespace = Some(at("namespace")).filter(|named| !named.is_empty()).unwrap_or_else(|| text(source, "/metadata/namespace"));
    Some((kind, namespace, at("name")))
}

fn of_target(world: &World, change: &Change) -> Vec<Key> {
    let kind = if change.key.resource == &SNAPSHOT { "snapshot" } else { "pvc" };
    let here = (kind, change.key.namespace.as_str(), change.key.name.as_str());
    world.store.list(&DATA_SOURCE, None).filter(|(_, source)| target(source) == Some(here)).map(|(key, _)| key.clone()).collect()
}

fn reconcile(world: &mut World, key: &Key) -> Option<Duration> {
    let source = world.store.get(key).filter(|source| !is_deleting(source))?.clone();
    let (status, reason, message) = match target(&source) {
        None => ("False", "NoSource", "No source set".to_owned()),
        Some(("snapshot", namespace, name)) => match world.get(&SNAPSHOT, namespace, name) {
            None => ("False", "NotFound", format!("volumesnapshots.snapshot.storage.k8s.io \"{name}\" not found")),
            Some(found) if found.at("/status/readyToUse") == Some(&true.into()) => ready(),
            Some(_) => ("False", "SnapshotNotReady", "Snapshot phase is not ready".to_owned()),
        },
        Some((_, namespace, name)) => match (world.get(&DATA_VOLUME, namespace, name), world.get(&CLAIM, namespace, name)) {
            (Some(volume), _) if text(&volume, "/status/phase") != "Succeeded" => {
                let phase = text(&volume, "/status/phase");
                ("False", "NotReady", format!("Import DataVolume phase {phase}"))
            }
            (None, None) => ("False", "NotFound", format!("PVC {name} not found")),
            _ => ready(),
        },
    };
    let (now, named) = (world.stamp(), source.at("/spec/source").cloned().unwrap_or_else(|| json!({})));
    let said = |source: &mut Value| {
        put(source, "/status/source", named);
        state(source, &now, "Ready", status, (reason, &message));
        let conditions = source.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
        for condition in conditions.into_iter().flatten() {
            remove(condition, "", "lastProbeTime");
            condition["lastHeartbeatTime"] = condition["lastTransitionTime"].clone();
        }
    };
    drop(world.change(key, said));
    None
}

fn ready() -> (&'static str, &'static str, String) {
    ("True", "Ready", "DataSource is ready to be consumed".to_owned())
}
