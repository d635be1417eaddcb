//! What a request asks for, read from its method, path and query.

use std::collections::BTreeMap;

use http::Method;

use crate::sandbox::access::Wish;
use crate::sandbox::catalog::{self, Res};

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Objects of a kind: one when there is a name, else many.
    Objects { resource: Res, namespace: String, name: String, subresource: String },
    /// `POST` questions: the plural, and the namespace if there is one.
    Review { plural: String, namespace: String },
    /// KubeVirt's requests about a machine (`virtualmachines`) or a guest (`virtualmachineinstances`).
    Power { plural: String, namespace: String, name: String, action: String },
    /// Discovery, versions, health: the path itself.
    Path(String),
}

impl Target {
    /// The group of the kinds that it is about; empty for the core group and where it is about none.
    pub fn group(&self) -> &'static str {
        match self {
            Self::Objects { resource, .. } => resource.group,
            Self::Power { .. } => catalog::VM_REQUEST.group,
            Self::Review { .. } | Self::Path(_) => "",
        }
    }
}

/// Query parameters by name.
pub type Query = BTreeMap<String, String>;

/// The groups of questions that are asked by `POST`.
const REVIEWS: [&str; 2] = ["authorization.k8s.io", "authentication.k8s.io"];

/// Reads a path. `None` when nothing is served there.
pub fn target(path: &str) -> Option<Target> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
        ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
        _ => return Some(Target::Path(format!("/{}", path.trim_matches('/')))),
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() && !is_part_of_namespace(rest) => (*namespace, rest),
        rest => ("", rest),
    };
    if REVIEWS.contains(&group) {
        return Some(Target::Review { plural: rest.first()?.to_string(), namespace: namespace.to_owned() });
    }
    let (plural, name, subresource) = match rest {
        [plural] => (*plural, "", ""),
        [plural, name] => (*plural, *name, ""),
        [plural, name, subresource] => (*plural, *name, *subresource),
        _ => return None,
    };
    if group == "subresources.kubevirt.io" {
        let [plural, namespace, name, action] = [plural, namespace, name, subresource].map(str::to_owned);
        return Some(Target::Power { plural, namespace, name, action });
    }
    let resource = catalog::served(group, version, plural)?;
    let [namespace, name, subresource] = [namespace, name, subresource].map(decoded);
    Some(Target::Objects { resource, namespace, name, subresource })
}

/// `namespaces/shop/status` is about the namespace itself.
fn is_part_of_namespace(rest: &[&str]) -> bool {
    matches!(rest, ["status" | "finalize"])
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Reads a query string.
pub fn query(text: &str) -> Query {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(&value.replace('+', " ")))
    };
    text.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

/// Whether a parameter is there and says yes.
pub fn is_set(query: &Query, name: &str) -> bool {
    query.get(name).is_some_and(|value| value == "true" || value == "1")
}

/// The right that a request needs.
pub fn wish(method: &Method, target: &Target, query: &Query) -> Wish {
    match target {
        Target::Objects { resource, namespace, name, subresource } => Wish {
            verb: verb(method, name, query).to_owned(),
            group: resource.group.to_owned(),
            resource: resource.plural.to_owned(),
            subresource: subresource.clone(),
            // A namespace lies in itself.
            namespace: if resource == &&catalog::NAMESPACE { name.clone() } else { namespace.clone() },
            name: if name.is_empty() { selected(query) } else { name.clone() },
            path: String::new(),
        },
        Target::Power { plural, namespace, name, action } => Wish {
            verb: verb(method, name, query).to_owned(),
            group: "subresources.kubevirt.io".to_owned(),
            resource: plural.clone(),
            subresource: action.clone(),
            namespace: namespace.clone(),
            name: name.clone(),
            path: String::new(),
        },
        Target::Review { .. } => Wish::default(),
        Target::Path(path) => Wish { verb: method.as_str().to_lowercase(), path: path.clone(), ..Wish::default() },
    }
}

/// A list of one object is a right to that one (kubernetes/apiserver 0.36 `pkg/endpoints/request/requestinfo.go`).
fn selected(query: &Query) -> String {
    let fields = query.get("fieldSelector").map(String::as_str).unwrap_or_default();
    let one = fields.split(',').find_map(|field| field.strip_prefix("metadata.name="));
    one.map(|name| name.trim_start_matches('=').to_owned()).unwrap_or_default()
}

fn verb(method: &Method, name: &str, query: &Query) -> &'static str {
    match (method.as_str(), name.is_empty()) {
        ("GET" | "HEAD", _) if is_set(query, "watch") => "watch",
        ("GET" | "HEAD", true) => "list",
        ("GET" | "HEAD", false) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "deletecollection",
        _ => "delete",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn paths_name_objects_parts_of_them_and_questions() {
        let objects = |path: &str| match target(path) {
            Some(Target::Objects { resource, namespace, name, subresource }) => format!("{} {namespace} {name} {subresource}", resource.full_name()),
            other => format!("{other:?}"),
        };
        assert_eq!(objects("/api/v1/namespaces/shop/persistentvolumeclaims/root"), "persistentvolumeclaims shop root ");
        assert_eq!(objects("/api/v1/namespaces/shop"), "namespaces  shop ");
        assert_eq!(objects("/api/v1/namespaces/shop/finalize"), "namespaces  shop finalize");
        assert_eq!(objects("/apis/kubevirt.io/v1/virtualmachines"), "virtualmachines.kubevirt.io   ");
        assert_eq!(objects("/apis/kubevirt.io/v1/namespaces/shop/virtualmachines/db/status"), "virtualmachines.kubevirt.io shop db status");
        assert_eq!(target("/apis/kubevirt.io/v9/virtualmachines"), None);
        assert_eq!(target("/apis/kubevirt.io/v1"), Some(Target::Path("/apis/kubevirt.io/v1".to_owned())));
        let Some(Target::Power { action, .. }) = target("/apis/subresources.kubevirt.io/v1/namespaces/shop/virtualmachines/db/start") else {
            panic!("no power")
        };
        assert_eq!(action, "start");
        assert_eq!(query("labelSelector=a%3Db%2Cc&watch=1")["labelSelector"], "a=b,c");
    }
}
