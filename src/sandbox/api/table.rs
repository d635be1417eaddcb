//! The tables that kubectl prints (kubernetes 1.36 `pkg/printers/internalversion/printers.go`; custom resources have the
//! columns of their CustomResourceDefinitions).

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::cells::condition;
use super::columns::{Cell, Column, columns};
use super::form::Held;
use crate::sandbox::at::At;
use crate::sandbox::catalog::Res;
use crate::sandbox::store::text;

/// The table of some objects, in their order.
pub fn table(resource: Res, objects: &[&Arc<Value>], list: Value, held: Held, now: Timestamp) -> Value {
    let columns = columns(resource);
    let definition = |column: &Column| {
        let format = if column.name == "Name" { "name" } else { "" };
        json!({"name": column.name, "type": column.kind, "format": format, "description": "", "priority": i32::from(column.wide)})
    };
    let row = |object: &&Arc<Value>| {
        let cells: Vec<Value> = columns.iter().map(|column| cell(resource, column.cell, object, now)).collect();
        json!({"cells": cells, "object": held.of(object)})
    };
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": list,
        "columnDefinitions": columns.iter().map(definition).collect::<Vec<_>>(), "rows": objects.iter().map(row).collect::<Vec<_>>(),
    })
}

fn cell(resource: Res, cell: Cell, object: &Value, now: Timestamp) -> Value {
    // What a custom object has not is nothing, where other kinds have an empty text.
    let none = || if resource.custom { Value::Null } else { "".into() };
    match cell {
        Cell::At(pointer) => object.at(pointer).cloned().unwrap_or_else(none),
        Cell::Condition(kind) => condition(object, kind).map_or_else(none, Value::from),
        Cell::Ago(pointer) => age(text(object, pointer), now),
        Cell::By(cell) => cell(object),
    }
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
