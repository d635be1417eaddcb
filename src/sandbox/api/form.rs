//! In which form objects are sent: whole, their metadata only, or as the table that kubectl prints.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::path::Query;
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
    pub fn one(self, resource: Res, object: &Value, now: Timestamp) -> Value {
        match self {
            Self::Whole => object.clone(),
            Self::Metadata => metadata(object),
            Self::Table(held) => table::table(resource, &[object], json!({"resourceVersion": object["metadata"]["resourceVersion"]}), held, now),
        }
    }

    /// A list in this form.
    pub fn many(self, resource: Res, objects: &[&Value], list: Value, now: Timestamp) -> Value {
        let plain = |objects: &[&Value]| -> Vec<Value> {
            let bare = |object: &&Value| {
                let mut object = Value::clone(object);
                // Lists of built-in kinds leave out what the list itself says.
                if !resource.custom {
                    object.as_object_mut().map(|fields| (fields.remove("apiVersion"), fields.remove("kind")));
                }
                object
            };
            objects.iter().map(bare).collect()
        };
        match self {
            Self::Whole => {
                let page = json!({"kind": format!("{}List", resource.kind), "apiVersion": resource.api_version(), "metadata": list});
                with_items(page, plain(objects))
            }
            Self::Metadata => {
                let page = json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": list});
                with_items(page, objects.iter().map(|object| metadata(object)).collect())
            }
            Self::Table(held) => table::table(resource, objects, list, held, now),
        }
    }
}

/// The macro would copy what it is given.
fn with_items(mut page: Value, items: Vec<Value>) -> Value {
    page["items"] = Value::Array(items);
    page
}

fn metadata(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}
