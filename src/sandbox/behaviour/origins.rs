//! What a volume is to be copied from: whether that may be, and from where.
//! Source: external-provisioner 6.3 `pkg/controller/controller.go` (`prepareProvision`, `getPVCSource`, `getSnapshotSource`).
//!
//! Cases: `csi/a-clone-of-what-is-not-there-waits`, `csi/a-filesystem-is-not-cloned-to-a-block-device`,
//! `unknown_fields/a-claim-asks-no-other-namespace-by-datasource`, `unknown_fields/a-reference-to-another-namespace-is-dropped-whole`.

use serde_json::Value;

use super::claims::{mode, wanted};
use super::is_deleting;
use super::volumes::{hold, is_held, let_go};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLAIM, SNAPSHOT, SNAPSHOT_CONTENT, VOLUME};
use crate::sandbox::quantity::Quantity;
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;

/// Holds a snapshot while volumes are made of it.
pub const AS_SOURCE: &str = "snapshot.storage.kubernetes.io/volumesnapshot-as-source-protection";

/// What a claim is to be filled with.
#[derive(Debug, PartialEq)]
pub enum Origin {
    Nothing,
    Claim {
        name: String,
        handle: String,
        /// Bytes.
        size: i64,
    },
    Snapshot {
        name: String,
        handle: String,
        /// Bytes.
        size: i64,
    },
    /// Somebody else makes the volume.
    Populator,
}

impl Origin {
    /// The handle of what is copied.
    pub fn handle(&self) -> Option<&str> {
        match self {
            Self::Claim { handle, .. } | Self::Snapshot { handle, .. } => Some(handle),
            Self::Nothing | Self::Populator => None,
        }
    }

    /// How much is copied, in bytes.
    pub fn size(&self) -> i64 {
        match self {
            Self::Claim { size, .. } | Self::Snapshot { size, .. } => *size,
            Self::Nothing | Self::Populator => 0,
        }
    }
}

/// What a claim of a class is to be copied from.
///
/// # Errors
/// Why it cannot be, in the provisioner's words.
pub fn of(world: &World, claim: &Value, class: &Value) -> Result<Origin, String> {
    let source = claim.at("/spec/dataSource").or_else(|| claim.at("/spec/dataSourceRef"));
    let Some(source) = source else { return Ok(Origin::Nothing) };
    let (kind, name) = (text(source, "/kind"), text(source, "/name"));
    let found = match kind {
        "PersistentVolumeClaim" => from_claim(world, claim, class, name),
        "VolumeSnapshot" if text(source, "/apiGroup") != "snapshot.storage.k8s.io" => {
            let group = text(source, "/apiGroup");
            return Err(format!("the PVC source does not belong to the right APIGroup. Expected snapshot.storage.k8s.io, Got {group}"));
        }
        "VolumeSnapshot" => from_snapshot(world, claim, class, name),
        _ => return Ok(Origin::Populator),
    };
    found.map_err(|why| format!("error getting handle for DataSource Type {kind} by Name {name}: {why}"))
}

fn from_claim(world: &World, claim: &Value, class: &Value, name: &str) -> Result<Origin, String> {
    let namespace = text(claim, "/metadata/namespace");
    let source = world
        .get(&CLAIM, namespace, name)
        .ok_or_else(|| format!("error getting PVC {name} (namespace \"{namespace}\") from api server: persistentvolumeclaim \"{name}\" not found"))?;
    let phase = text(&source, "/status/phase");
    if phase != "Bound" {
        return Err(format!("the PVC DataSource {name} must have a status of Bound.  Got {{{phase} [] map[] [] map[] map[] <nil> <nil>}}"));
    }
    if is_deleting(&source) {
        return Err(format!("the PVC DataSource {name} is currently being deleted"));
    }
    for (one, which) in [(&*source, "source"), (claim, "requested")] {
        if one.at("/spec/storageClassName").is_none() {
            return Err(format!("the {which} PVC ({}) storageclass cannot be empty", text(one, "/metadata/name")));
        }
    }
    let (asked, has) = (wanted(claim).value(), wanted(&source).value());
    if asked < has {
        let why = "error, new PVC request must be greater than or equal in size to the specified PVC data source";
        return Err(format!("{why}, requested {asked} but source is {has}"));
    }
    let volume = world.get(&VOLUME, "", text(&source, "/spec/volumeName")).filter(|volume| is_its(volume, &source, class));
    let volume = volume.ok_or("claim in dataSource not bound or invalid")?;
    if mode(claim) != mode(&volume) {
        let (is, wants) = (mode(&volume), mode(claim));
        let why = "the source PVC and destination PVCs must have the same volume mode for cloning.";
        return Err(format!("{why}  Source is {is}, but new PVC requested {wants}"));
    }
    let size = Quantity::at(&volume, "/spec/capacity/storage").value();
    Ok(Origin::Claim { name: name.to_owned(), handle: text(&volume, "/spec/csi/volumeHandle").to_owned(), size })
}

