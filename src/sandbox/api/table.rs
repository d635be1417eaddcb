//! The tables that kubectl prints: columns and cells (kubernetes 1.36 `pkg/printers/internalversion/printers.go`; custom resources have the
//! columns of their CustomResourceDefinitions).

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::sandbox::catalog::{self, Res};
use crate::sandbox::store::text;

/// A column: its name, its type, whether only `-o wide` shows it, and its cell.
struct Column {
    name: &'static str,
    kind: &'static str,
    wide: bool,
    cell: fn(&Value, Timestamp) -> Value,
}

const fn column(name: &'static str, cell: fn(&Value, Timestamp) -> Value) -> Column {
    Column { name, kind: "string", wide: false, cell }
}

const fn wide(name: &'static str, cell: fn(&Value, Timestamp) -> Value) -> Column {
    Column { name, kind: "string", wide: true, cell }
}

macro_rules! at {
    ($pointer:literal) => {
        |object, _| object.pointer($pointer).cloned().unwrap_or("".into())
    };
}

const NAME: Column = Column { name: "Name", kind: "string", wide: false, cell: at!("/metadata/name") };
const AGE: Column = column("Age", |object, now| age(text(object, "/metadata/creationTimestamp"), now));

/// The columns between name and age, by kind. Others have none.
const TABLES: &[(Res, &[Column])] = &[
    (&catalog::NAMESPACE, &[column("Status", at!("/status/phase"))]),
    (
        &catalog::CLAIM,
        &[
            column("Status", |claim, _| {
                if claim.pointer("/metadata/deletionTimestamp").is_some() { "Terminating".into() } else { claim["status"]["phase"].clone() }
            }),
            column("Volume", at!("/spec/volumeName")),
            column(
                "Capacity",
                |claim, _| if text(claim, "/spec/volumeName").is_empty() { "".into() } else { text(claim, "/status/capacity/storage").into() },
            ),
            column(
                "Access Modes",
                |claim, _| if text(claim, "/spec/volumeName").is_empty() { "".into() } else { modes(claim, "/status/accessModes") },
            ),
            column("StorageClass", at!("/spec/storageClassName")),
            column("VolumeAttributesClass", |claim, _| claim.pointer("/spec/volumeAttributesClassName").cloned().unwrap_or("<unset>".into())),
        ],
    ),
    (
        &catalog::VOLUME,
        &[
            column("Capacity", at!("/spec/capacity/storage")),
            column("Access Modes", |volume, _| modes(volume, "/spec/accessModes")),
            column("Reclaim Policy", at!("/spec/persistentVolumeReclaimPolicy")),
            column("Status", |volume, _| {
                if volume.pointer("/metadata/deletionTimestamp").is_some() { "Terminating".into() } else { volume["status"]["phase"].clone() }
            }),
            column("Claim", |volume, _| match volume.pointer("/spec/claimRef") {
                Some(claim) => format!("{}/{}", text(claim, "/namespace"), text(claim, "/name")).into(),
                None => "".into(),
            }),
            column("StorageClass", at!("/spec/storageClassName")),
            column("VolumeAttributesClass", |volume, _| volume.pointer("/spec/volumeAttributesClassName").cloned().unwrap_or("<unset>".into())),
            column("Reason", at!("/status/reason")),
        ],
    ),
    (
        &catalog::STORAGE_CLASS,
        &[
            column("Provisioner", at!("/provisioner")),
            column("ReclaimPolicy", at!("/reclaimPolicy")),
            column("VolumeBindingMode", at!("/volumeBindingMode")),
            column("AllowVolumeExpansion", |class, _| class["allowVolumeExpansion"].as_bool().unwrap_or(false).into()),
        ],
    ),
    (&catalog::CONFIG_MAP, &[column("Data", |map, _| count(map, &["/data", "/binaryData"]))]),
    (&catalog::SECRET, &[column("Type", at!("/type")), column("Data", |secret, _| count(secret, &["/data"]))]),
    (
        &catalog::VM,
        &[
            column("Age", |object, now| age(text(object, "/metadata/creationTimestamp"), now)),
            column("Status", at!("/status/printableStatus")),
            column("Ready", |vm, _| condition(vm, "Ready")),
        ],
    ),
    (
        &catalog::VMI,
        &[
            column("Age", |object, now| age(text(object, "/metadata/creationTimestamp"), now)),
            column("Phase", at!("/status/phase")),
            column("IP", at!("/status/interfaces/0/ipAddress")),
            column("NodeName", at!("/status/nodeName")),
            column("Ready", |vmi, _| condition(vmi, "Ready")),
            wide("Live-Migratable", |vmi, _| condition(vmi, "LiveMigratable")),
            wide("Paused", |vmi, _| condition(vmi, "Paused")),
        ],
    ),
    (
        &catalog::DATA_VOLUME,
        &[
            column("Phase", at!("/status/phase")),
            column("Progress", at!("/status/progress")),
            column("Restarts", |volume, _| volume.pointer("/status/restartCount").cloned().unwrap_or(Value::Null)),
            column("Age", |object, now| age(text(object, "/metadata/creationTimestamp"), now)),
        ],
    ),
];

fn columns(resource: Res) -> Vec<&'static Column> {
    let own = TABLES.iter().find(|(kind, _)| *kind == resource).map_or(&[][..], |(_, columns)| columns);
    let has_age = own.iter().any(|column| column.name == "Age");
    [&NAME].into_iter().chain(own).chain((!has_age).then_some(&AGE)).collect()
}

/// The table of some objects, in their order.
pub fn table(resource: Res, objects: &[&Value], list: Value, now: Timestamp) -> Value {
    let columns = columns(resource);
    let definition = |column: &&Column| {
        let format = if column.name == "Name" { "name" } else { "" };
        json!({"name": column.name, "type": column.kind, "format": format, "description": "", "priority": i32::from(column.wide)})
    };
    let row = |object: &&Value| {
        let cells: Vec<Value> = columns.iter().map(|column| (column.cell)(object, now)).collect();
        json!({"cells": cells, "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]}})
    };
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": list,
        "columnDefinitions": columns.iter().map(definition).collect::<Vec<_>>(), "rows": objects.iter().map(row).collect::<Vec<_>>(),
    })
}

fn count(object: &Value, maps: &[&str]) -> Value {
    maps.iter().filter_map(|map| object.pointer(map)?.as_object()).map(serde_json::Map::len).sum::<usize>().into()
}

fn condition(object: &Value, kind: &str) -> Value {
    let all = object.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    all.filter(|condition| condition["type"] == kind).map(|condition| condition["status"].clone()).next().unwrap_or("".into())
}

/// `RWO,RWX`, in the order in which the server knows them.
fn modes(object: &Value, pointer: &str) -> Value {
    const SHORT: [(&str, &str); 4] = [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];
    let all = object.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    let known: Vec<&str> = SHORT.iter().filter(|(long, _)| all.iter().any(|mode| mode == long)).map(|(_, short)| *short).collect();
    known.join(",").into()
}

/// How long ago, as kubectl says it (kubernetes/apimachinery `pkg/util/duration/duration.go`).
fn age(stamp: &str, now: Timestamp) -> Value {
    let Ok(then) = stamp.parse::<Timestamp>() else { return "<unknown>".into() };
    let seconds = now.as_second() - then.as_second();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let two = |big: i64, unit: &str, small: i64, part: &str| if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{small}{part}") };
    if seconds < 0 {
        return if seconds < -1 { "<invalid>" } else { "0s" }.into();
    }
    let words = match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => two(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    };
    words.into()
}
