//! Nobody gives rights that he has not himself.
//! Source: kubernetes 1.36 `pkg/registry/rbac/validation/{rule,policy_compact}.go`, `pkg/registry/rbac/{role,rolebinding}/policybased/storage.go`.
//!
//! Cases: `access/nobody-gives-rights-that-he-lacks`.

use serde_json::Value;

use super::objects::list;
use super::{Rule, Subject, Verb};
use crate::sandbox::access::{self, Wish, covers};
use crate::sandbox::catalog::{CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING, Res};
use crate::sandbox::status::Status;
use crate::sandbox::store::text;
use crate::sandbox::world::World;
use crate::sandbox::write::Attempt;

const WRITES: &[Verb] = &[Verb::Create, Verb::Update];

pub const SUBJECT: Subject = Subject {
    rules: &[
        Rule { resource: &ROLE, subresource: "", verbs: WRITES, run: role },
        Rule { resource: &CLUSTER_ROLE, subresource: "", verbs: WRITES, run: role },
        Rule { resource: &ROLE_BINDING, subresource: "", verbs: WRITES, run: binding },
        Rule { resource: &CLUSTER_ROLE_BINDING, subresource: "", verbs: WRITES, run: binding },
    ],
    controllers: &[],
};

fn role(world: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let unchanged = attempt.old.as_deref().is_some_and(|old| old.get("rules") == attempt.object.get("rules"));
    if unchanged || may(world, attempt, "escalate", attempt.resource, attempt.name()) {
        return Ok(());
    }
    holds(world, attempt, list(&attempt.object, "/rules"))
}

fn binding(world: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let said = |object: &Value| (object.get("subjects").cloned(), object.get("roleRef").cloned());
    let unchanged = attempt.old.as_deref().is_some_and(|old| said(old) == said(&attempt.object));
    let (resource, name) =
        (if text(&attempt.object, "/roleRef/kind") == ROLE.kind { &ROLE } else { &CLUSTER_ROLE }, text(&attempt.object, "/roleRef/name"));
    if unchanged || may(world, attempt, "bind", resource, name) {
        return Ok(());
    }
    let namespace = if resource.namespaced { text(&attempt.object, "/metadata/namespace") } else { "" };
    let role = world.get(resource, namespace, name).ok_or_else(|| Status::not_found(resource, name))?;
    holds(world, attempt, list(&role, "/rules"))
}

fn may(world: &World, attempt: &Attempt, verb: &str, resource: Res, name: &str) -> bool {
    let wish = Wish {
        verb: verb.to_owned(),
        group: resource.group.to_owned(),
        resource: resource.plural.to_owned(),
        namespace: text(&attempt.object, "/metadata/namespace").to_owned(),
        name: name.to_owned(),
        ..Wish::default()
    };
    access::judge(world, &attempt.user, &wish).allowed
}

/// Whether the writer holds all of these rules where the object is.
fn holds(world: &World, attempt: &Attempt, rules: &[Value]) -> Result<(), Status> {
    let own = access::rules(world, &attempt.user, text(&attempt.object, "/metadata/namespace"));
    let mut missing: Vec<(Wish, Vec<String>)> = Vec::new();
    for wish in rules.iter().flat_map(single).filter(|wish| !own.iter().any(|rule| covers(rule, wish))) {
        let same = |known: &&mut (Wish, Vec<String>)| Wish { verb: String::new(), ..wish.clone() } == known.0;
        match missing.iter_mut().find(same) {
            Some((_, verbs)) => verbs.push(wish.verb),
            None => missing.push((Wish { verb: String::new(), ..wish.clone() }, vec![wish.verb])),
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = missing.iter().map(|(wish, verbs)| words(wish, verbs)).collect();
    let groups: Vec<String> = attempt.user.groups.iter().map(|group| format!("{group:?}")).collect();
    let why = format!(
        "user {:?} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{}",
        attempt.user.name,
        groups.join(" "),
        told.join("\n")
    );
    Err(Status::forbidden(attempt.resource, attempt.name(), &why))
}

/// A rule as the single things it allows.
fn single(rule: &Value) -> Vec<Wish> {
    let all = |field: &str| list(rule, field).iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>();
    let names = if list(rule, "/resourceNames").is_empty() { vec![String::new()] } else { all("/resourceNames") };
    let mut wishes = Vec::new();
    for verb in all("/verbs") {
        for path in all("/nonResourceURLs") {
            wishes.push(Wish { verb: verb.clone(), path, ..Wish::default() });
        }
        for group in all("/apiGroups") {
            for resource in all("/resources") {
                let (resource, subresource) = resource.split_once('/').unwrap_or((&resource, ""));
                for name in &names {
                    wishes.push(Wish {
                        verb: verb.clone(),
                        group: group.clone(),
                        resource: resource.to_owned(),
                        subresource: subresource.to_owned(),
                        name: name.clone(),
                        ..Wish::default()
                    });
                }
            }
        }
    }
    wishes
}

/// What is missing, as a rule is written down.
fn words(wish: &Wish, verbs: &[String]) -> String {
    if !wish.path.is_empty() {
        return format!("{{NonResourceURLs:[{:?}], Verbs:{verbs:?}}}", wish.path);
    }
    let resource = if wish.subresource.is_empty() { wish.resource.clone() } else { format!("{}/{}", wish.resource, wish.subresource) };
    let named = if wish.name.is_empty() { String::new() } else { format!(", ResourceNames:[{:?}]", wish.name) };
    format!("{{APIGroups:[{:?}], Resources:[{resource:?}]{named}, Verbs:{verbs:?}}}", wish.group)
}
