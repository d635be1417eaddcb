//! Who may do what: roles and bindings as they stand in the cluster.
//! Source: kubernetes 1.36 `plugin/pkg/auth/authorizer/rbac/rbac.go`, `pkg/apis/rbac/v1/evaluation_helpers.go`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::catalog::{CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING};
use super::store::text;
use super::world::World;
use super::write::User;

/// What somebody wants to do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wish {
    pub verb: String,
    pub group: String,
    /// The plural, or `*`.
    pub resource: String,
    pub subresource: String,
    /// Empty for the whole cluster.
    pub namespace: String,
    pub name: String,
    /// Instead of a resource: a path such as `/version`.
    pub path: String,
}

/// What a binding gives, and who said so.
struct Grant {
    rules: Vec<Value>,
    /// As a review explains it.
    reason: String,
}

/// What was decided about a wish.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    pub allowed: bool,
    /// Which binding allows it, or what is wrong with those that might have; often nothing.
    pub reason: String,
}

/// Whether a user may, and why.
pub fn judge(world: &World, user: &User, wish: &Wish) -> Verdict {
    if user.groups.iter().any(|group| group == "system:masters") {
        return Verdict { allowed: true, reason: String::new() };
    }
    let grants = grants(world, user, &wish.namespace);
    let fits = |grant: &&Grant| grant.rules.iter().any(|rule| covers(rule, wish));
    if let Some(grant) = grants.iter().flatten().find(fits) {
        return Verdict { allowed: true, reason: grant.reason.clone() };
    }
    let missing: Vec<String> = grants.into_iter().filter_map(Result::err).collect();
    let reason = match missing.as_slice() {
        [] => String::new(),
        [one] => format!("RBAC: {one}"),
        many => format!("RBAC: [{}]", many.join(", ")),
    };
    Verdict { allowed: false, reason }
}

/// Whether a user may.
///
/// # Errors
/// Why not, as the server says it.
pub fn check(world: &World, user: &User, wish: &Wish) -> Result<(), String> {
    let Verdict { allowed, reason } = judge(world, user, wish);
    if allowed {
        return Ok(());
    }
    let end = if reason.is_empty() { reason } else { format!(": {reason}") };
    Err(format!("{}{end}", refusal(user, wish)))
}

/// The rules that hold for a user in a namespace.
pub fn rules(world: &World, user: &User, namespace: &str) -> Vec<Value> {
    if user.groups.iter().any(|group| group == "system:masters") {
        return vec![json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}), json!({"verbs": ["*"], "nonResourceURLs": ["*"]})];
    }
    grants(world, user, namespace).into_iter().flatten().flat_map(|grant| grant.rules).collect()
}

fn refusal(user: &User, wish: &Wish) -> String {
    if !wish.path.is_empty() {
        return format!("User \"{}\" cannot {} path \"{}\"", user.name, wish.verb, wish.path);
    }
    let resource = if wish.subresource.is_empty() { wish.resource.clone() } else { format!("{}/{}", wish.resource, wish.subresource) };
    let place = if wish.namespace.is_empty() { "at the cluster scope".to_owned() } else { format!("in the namespace \"{}\"", wish.namespace) };
    format!("User \"{}\" cannot {} resource \"{resource}\" in API group \"{}\" {place}", user.name, wish.verb, wish.group)
}

/// What the bindings of a user give in a namespace; for one whose role is not there, that.
fn grants(world: &World, user: &User, namespace: &str) -> Vec<Result<Grant, String>> {
    let mut bindings: Vec<Arc<Value>> = world.list(&CLUSTER_ROLE_BINDING, None);
    if !namespace.is_empty() {
        bindings.extend(world.list(&ROLE_BINDING, Some(namespace)));
    }
    bindings.iter().filter_map(|binding| granted(world, user, binding)).collect()
}

fn granted(world: &World, user: &User, binding: &Value) -> Option<Result<Grant, String>> {
    let namespace = text(binding, "/metadata/namespace");
    let subject = binding["subjects"].as_array()?.iter().find(|subject| is(user, subject, namespace))?;
    let (kind, name) = (text(binding, "/roleRef/kind"), text(binding, "/roleRef/name"));
    let (resource, namespace_of_role) = if kind == "Role" { (&ROLE, namespace) } else { (&CLUSTER_ROLE, "") };
    let Some(role) = world.get(resource, namespace_of_role, name) else {
        return Some(Err(format!("{}.{} \"{name}\" not found", resource.singular(), resource.group)));
    };
    let whole =
        if namespace.is_empty() { text(binding, "/metadata/name").to_owned() } else { format!("{}/{namespace}", text(binding, "/metadata/name")) };
    let who = match text(subject, "/kind") {
        "ServiceAccount" => format!("ServiceAccount \"{}/{}\"", text(subject, "/name"), text(subject, "/namespace")),
        kind => format!("{kind} \"{}\"", text(subject, "/name")),
    };
    let sort = if namespace.is_empty() { "ClusterRoleBinding" } else { "RoleBinding" };
    let reason = format!("RBAC: allowed by {sort} \"{whole}\" of {kind} \"{name}\" to {who}");
    Some(Ok(Grant { rules: role["rules"].as_array().cloned().unwrap_or_default(), reason }))
}

fn is(user: &User, subject: &Value, namespace: &str) -> bool {
    let name = text(subject, "/name");
    match text(subject, "/kind") {
        "User" => user.name == name,
        "Group" => user.groups.iter().any(|group| group == name),
        "ServiceAccount" => {
            let namespace = Some(text(subject, "/namespace")).filter(|own| !own.is_empty()).unwrap_or(namespace);
            user.name == format!("system:serviceaccount:{namespace}:{name}")
        }
        _ => false,
    }
}

/// Whether a rule gives what is wished.
pub fn covers(rule: &Value, wish: &Wish) -> bool {
    let has = |field: &str, wanted: &str| {
        let all = rule[field].as_array();
        all.is_some_and(|all| all.iter().any(|one| one == "*" || one == wanted))
    };
    if !has("verbs", &wish.verb) {
        return false;
    }
    if !wish.path.is_empty() {
        let matches = |pattern: &str| pattern.strip_suffix('*').map_or(pattern == wish.path, |start| wish.path.starts_with(start));
        return rule["nonResourceURLs"].as_array().is_some_and(|all| all.iter().filter_map(Value::as_str).any(matches));
    }
    let resource = if wish.subresource.is_empty() { wish.resource.clone() } else { format!("{}/{}", wish.resource, wish.subresource) };
    let everywhere = !wish.subresource.is_empty() && has_exactly(rule, "resources", &format!("*/{}", wish.subresource));
    let named = rule["resourceNames"].as_array().is_none_or(|names| names.is_empty() || names.iter().any(|name| name == wish.name.as_str()));
    has("apiGroups", &wish.group) && (has("resources", &resource) || everywhere) && named
}

fn has_exactly(rule: &Value, field: &str, wanted: &str) -> bool {
    rule[field].as_array().is_some_and(|all| all.iter().any(|one| one == wanted))
}
