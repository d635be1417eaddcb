//! What stands in the cells of kubectl's tables, where that is more than a field (kubernetes 1.36 `pkg/printers/internalversion/printers.go`).

use serde_json::Value;

use crate::sandbox::at::At;
use crate::sandbox::store::text;

pub(super) fn is_going(object: &Value) -> bool {
    object.at("/metadata/deletionTimestamp").is_some()
}

pub(super) fn or(object: &Value, pointer: &str, none: &str) -> Value {
    object.at(pointer).filter(|value| *value != "").cloned().unwrap_or(none.into())
}

pub(super) fn or_none(object: &Value, pointer: &str) -> Value {
    or(object, pointer, "<none>")
}

pub(super) fn address(node: &Value, kind: &str) -> Value {
    let all = node.at("/status/addresses").and_then(Value::as_array).into_iter().flatten();
    all.filter(|address| address["type"] == kind).map(|address| address["address"].clone()).next().unwrap_or("<none>".into())
}

/// `1/2`: how many of a pod's containers are ready.
pub(super) fn ready(pod: &Value) -> Value {
    let all = pod.at("/spec/containers").and_then(Value::as_array).map_or(0, Vec::len);
    let statuses = pod.at("/status/containerStatuses").and_then(Value::as_array).into_iter().flatten();
    format!("{}/{all}", statuses.filter(|status| status["ready"] == true).count()).into()
}

pub(super) fn ports(service: &Value) -> Value {
    let all = service.at("/spec/ports").and_then(Value::as_array).into_iter().flatten();
    let one = |port: &Value| format!("{}/{}", port["port"], port["protocol"].as_str().unwrap_or("TCP"));
    let words = all.map(one).collect::<Vec<_>>().join(",");
    if words.is_empty() { "<none>".into() } else { words.into() }
}

pub(super) fn containers(job: &Value, field: &str) -> Value {
    let all = job.at("/spec/template/spec/containers").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|container| container[field].as_str()).collect::<Vec<_>>().join(",").into()
}

pub(super) fn selector(service: &Value) -> Value {
    let all = service.at("/spec/selector").and_then(Value::as_object).into_iter().flatten();
    let words = all.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect::<Vec<_>>().join(",");
    if words.is_empty() { "<none>".into() } else { words.into() }
}

/// A label selector as one writes it on a command line, by key: `app=db,!old,tier in (back,front)`.
pub(super) fn pod_selector(policy: &Value) -> Value {
    let labels = policy.at("/spec/podSelector/matchLabels").and_then(Value::as_object).into_iter().flatten();
    let labels = labels.map(|(key, value)| (key.as_str(), format!("{key}={}", value.as_str().unwrap_or_default())));
    let rules = policy.at("/spec/podSelector/matchExpressions").and_then(Value::as_array).into_iter().flatten();
    let rules = rules.map(|rule| {
        let mut values: Vec<&str> = rule["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        values.sort_unstable();
        let key = rule["key"].as_str().unwrap_or_default();
        let word = match rule["operator"].as_str() {
            Some("In") => format!("{key} in ({})", values.join(",")),
            Some("NotIn") => format!("{key} notin ({})", values.join(",")),
            Some("DoesNotExist") => format!("!{key}"),
            _ => key.to_owned(),
        };
        (key, word)
    });
    let mut words: Vec<(&str, String)> = labels.chain(rules).collect();
    words.sort_by_key(|(key, _)| *key);
    let words = words.into_iter().map(|(_, word)| word).collect::<Vec<_>>().join(",");
    if words.is_empty() { "<none>".into() } else { words.into() }
}

/// The hosts of an Ingress; the first three and how many more there are.
pub(super) fn hosts(ingress: &Value) -> Value {
    let rules = ingress.at("/spec/rules").and_then(Value::as_array).into_iter().flatten();
    let all: Vec<&str> = rules.filter_map(|rule| rule["host"].as_str()).filter(|host| !host.is_empty()).collect();
    match all.len() {
        0 => "*".into(),
        1..=3 => all.join(",").into(),
        more => format!("{} + {} more...", all[..3].join(","), more - 3).into(),
    }
}

/// A number or a share of a budget.
pub(super) fn amount(budget: &Value, pointer: &str) -> Value {
    budget.at(pointer).map_or("N/A".into(), |amount| amount.as_str().map_or_else(|| amount.to_string(), str::to_owned).into())
}

/// `what: used/hard` of a quota, either of limits or of all others.
pub(super) fn shares(quota: &Value, limits: bool) -> Value {
    let hard = quota.at("/status/hard").and_then(Value::as_object).into_iter().flatten();
    let used = |name: &str| quota.at("/status/used").and_then(|used| used[name].as_str()).unwrap_or("0").to_owned();
    let one = |(name, hard): (&String, &Value)| format!("{name}: {}/{}", used(name), hard.as_str().unwrap_or_default());
    hard.filter(|(name, _)| name.starts_with("limits") == limits).map(one).collect::<Vec<_>>().join(", ").into()
}

/// `kind.group/name`.
pub(super) fn controller(owner: &Value) -> Value {
    let group = text(owner, "/apiVersion").rsplit_once('/').map(|(group, _)| format!(".{group}")).unwrap_or_default();
    format!("{}{group}/{}", text(owner, "/kind").to_lowercase(), text(owner, "/name")).into()
}

pub(super) fn count(object: &Value, maps: &[&str]) -> Value {
    maps.iter().filter_map(|map| object.at(map)?.as_object()).map(serde_json::Map::len).sum::<usize>().into()
}

/// The status of a condition, if the object has it.
pub(super) fn condition<'o>(object: &'o Value, kind: &str) -> Option<&'o str> {
    let all = object.at("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    all.filter(|condition| condition["type"] == kind).find_map(|condition| condition["status"].as_str())
}

/// `RWO,RWX`, in the order in which the server knows them.
pub(super) fn modes(object: &Value, pointer: &str) -> Value {
    const SHORT: [(&str, &str); 4] = [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];
    let all = object.at(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    let known: Vec<&str> = SHORT.iter().filter(|(long, _)| all.iter().any(|mode| mode == long)).map(|(_, short)| *short).collect();
    known.join(",").into()
}
