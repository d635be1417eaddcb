//! What stands in an object at a JSON pointer (RFC 6901). The library makes new texts of each part of it; this is asked so often that it shows.

use serde_json::Value;

/// Looks into values.
pub trait At {
    /// What stands at a pointer; `None` where nothing does.
    fn at(&self, pointer: &str) -> Option<&Value>;
}

impl At for Value {
    fn at(&self, pointer: &str) -> Option<&Value> {
        if pointer.contains('~') {
            return self.pointer(pointer);
        }
        pointer.split('/').skip(1).try_fold(self, |value, part| match value {
            Self::Object(fields) => fields.get(part),
            Self::Array(items) => items.get(part.parse::<usize>().ok()?),
            _ => None,
        })
    }
}

/// A text in an object; empty where there is none.
pub fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.at(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_items_and_escaped_names_are_found() {
        let object = json!({"a": {"b/c": ["x", {"d": "y"}]}});
        for pointer in ["", "/a", "/a/b~1c/0", "/a/b~1c/1/d", "/b", "/a/b/c", "/a/b~1c/2"] {
            assert_eq!(object.at(pointer), object.pointer(pointer), "{pointer}");
        }
        assert_eq!((text(&json!({"a": ["x"]}), "/a/0"), text(&object, "/a")), ("x", ""));
    }
}
