//! Questions about rights: may I, what may I, who am I (kubernetes 1.36 `pkg/registry/authorization`).

use serde_json::{Value, json};

use crate::sandbox::access::{self, Verdict, Wish};
use crate::sandbox::at::At;
use crate::sandbox::catalog::Resource;
use crate::sandbox::status::{Cause, Status};
use crate::sandbox::store::text;
use crate::sandbox::world::World;
use crate::sandbox::write::User;

/// Refusals name questions by no kind.
static QUESTION: Resource = Resource::named(3, "authorization.k8s.io", &["v1"], "");

/// Answers a question: the question itself with a status.
///
/// # Errors
/// 404 for questions that nobody knows, 400 and 422 for those that ask for nothing.
pub fn answer(world: &World, user: &User, plural: &str, namespace: &str, mut question: Value) -> Result<Value, Status> {
    question["status"] = match plural {
        "selfsubjectaccessreviews" => {
            asks_something(&question["spec"])?;
            verdict(world, user, &wish(&question["spec"]))
        }
        "subjectaccessreviews" | "localsubjectaccessreviews" => {
            asks_something(&question["spec"])?;
            let wish = wish(&question["spec"]);
            if !namespace.is_empty() && wish.namespace != namespace {
                return Err(invalid(Cause::invalid("spec.resourceAttributes.namespace", &wish.namespace.into(), "must match metadata.namespace")));
            }
            let groups = question.at("/spec/groups").and_then(Value::as_array).cloned().unwrap_or_default();
            let groups = groups.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            verdict(world, &User { name: text(&question, "/spec/user").to_owned(), groups }, &wish)
        }
        "selfsubjectrulesreviews" => {
            let namespace = text(&question, "/spec/namespace");
            if namespace.is_empty() {
                return Err(Status::bad_request("no namespace on request"));
            }
            let rules = access::rules(world, user, namespace);
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
    let Verdict { allowed, reason } = access::judge(world, user, wish);
    if reason.is_empty() { json!({"allowed": allowed}) } else { json!({"allowed": allowed, "reason": reason}) }
}

fn invalid(cause: Cause) -> Status {
    Status::invalid(&QUESTION, "", &[cause])
}

/// Either something of the cluster, or a path (kubernetes 1.36 `pkg/apis/authorization/validation/validation.go`).
fn asks_something(spec: &Value) -> Result<(), Status> {
    const NEITHER: &str = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
    let asks = |what: &str| spec.get(what).is_some_and(|wish| !wish.is_null());
    match (asks("resourceAttributes"), asks("nonResourceAttributes")) {
        (false, false) => Err(invalid(Cause::invalid("spec.resourceAttributes", &Value::Null, NEITHER))),
        (true, true) => {
            let why = "cannot be specified in combination with resourceAttributes";
            Err(invalid(Cause::invalid("spec.nonResourceAttributes", &spec["nonResourceAttributes"], why)))
        }
        _ => Ok(()),
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