/// Whether a volume is really that claim's, and the class's driver made it.
fn is_its(volume: &Value, claim: &Value, class: &Value) -> bool {
    volume["spec"]["csi"]["driver"] == class["provisioner"]
        && ["uid", "name", "namespace"].iter().all(|field| volume["spec"]["claimRef"][field] == claim["metadata"][field])
        && text(volume, "/status/phase") == "Bound"
}

fn from_snapshot(world: &World, claim: &Value, class: &Value, name: &str) -> Result<Origin, String> {
    let namespace = text(claim, "/metadata/namespace");
    let snapshot = world
        .get(&SNAPSHOT, namespace, name)
        .ok_or_else(|| format!("error getting snapshot {name} from api server: volumesnapshots.snapshot.storage.k8s.io \"{name}\" not found"))?;
    if is_deleting(&snapshot) && !is_held(&snapshot, AS_SOURCE) {
        return Err(format!("snapshot {name} is being deleted"));
    }
    let bound = text(&snapshot, "/status/boundVolumeSnapshotContentName");
    if bound.is_empty() {
        return Err(format!("snapshot {name} not bound"));
    }
    let content = world
        .get(&SNAPSHOT_CONTENT, "", bound)
        .ok_or_else(|| format!("error getting snapshotcontent {bound} for snapshot {name} from api server"))?;
    if ["uid", "name", "namespace"].iter().any(|field| content["spec"]["volumeSnapshotRef"][field] != snapshot["metadata"][field]) {
        return Err(format!("snapshotcontent {bound} for snapshot {name} is bound to a different snapshot"));
    }
    if content["spec"]["driver"] != class["provisioner"] {
        let class = text(class, "/metadata/name");
        return Err(format!(
            "snapshotcontent {bound} for snapshot {name} is handled by a different CSI driver than requested by StorageClass {class}"
        ));
    }
    if snapshot.at("/status/readyToUse") != Some(&Value::Bool(true)) {
        return Err(format!("snapshot {name} is not Ready"));
    }
    let handle = text(&content, "/status/snapshotHandle");
    if handle.is_empty() {
        return Err(format!("snapshot handle {name} is not available"));
    }
    let (asked, has) = (wanted(claim).value(), Quantity::at(&snapshot, "/status/restoreSize").value());
    if asked < has {
        return Err(format!("requested volume size {asked} is less than the size {has} for the source snapshot {name}"));
    }
    keeps_mode(claim, &content)?;
    Ok(Origin::Snapshot { name: name.to_owned(), handle: handle.to_owned(), size: has })
}

/// A block device does not become a file system, nor the other way round, unless the content says that it may.
fn keeps_mode(claim: &Value, content: &Value) -> Result<(), String> {
    const MAY: &str = "snapshot.storage.kubernetes.io/allow-volume-mode-change";
    let was = text(content, "/spec/sourceVolumeMode");
    if was.is_empty() || was == mode(claim) || super::binding::annotation(content, MAY) == Some("true") {
        return Ok(());
    }
    let (namespace, name, content) = (text(claim, "/metadata/namespace"), text(claim, "/metadata/name"), text(content, "/metadata/name"));
    let why = format!("requested volume {namespace}/{name} modifies the mode of the source volume but does not have permission to do so.");
    Err(format!("{why} {MAY} annotation is not present on snapshotcontent {content}"))
}

/// Holds a snapshot while it is copied.
pub fn hold_snapshot(world: &mut World, namespace: &str, name: &str) {
    drop(world.change(&Key::new(&SNAPSHOT, namespace, name), |snapshot| hold(snapshot, AS_SOURCE)));
}

/// A claim has its volume: its snapshot is free again.
pub fn done_with(world: &mut World, claim: &Value) {
    let source = &claim["spec"]["dataSource"];
    if text(source, "/kind") == "VolumeSnapshot" {
        let key = Key::new(&SNAPSHOT, text(claim, "/metadata/namespace"), text(source, "/name"));
        drop(world.change(&key, |snapshot| let_go(snapshot, AS_SOURCE)));
    }
}
