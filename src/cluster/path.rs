//! Where the API serves things: paths and queries.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::model::kind::Kind;
use crate::model::names::ObjectRef;

/// What may stand in a path or query as it is (RFC 3986, unreserved).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path of the objects of a kind, in a namespace or in all of them.
pub(super) fn collection(kind: Kind, api_version: &str, namespace: Option<&str>) -> String {
    let root = if api_version.contains('/') { "apis" } else { "api" };
    match namespace.filter(|_| kind.namespaced) {
        Some(namespace) => format!("/{root}/{api_version}/namespaces/{}/{}", encode(namespace), kind.plural),
        None => format!("/{root}/{api_version}/{}", kind.plural),
    }
}

/// The path of one object.
pub(super) fn path_of(object: &ObjectRef) -> String {
    format!("{}/{}", collection(object.kind, &object.kind.api_version(), object.namespace.as_deref()), encode(&object.name))
}

/// A path with those query parameters that are not empty.
pub(super) fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = query.iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| format!("{key}={}", encode(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

pub(super) fn encode(text: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(text, ENCODED)
}
