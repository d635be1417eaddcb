//! What objects say about themselves and each other: labels, annotations, owners, finalizers, conditions, sizes.
//!
//! Cases: `patch/generation-counts-changes-of-the-specification`, `delete/a-finalizer-keeps-an-object`.

use serde_json::{Value, json};

use crate::sandbox::at::At;
use crate::sandbox::catalog::Res;
use crate::sandbox::quantity::Quantity;
use crate::sandbox::store::text;

/// A list in an object; empty where there is none.
pub fn list<'v>(object: &'v Value, pointer: &str) -> &'v [Value] {
    object.at(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Sets what is at a pointer, making the maps on the way. Leaves an object alone where something else is in the way.
pub fn put(object: &mut Value, pointer: &str, value: impl Into<Value>) {
    let mut at = object;
    for part in pointer.split('/').skip(1) {
        if at.is_null() {
            *at = json!({});
        }
        let Some(map) = at.as_object_mut() else { return };
        at = map.entry(part.replace("~1", "/").replace("~0", "~")).or_insert(Value::Null);
    }
    *at = value.into();
}

/// As [`put`], where nothing is yet.
pub fn default(object: &mut Value, pointer: &str, value: impl Into<Value>) {
    let missing = object.at(pointer).is_none_or(|found| found.is_null() || found == "");
    if missing {
        put(object, pointer, value);
    }
}

/// Takes a field out of a map.
pub fn remove(object: &mut Value, parent: &str, field: &str) {
    if let Some(map) = object.pointer_mut(parent).and_then(Value::as_object_mut) {
        map.remove(field);
    }
}

fn in_map<'v>(object: &'v Value, map: &str, key: &str) -> Option<&'v str> {
    object.at(map)?.get(key)?.as_str()
}

pub fn annotation<'v>(object: &'v Value, key: &str) -> Option<&'v str> {
    in_map(object, "/metadata/annotations", key)
}

pub fn label<'v>(object: &'v Value, key: &str) -> Option<&'v str> {
    in_map(object, "/metadata/labels", key)
}

/// Sets an annotation.
pub fn annotate(object: &mut Value, key: &str, value: &str) {
    put(object, &format!("/metadata/annotations/{}", escaped(key)), value);
}

/// Sets a label.
pub fn mark(object: &mut Value, key: &str, value: &str) {
    put(object, &format!("/metadata/labels/{}", escaped(key)), value);
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

pub fn has_finalizer(object: &Value, name: &str) -> bool {
    list(object, "/metadata/finalizers").iter().any(|one| one == name)
}

pub fn add_finalizer(object: &mut Value, name: &str) {
    if !has_finalizer(object, name) {
        let mut all = list(object, "/metadata/finalizers").to_vec();
        all.push(name.into());
        put(object, "/metadata/finalizers", all);
    }
}

pub fn drop_finalizer(object: &mut Value, name: &str) {
    let all: Vec<Value> = list(object, "/metadata/finalizers").iter().filter(|one| *one != name).cloned().collect();
    if all.is_empty() {
        remove(object, "/metadata", "finalizers");
    } else {
        put(object, "/metadata/finalizers", all);
    }
}

/// The owner reference that is marked as the controller.
pub fn controller(object: &Value) -> Option<&Value> {
    list(object, "/metadata/ownerReferences").iter().find(|owner| owner["controller"] == true)
}

pub fn is_controlled_by(object: &Value, owner: &Value) -> bool {
    controller(object).is_some_and(|reference| text(reference, "/uid") == text(owner, "/metadata/uid"))
}

/// A reference to an owner that controls what it owns (kubernetes/apimachinery `pkg/apis/meta/v1/controller_ref.go`).
pub fn controlled_by(resource: Res, owner: &Value) -> Value {
    json!({
        "apiVersion": resource.api_version(), "kind": resource.kind, "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"],
        "controller": true, "blockOwnerDeletion": true,
    })
}

/// Adds an owner that controls the object; false when another one does.
pub fn adopt(object: &mut Value, resource: Res, owner: &Value) -> bool {
    if is_controlled_by(object, owner) {
        return true;
    }
    if controller(object).is_some() {
        return false;
    }
    let uid = text(owner, "/metadata/uid");
    let mut all: Vec<Value> = list(object, "/metadata/ownerReferences").iter().filter(|one| text(one, "/uid") != uid).cloned().collect();
    all.push(controlled_by(resource, owner));
    put(object, "/metadata/ownerReferences", all);
    true
}

pub fn condition<'v>(object: &'v Value, kind: &str) -> Option<&'v Value> {
    list(object, "/status/conditions").iter().find(|condition| text(condition, "/type") == kind)
}

pub fn is(object: &Value, kind: &str, status: &str) -> bool {
    condition(object, kind).is_some_and(|condition| text(condition, "/status") == status)
}

/// States a condition; its times change only when what it says does.
pub fn state(object: &mut Value, now: &Value, kind: &str, status: &str, (reason, message): (&str, &str)) {
    let said = condition(object, kind).map(|was| ["/status", "/reason", "/message"].map(|field| text(was, field).to_owned()));
    if said.as_ref().is_some_and(|said| said.iter().map(String::as_str).eq([status, reason, message])) {
        return;
    }
    let since = match (condition(object, kind), &said) {
        (Some(was), Some(said)) if said[0] == status => was["lastTransitionTime"].clone(),
        _ => now.clone(),
    };
    let mut condition = json!({"type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": since});
    for (field, words) in [("reason", reason), ("message", message)] {
        if !words.is_empty() {
            condition[field] = words.into();
        }
    }
    let mut all = list(object, "/status/conditions").to_vec();
    match all.iter_mut().find(|one| text(one, "/type") == kind) {
        Some(old) => *old = condition,
        None => all.push(condition),
    }
    put(object, "/status/conditions", all);
}

/// Says no more about a condition.
pub fn forget(object: &mut Value, kind: &str) {
    if condition(object, kind).is_some() {
        let all: Vec<Value> = list(object, "/status/conditions").iter().filter(|one| text(one, "/type") != kind).cloned().collect();
        put(object, "/status/conditions", all);
    }
}

/// The bytes of a quantity; `None` where it is none.
pub fn bytes(quantity: &str) -> Option<u64> {
    u64::try_from(Quantity::parse(quantity)?.value()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_keep_their_times_while_they_say_the_same() {
        let mut object = json!({});
        state(&mut object, &json!("1"), "Ready", "False", ("Why", ""));
        state(&mut object, &json!("2"), "Ready", "False", ("Why", "now with words"));
        assert_eq!(condition(&object, "Ready").map(|ready| ready["lastTransitionTime"].clone()), Some(json!("1")));
        state(&mut object, &json!("3"), "Ready", "True", ("", ""));
        assert_eq!(condition(&object, "Ready").map(|ready| ready["lastTransitionTime"].clone()), Some(json!("3")));
        forget(&mut object, "Ready");
        assert_eq!(object["status"]["conditions"], json!([]));
    }

    #[test]
    fn putting_something_never_breaks_an_odd_object() {
        let mut object = json!({"metadata": "odd"});
        put(&mut object, "/metadata/labels/a", "b");
        assert_eq!(object, json!({"metadata": "odd"}));
        mark(&mut object, "kubevirt.io/x", "y");
        adopt(&mut object, &crate::sandbox::catalog::VM, &json!({}));
        drop_finalizer(&mut object, "x");
    }
}
