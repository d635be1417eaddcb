//! What is sent: objects as they stand in the store, without copying them first.

use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

/// The body of an answer.
pub enum Sent {
    Value(Value),
    Object(Shown),
    Page(Page),
}

/// A list.
pub struct Page {
    pub api_version: String,
    pub kind: String,
    pub metadata: Value,
    pub items: Vec<Shown>,
}

/// An object, and what of it is shown.
pub struct Shown {
    pub object: Arc<Value>,
    pub part: Part,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    Whole,
    /// All but version and kind, which the list around it says.
    Content,
    Metadata,
}

impl From<Value> for Sent {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

impl Serialize for Sent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::Object(object) => object.serialize(serializer),
            Self::Page(page) => {
                let mut map = serializer.serialize_map(Some(4))?;
                map.serialize_entry("kind", &page.kind)?;
                map.serialize_entry("apiVersion", &page.api_version)?;
                map.serialize_entry("metadata", &page.metadata)?;
                map.serialize_entry("items", &page.items)?;
                map.end()
            }
        }
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.part, self.object.as_object()) {
            (Part::Content, Some(fields)) => {
                serializer.collect_map(fields.iter().filter(|(field, _)| !matches!(field.as_str(), "apiVersion" | "kind")))
            }
            (Part::Metadata, _) => {
                let mut map = serializer.serialize_map(Some(3))?;
                map.serialize_entry("kind", "PartialObjectMetadata")?;
                map.serialize_entry("apiVersion", "meta.k8s.io/v1")?;
                map.serialize_entry("metadata", &self.object["metadata"])?;
                map.end()
            }
            _ => self.object.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_shown_whole_or_in_part() {
        let object = Arc::new(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}}));
        let shown = |part| serde_json::to_value(Sent::Object(Shown { object: object.clone(), part })).unwrap();
        assert_eq!(shown(Part::Whole), *object);
        assert_eq!(shown(Part::Content), json!({"metadata": {"name": "a"}, "data": {"x": "1"}}));
        let metadata = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "a"}});
        assert_eq!(shown(Part::Metadata), metadata);
    }
}
