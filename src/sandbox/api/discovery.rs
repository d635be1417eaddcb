//! What there is: versions, groups, resources; in the old form and in the aggregated one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::openapi;
use crate::sandbox::behaviour::power;
use crate::sandbox::catalog::{self, Res, VM_REQUEST};
use crate::sandbox::status::Status;
use crate::sandbox::world::World;

/// The version of Kubernetes whose behaviour is played.
const VERSION: (&str, &str, &str) = ("1", "36", "v1.36.3+vmmove.sandbox");

/// A kind of question: plural, kind, whether it is asked in a namespace.
type Question = (&'static str, &'static str, bool);

/// Groups that hold only questions, with their versions.
const QUESTIONS: &[(&str, &str, &[Question])] = &[
    (
        "authorization.k8s.io",
        "v1",
        &[
            ("localsubjectaccessreviews", "LocalSubjectAccessReview", true),
            ("selfsubjectaccessreviews", "SelfSubjectAccessReview", false),
            ("selfsubjectrulesreviews", "SelfSubjectRulesReview", false),
            ("subjectaccessreviews", "SubjectAccessReview", false),
        ],
    ),
    ("authentication.k8s.io", "v1", &[("selfsubjectreviews", "SelfSubjectReview", false)]),
];

/// The answer at a path that is not about objects.
///
/// # Errors
/// 404.
pub fn answer(world: &World, path: &str, accept: &str) -> Result<Value, Status> {
    let aggregated = accept.contains("as=APIGroupDiscoveryList");
    match path.trim_matches('/').split('/').collect::<Vec<_>>().as_slice() {
        ["version"] => Ok(version()),
        ["api"] if aggregated => Ok(all_groups(world, true)),
        ["apis"] if aggregated => Ok(all_groups(world, false)),
        ["api"] => Ok(json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})),
        ["apis"] => {
            let groups: Vec<Value> =
                groups(world).into_iter().filter(|(group, _)| !group.is_empty()).map(|(group, versions)| self::group(group, &versions)).collect();
            Ok(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
        }
        ["api", "v1"] => Ok(resources("", "v1")),
        ["apis", group] => match groups(world).get(group) {
            Some(versions) => {
                let mut found = self::group(group, versions);
                (found["kind"], found["apiVersion"]) = ("APIGroup".into(), "v1".into());
                Ok(found)
            }
            None => Err(Status::no_such_path()),
        },
        ["apis", group, version] if groups(world).get(group).is_some_and(|versions| versions.contains(version)) => Ok(resources(group, version)),
        ["healthz" | "livez" | "readyz", ..] => Ok("ok".into()),
        ["openapi", "v3"] => Ok(openapi::index(world)),
        ["openapi", "v3", "api", version] => openapi::document(world, "", version).ok_or_else(Status::no_such_path),
        ["openapi", "v3", "apis", group, version] => openapi::document(world, group, version).ok_or_else(Status::no_such_path),
        ["openapi", ..] => Err(Status::new(404, "NotFound", "the sandbox has no OpenAPI schemas; a real cluster has them")),
        _ => Err(Status::no_such_path()),
    }
}

fn version() -> Value {
    let (major, minor, git) = VERSION;
    json!({
        "major": major, "minor": minor, "gitVersion": git, "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "", "compiler": "rustc", "platform": "sandbox",
    })
}

/// Every group with each of its versions.
pub fn versions(world: &World) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
    groups(world).into_iter().flat_map(|(group, versions)| versions.into_iter().map(move |version| (group, version)))
}

/// All groups with their versions, the preferred one first.
fn groups(world: &World) -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut groups = BTreeMap::<&str, Vec<&str>>::new();
    let served = catalog::ALL.iter().map(|kind| (kind.group, kind.versions)).chain([("subresources.kubevirt.io", &["v1"][..])]);
    let questions = QUESTIONS.iter().map(|(group, version, _)| (*group, std::slice::from_ref(version)));
    for (group, versions) in served.chain(questions).filter(|(group, _)| world.serves(group)) {
        let known = groups.entry(group).or_default();
        known.extend(versions.iter().filter(|version| !known.contains(version)).collect::<Vec<_>>());
    }
    groups
}

