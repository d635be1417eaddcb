//! Label and field selectors (kubernetes/apimachinery `pkg/labels/selector.go`, `pkg/fields/selector.go`).

use serde_json::Value;

use crate::sandbox::catalog::{self, Res};
use crate::sandbox::index::{EVENTS_ABOUT, Index};
use crate::sandbox::status::Status;
use crate::sandbox::store::text;

/// One condition.
#[derive(Clone, Debug, PartialEq)]
enum Condition {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
}

/// What objects have to fulfil to be shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selector {
    labels: Vec<Condition>,
    fields: Vec<Field>,
}

/// A field that has to have a value, or must not have it.
#[derive(Clone, Debug, PartialEq)]
struct Field {
    name: String,
    pointer: String,
    value: String,
    equal: bool,
}

impl Selector {
    /// Reads the two selectors of a request.
    ///
    /// # Errors
    /// 400 in the server's words.
    pub fn parse(resource: Res, labels: &str, fields: &str) -> Result<Self, Status> {
        let mut selector = Self::default();
        for part in split(labels) {
            selector.labels.push(condition(part).ok_or_else(|| Status::bad_request(format!("unable to parse requirement: {part}")))?);
        }
        for part in fields.split(',').filter(|part| !part.is_empty()) {
            let (name, value, equal) = match (part.split_once("!="), part.split_once("==").or_else(|| part.split_once('='))) {
                (Some((name, value)), _) => (name, value, false),
                (None, Some((name, value))) => (name, value, true),
                _ => return Err(Status::bad_request(format!("invalid field selector: {part}"))),
            };
            if !is_served(resource, name) {
                return Err(Status::bad_request(unknown(resource, name)));
            }
            let pointer = format!("/{}", name.replace('.', "/"));
            selector.fields.push(Field { name: name.to_owned(), pointer, value: value.to_owned(), equal });
        }
        Ok(selector)
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// The one name that is asked for, if only that.
    pub fn name(&self) -> Option<&str> {
        self.value_of("metadata.name")
    }

    /// Where everything that is selected can be looked up.
    pub fn index(&self) -> Option<(&'static Index, &str)> {
        let about = self.value_of("involvedObject.uid").or_else(|| self.value_of("involvedObject.name"));
        about.map(|word| (&EVENTS_ABOUT, word))
    }

    fn value_of(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.name == name && field.equal).map(|field| field.value.as_str())
    }

    pub fn matches(&self, object: &Value) -> bool {
        let label = |name: &str| object["metadata"]["labels"].get(name).and_then(Value::as_str);
        let labels = self.labels.iter().all(|condition| match condition {
            Condition::In(name, values) => label(name).is_some_and(|value| values.iter().any(|one| one == value)),
            Condition::NotIn(name, values) => label(name).is_none_or(|value| values.iter().all(|one| one != value)),
            Condition::Exists(name) => label(name).is_some(),
            Condition::Missing(name) => label(name).is_none(),
        });
        labels && self.fields.iter().all(|field| (text(object, &field.pointer) == field.value) == field.equal)
    }
}

/// The fields that objects of a kind can be selected by, besides name and namespace.
const FIELDS: &[(Res, &[&str])] = &[
    (&catalog::POD, &["spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "status.phase", "status.podIP"]),
    (
        &catalog::EVENT,
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
    ),
    (&catalog::SECRET, &["type"]),
    (&catalog::NAMESPACE, &["status.phase"]),
    (&catalog::NODE, &["spec.unschedulable"]),
    (&catalog::SERVICE, &["spec.clusterIP", "spec.type"]),
];

fn is_served(resource: Res, field: &str) -> bool {
    let of_all = field == "metadata.name" || (field == "metadata.namespace" && resource.namespaced);
    of_all || FIELDS.iter().any(|(kind, fields)| *kind == resource && fields.contains(&field))
}

/// Built-in kinds that can be selected by name and namespace only have words of their own for it.
fn unknown(resource: Res, field: &str) -> String {
    if resource.custom || FIELDS.iter().any(|(kind, _)| *kind == resource) {
        return format!("field label not supported: {field}");
    }
    format!("\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
}

/// The conditions between the commas that are not in brackets.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (index, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn condition(text: &str) -> Option<Condition> {
    let name = |text: &str| Some(text.trim().to_owned()).filter(|name| !name.is_empty() && !name.contains([' ', '(', ')']));
    let values = |text: &str| {
        let inner = text.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(inner.split(',').map(|value| value.trim().to_owned()).collect::<Vec<_>>())
    };
    if let Some(rest) = text.strip_prefix('!') {
        return name(rest).map(Condition::Missing);
    }
    if let Some((key, rest)) = text.split_once(" notin ") {
        return Some(Condition::NotIn(name(key)?, values(rest)?));
    }
    if let Some((key, rest)) = text.split_once(" in ") {
        return Some(Condition::In(name(key)?, values(rest)?));
    }
    if let Some((key, value)) = text.split_once("!=") {
        return Some(Condition::NotIn(name(key)?, vec![value.trim().to_owned()]));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Some(Condition::In(name(key)?, vec![value.trim().to_owned()]));
    }
    name(text).map(Condition::Exists)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn matches(labels: &str, fields: &str) -> bool {
        let pod = json!({"metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web", "tier": "front"}}, "spec": {"nodeName": "n1"}});
        Selector::parse(&catalog::POD, labels, fields).unwrap().matches(&pod)
    }

    #[test]
    fn labels_and_fields_select() {
        for yes in ["", "app", "app=web", "app==web,tier!=back", "tier in (front, back)", "tier notin (back),!gone", "gone notin (a)"] {
            assert!(matches(yes, ""), "{yes}");
        }
        for no in ["gone", "app=db", "app!=web", "tier in (back)", "!app"] {
            assert!(!matches(no, ""), "{no}");
        }
        assert!(matches("", "metadata.name=web,spec.nodeName=n1,status.phase!=Running") && !matches("", "spec.nodeName!=n1"));
        assert_eq!(Selector::parse(&catalog::VM, "", "spec.running=true").unwrap_err().message(), "field label not supported: spec.running");
        assert_eq!(Selector::parse(&catalog::VM, "a in b", "").unwrap_err().code(), 400);
    }
}
