//! Fields of the documents: rows that `explain KIND.field` shows and that the JSON schema is made of.

use serde_json::{Value, json};

use super::{assessment, move_list, plan_fields};

/// One field of a document. The first row of a document is the document itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Field {
    /// `MovePlan.spec.machines.name`: through lists and maps as if they were objects, as `kubectl explain` does.
    pub path: &'static str,
    pub of: Type,
    /// Whether the document must have it.
    pub required: bool,
    pub text: &'static str,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Type {
    Text,
    Integer,
    Flag,
    /// Anything that JSON can say.
    Any,
    OneOf(&'static [&'static str]),
    Object,
    List,
    TextList,
    TextMap,
}

impl Type {
    /// As `kubectl explain` writes types: `<[]Object>`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text | Self::OneOf(_) => "<string>",
            Self::Integer => "<integer>",
            Self::Flag => "<boolean>",
            Self::Any => "<any>",
            Self::Object => "<Object>",
            Self::List => "<[]Object>",
            Self::TextList => "<[]string>",
            Self::TextMap => "<map[string]string>",
        }
    }
}

/// Shorthand for rows.
pub(super) const fn must(path: &'static str, of: Type, text: &'static str) -> Field {
    Field { path, of, required: true, text }
}

/// Shorthand for rows.
pub(super) const fn may(path: &'static str, of: Type, text: &'static str) -> Field {
    Field { path, of, required: false, text }
}

/// Every documented kind.
pub const DOCUMENTS: &[&[Field]] = &[move_list::FIELDS, plan_fields::FIELDS, assessment::FIELDS];

fn all() -> impl Iterator<Item = Field> {
    DOCUMENTS.iter().flat_map(|document| document.iter().copied())
}

/// The field at a path, in any case.
pub fn find(path: &str) -> Option<Field> {
    all().find(|field| field.path.eq_ignore_ascii_case(path))
}

/// The fields directly below one.
pub fn below(path: &str) -> Vec<Field> {
    all().filter(|field| field.path.rsplit_once('.').is_some_and(|(parent, _)| parent == path)).collect()
}

/// The JSON schema (draft 2020-12) of a document or of one of its fields, for editors. `None` for an unknown path.
pub fn schema(path: &str) -> Option<Value> {
    let mut schema = of(find(path)?);
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    Some(schema)
}

fn of(field: Field) -> Value {
    let mut schema = match field.of {
        Type::Text => json!({"type": "string"}),
        Type::Integer => json!({"type": "integer"}),
        Type::Flag => json!({"type": "boolean"}),
        Type::Any => json!({}),
        Type::OneOf(values) => json!({"type": "string", "enum": values}),
        Type::Object => object(field),
        Type::List => json!({"type": "array", "items": object(field)}),
        Type::TextList => json!({"type": "array", "items": {"type": "string"}}),
        Type::TextMap => json!({"type": "object", "additionalProperties": {"type": "string"}}),
    };
    schema["description"] = field.text.into();
    schema
}

fn object(field: Field) -> Value {
    let fields = below(field.path);
    let name = |field: &Field| field.path.rsplit('.').next().unwrap_or(field.path).to_owned();
    let properties: serde_json::Map<String, Value> = fields.iter().map(|field| (name(field), of(*field))).collect();
    let required: Vec<String> = fields.iter().filter(|field| field.required).map(name).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}