fn group(name: &str, versions: &[&str]) -> Value {
    let entry = |version: &&str| json!({"groupVersion": format!("{name}/{version}"), "version": version});
    let all: Vec<Value> = versions.iter().map(entry).collect();
    json!({"name": name, "versions": all, "preferredVersion": all[0]})
}

const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
/// The same in the order in which custom kinds have them.
const CUSTOM_VERBS: [&str; 8] = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
const VERBS_OF_STATUS: [&str; 3] = ["get", "patch", "update"];

/// The kinds of a group's version.
fn kinds(group: &str, version: &str) -> Vec<Res> {
    let mut kinds: Vec<Res> = catalog::ALL.iter().copied().filter(|kind| kind.group == group && kind.versions.contains(&version)).collect();
    kinds.sort_by_key(|kind| kind.plural);
    kinds
}

fn questions(group: &str) -> &'static [Question] {
    QUESTIONS.iter().find(|(name, ..)| *name == group).map_or(&[], |(.., all)| all)
}

fn verbs(kind: Res) -> [&'static str; 8] {
    if kind.custom { CUSTOM_VERBS } else { VERBS }
}

/// Writes down what else a kind is called, and with which others it is shown.
fn called(row: &mut Value, kind: Res) {
    if !kind.short.is_empty() {
        row["shortNames"] = kind.short.into();
    }
    if kind.common {
        row["categories"] = json!(["all"]);
    }
}

/// The legacy list of a group's version.
fn resources(group: &str, version: &str) -> Value {
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let mut all = Vec::new();
    for kind in kinds(group, version) {
        let mut row =
            json!({"name": kind.plural, "singularName": kind.singular(), "namespaced": kind.namespaced, "kind": kind.kind, "verbs": verbs(kind)});
        called(&mut row, kind);
        all.push(row);
        if kind.has_status {
            let name = format!("{}/status", kind.plural);
            all.push(json!({"name": name, "singularName": "", "namespaced": kind.namespaced, "kind": kind.kind, "verbs": VERBS_OF_STATUS}));
        }
    }
    for (plural, kind, namespaced) in questions(group) {
        all.push(json!({"name": plural, "singularName": kind.to_lowercase(), "namespaced": namespaced, "kind": kind, "verbs": ["create"]}));
    }
    if group == VM_REQUEST.group {
        for name in power::REQUESTS {
            all.push(json!({"name": name, "singularName": "", "namespaced": true, "kind": "", "verbs": ["get", "update"]}));
        }
    }
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": all})
}

/// The aggregated list: the core group, or all others.
fn all_groups(world: &World, core: bool) -> Value {
    let entry = |(group, versions): (&str, Vec<&str>)| {
        let versions: Vec<Value> = versions.iter().map(|version| aggregated(group, version)).collect();
        let metadata = if group.is_empty() { json!({"creationTimestamp": null}) } else { json!({"name": group, "creationTimestamp": null}) };
        json!({"metadata": metadata, "versions": versions})
    };
    let items: Vec<Value> = groups(world).into_iter().filter(|(group, _)| group.is_empty() == core).map(entry).collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn aggregated(group: &str, version: &str) -> Value {
    let scope = |namespaced: bool| if namespaced { "Namespaced" } else { "Cluster" };
    let kind_of = |kind: &str| json!({"group": group, "version": version, "kind": kind});
    let of_kind = |kind: &Res| {
        let mut row = json!({
            "resource": kind.plural, "responseKind": kind_of(kind.kind), "scope": scope(kind.namespaced), "singularResource": kind.singular(), "verbs": verbs(kind),
        });
        called(&mut row, kind);
        if kind.has_status {
            row["subresources"] = json!([{"subresource": "status", "responseKind": kind_of(kind.kind), "verbs": VERBS_OF_STATUS}]);
        }
        row
    };
    let question = |(plural, kind, namespaced): &(&str, &str, bool)| json!({"resource": plural, "responseKind": kind_of(kind), "scope": scope(*namespaced), "singularResource": kind.to_lowercase(), "verbs": ["create"]});
    let rows: Vec<Value> = kinds(group, version).iter().map(of_kind).chain(questions(group).iter().map(question)).collect();
    json!({"version": version, "resources": rows, "freshness": "Current"})
}
