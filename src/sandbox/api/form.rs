//! In which form objects are sent: whole, their metadata only, or as the table that kubectl prints.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::path::Query;
use super::sent::{Page, Part, Sent, Shown};
use super::table;
use crate::sandbox::catalog::Res;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    Whole,
    Metadata,
    Table(Held),
}

/// How much of its object a row of a table holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Held {
    Whole,
    #[default]
    Metadata,
    Nothing,
}

impl Held {
    /// As a request asks for it.
    pub fn wished(query: &Query) -> Self {
        match query.get("includeObject").map(String::as_str) {
            Some("Object") => Self::Whole,
            Some("None") => Self::Nothing,
            _ => Self::Metadata,
        }
    }

    /// What of an object it is.
    pub fn of(self, object: &Value) -> Value {
        match self {
            Self::Whole => object.clone(),
            Self::Metadata => metadata(object),
            Self::Nothing => Value::Null,
        }
    }
}

impl Form {
    /// The first of the accepted forms that there is; `None` when there is none, such as protobuf of custom resources.
    pub fn accepted(accept: &str, query: &Query) -> Option<Self> {
        if accept.is_empty() {
            return Some(Self::Whole);
        }
        accept.split(',').find_map(|one| {
            let mut parts = one.split(';').map(str::trim);
            let media = parts.next()?;
            if !matches!(media, "application/json" | "*/*" | "application/*") {
                return None;
            }
            match parts.find_map(|part| part.strip_prefix("as=")) {
                None => Some(Self::Whole),
                Some("Table") => Some(Self::Table(Held::wished(query))),
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Some(Self::Metadata),
                Some(_) => None,
            }
        })
    }

    /// One object in this form.
    pub fn one(self, resource: Res, object: &Arc<Value>, now: Timestamp) -> Sent {
        let shown = |part| Sent::Object(Shown { object: object.clone(), part });
        match self {
            Self::Whole => shown(Part::Whole),
            Self::Metadata => shown(Part::Metadata),
            Self::Table(held) => {
                table::table(resource, &[object], json!({"resourceVersion": object["metadata"]["resourceVersion"]}), held, now).into()
            }
        }
    }

    /// A list in this form.
    pub fn many(self, resource: Res, objects: &[&Arc<Value>], list: Value, now: Timestamp) -> Sent {
        let (kind, api_version, part) = match self {
            // Lists of built-in kinds leave out what the list itself says.
            Self::Whole if !resource.custom => (format!("{}List", resource.kind), resource.api_version(), Part::Content),
            Self::Whole => (format!("{}List", resource.kind), resource.api_version(), Part::Whole),
            Self::Metadata => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned(), Part::Metadata),
            Self::Table(held) => return table::table(resource, objects, list, held, now).into(),
        };
        let items = objects.iter().map(|object| Shown { object: Arc::clone(object), part }).collect();
        Sent::Page(Page { api_version, kind, metadata: list, items })
    }
}

fn metadata(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}
