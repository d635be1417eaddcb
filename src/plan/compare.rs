//! Compares what was asked of the server with what it answered, to see fields that it dropped or changed.
//!
//! A dropped field is the worst kind of success: the object is there and is not what was wanted. Only places are told, never
//! values: they may be inline cloud-init or a Secret's.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::manifest::{Manifest, escape};
use crate::model::quantity;

/// One field of the request that the reply does not have as asked.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// JSON pointer in the request.
    pub path: String,
    pub how: How,
}

/// What became of a field.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    Dropped,
    Changed,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.how {
            How::Dropped => "dropped",
            How::Changed => "changed",
        };
        write!(f, "{} ({how})", self.path)
    }
}

/// Every field of `asked` that `reply` lacks or has otherwise. What the server adds is none of this; nor is a status, which a
/// create ignores, nor an empty value, which servers leave out.
pub fn differences(asked: &Manifest, reply: &Manifest) -> Vec<Difference> {
    let mut found = Vec::new();
    let reply = reply.value();
    for (key, value) in asked.value().as_object().into_iter().flatten().filter(|(key, _)| *key != "status") {
        compare(&format!("/{}", escape(key)), value, reply.get(key), &mut found);
    }
    found
}

fn compare(path: &str, asked: &Value, reply: Option<&Value>, found: &mut Vec<Difference>) {
    if is_empty(asked) {
        return;
    }
    let mut tell = |how| found.push(Difference { path: path.to_owned(), how });
    match (asked, reply) {
        (_, None | Some(Value::Null)) => tell(How::Dropped),
        (Value::Object(fields), Some(Value::Object(reply))) => {
            for (key, value) in fields.iter().filter(|(key, value)| !is_empty_map(key, value)) {
                compare(&format!("{path}/{}", escape(key)), value, reply.get(key), found);
            }
        }
        (Value::Array(items), Some(Value::Array(reply))) => compare_lists(path, items, reply, found),
        (asked, Some(reply)) if is_same(asked, reply) => {}
        _ => tell(How::Changed),
    }
}

/// Items with a name are found by it, because a webhook may put its own among them; others by their place.
fn compare_lists(path: &str, asked: &[Value], reply: &[Value], found: &mut Vec<Difference>) {
    for (index, item) in asked.iter().enumerate() {
        let twin = match name(item) {
            Some(wanted) => reply.iter().find(|candidate| name(candidate) == Some(wanted)),
            None if item.is_object() => reply.get(index),
            None => reply.iter().find(|candidate| is_same(item, candidate)),
        };
        compare(&format!("{path}/{index}"), item, twin, found);
    }
}

fn name(item: &Value) -> Option<&str> {
    item.get("name").and_then(Value::as_str)
}

/// Equal, or two spellings of one quantity (`1024Mi` and `1Gi`).
fn is_same(asked: &Value, reply: &Value) -> bool {
    let amount = |value: &Value| match value {
        Value::String(text) => quantity::milli(text),
        Value::Number(number) => quantity::milli(&number.to_string()),
        _ => None,
    };
    asked == reply || amount(asked).is_some_and(|asked| amount(reply) == Some(asked))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Object(_) | Value::Bool(true) => false,
    }
}

/// Maps that servers leave out when they are empty. Any other empty object says something: `masquerade: {}`.
const MAPS: &[&str] = &["annotations", "data", "labels", "limits", "matchLabels", "nodeSelector", "requests"];

fn is_empty_map(key: &str, value: &Value) -> bool {
    MAPS.contains(&key) && value.as_object().is_some_and(serde_json::Map::is_empty)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(asked: Value, reply: Value) -> Vec<String> {
        differences(&Manifest::from(asked), &Manifest::from(reply)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_server_adds_is_no_difference() {
        let asked = json!({"metadata": {"name": "db-1", "annotations": {}}, "spec": {"size": "1024Mi", "running": false}, "status": {"x": 1}});
        let reply = json!({"metadata": {"name": "db-1", "uid": "u"}, "spec": {"size": "1Gi", "more": 1}});
        assert_eq!(of(asked, reply), [] as [&str; 0]);
    }

    #[test]
    fn a_dropped_field_is_named_without_its_value() {
        let asked = json!({"spec": {"dataSourceRef": {"namespace": "shop", "name": "db-1"}, "userData": "password: x"}});
        assert_eq!(
            of(asked, json!({"spec": {"dataSourceRef": {"name": "db-1"}, "userData": "y"}})),
            ["/spec/dataSourceRef/namespace (dropped)", "/spec/userData (changed)"]
        );
    }

    #[test]
    fn named_items_are_found_wherever_they_are() {
        let asked = json!({"disks": [{"name": "a", "bus": "virtio"}, {"name": "b"}], "modes": ["RWO"]});
        assert_eq!(
            of(asked.clone(), json!({"disks": [{"name": "new"}, {"name": "b"}, {"name": "a", "bus": "virtio"}], "modes": ["RWX", "RWO"]})),
            [] as [&str; 0]
        );
        assert_eq!(
            of(asked, json!({"disks": [{"name": "a", "bus": "sata"}], "modes": ["RWX"]})),
            ["/disks/0/bus (changed)", "/disks/1 (dropped)", "/modes/0 (dropped)"]
        );
    }
}
