//! Questions about rights: may I, what may I, who am I (kubernetes 1.36 `pkg/registry/authorization`).

use serde_json::{Value, json};

use crate::sandbox::access::{self, Wish};
use crate::sandbox::status::Status;
use crate::sandbox::store::text;
use crate::sandbox::world::World;
use crate::sandbox::write::User;

/// Answers a question: the question itself with a status.
///
/// # Errors
/// 404 for questions that nobody knows, 422 for those that ask for nothing.
pub fn answer(world: &World, user: &User, plural: &str, namespace: &str, mut question: Value) -> Result<Value, Status> {
    question["status"] = match plural {
        "selfsubjectaccessreviews" => verdict(world, user, &wish(&question["spec"])),
        "subjectaccessreviews" | "localsubjectaccessreviews" => {
            let mut wish = wish(&question["spec"]);
            if !namespace.is_empty() {
                namespace.clone_into(&mut wish.namespace);
            }
            let groups = question.pointer("/spec/groups").and_then(Value::as_array).cloned().unwrap_or_default();
            let groups = groups.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            verdict(world, &User { name: text(&question, "/spec/user").to_owned(), groups }, &wish)
        }
        "selfsubjectrulesreviews" => {
            let rules = access::rules(world, user, text(&question, "/spec/namespace"));
            let (paths, resources): (Vec<Value>, Vec<Value>) = rules.into_iter().partition(|rule| rule.get("nonResourceURLs").is_some());
            json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false})
        }
        "selfsubjectreviews" => json!({"userInfo": {"username": user.name, "groups": user.groups}}),
        _ => return Err(Status::no_such_path()),
    };
    if !question["metadata"].is_object() {
        question["metadata"] = json!({"creationTimestamp": null});
    }
    Ok(question)
}

fn verdict(world: &World, user: &User, wish: &Wish) -> Value {
    match access::allowed(world, user, wish) {
        Some(reason) if reason.is_empty() => json!({"allowed": true}),
        Some(reason) => json!({"allowed": true, "reason": reason}),
        None => json!({"allowed": false}),
    }
}

fn wish(spec: &Value) -> Wish {
    let at = |pointer: &str| text(spec, pointer).to_owned();
    if let Some(path) = spec.get("nonResourceAttributes") {
        return Wish { verb: text(path, "/verb").to_owned(), path: text(path, "/path").to_owned(), ..Wish::default() };
    }
    Wish {
        verb: at("/resourceAttributes/verb"),
        group: at("/resourceAttributes/group"),
        resource: at("/resourceAttributes/resource"),
        subresource: at("/resourceAttributes/subresource"),
        namespace: at("/resourceAttributes/namespace"),
        name: at("/resourceAttributes/name"),
        path: String::new(),
    }
}
