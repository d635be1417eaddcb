//! A JSON value as one run of bytes, read in place. Ten thousand machines are some seventy thousand objects; as trees they would take ten times
//! as much memory as they have text.
//!
//! A value is a tag and what belongs to it. Lists and objects say how long they are, so that they can be stepped over; an object's fields are
//! in the order of their names, each once, so that the same value is always the same bytes.

use serde_json::{Number, Value};

use super::packing::{container, sized};

/// A whole value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Packed(pub(super) Box<[u8]>);

/// A value within a whole one: the bytes that begin with its tag.
#[derive(Clone, Copy)]
pub(super) struct Slice<'a>(&'a [u8]);

pub(super) const NULL: u8 = 0;
pub(super) const FALSE: u8 = 1;
pub(super) const TRUE: u8 = 2;
pub(super) const SIGNED: u8 = 3;
pub(super) const UNSIGNED: u8 = 4;
pub(super) const FLOAT: u8 = 5;
pub(super) const TEXT: u8 = 6;
pub(super) const LIST: u8 = 7;
pub(super) const OBJECT: u8 = 8;
/// Bytes of a length.
pub(super) const LENGTH: usize = 4;
/// Bytes of a number.
const NUMBER: usize = 8;

impl Packed {
    pub(super) fn root(&self) -> Slice<'_> {
        Slice(&self.0)
    }

    /// The same object with these texts as fields of its own, whatever they were.
    pub(super) fn with(&self, texts: &[(&str, &str)]) -> Self {
        let own: Vec<(&str, Vec<u8>)> = texts.iter().map(|(name, text)| (*name, packed_text(text))).collect();
        let others = self.root().fields().filter(|(name, _)| texts.iter().all(|(own, _)| own != name));
        let mut fields: Vec<(&str, &[u8])> = others.map(|(name, value)| (name, value.bytes())).collect();
        fields.extend(own.iter().map(|(name, value)| (*name, value.as_slice())));
        fields.sort_unstable_by_key(|(name, _)| *name);
        let mut out = Vec::with_capacity(self.0.len() + 64);
        container(&mut out, OBJECT, |out| {
            for (name, value) in fields {
                sized(out, name);
                out.extend_from_slice(value);
            }
        });
        Self(out.into())
    }
}

fn packed_text(text: &str) -> Vec<u8> {
    let mut out = vec![TEXT];
    sized(&mut out, text);
    out
}

impl<'a> Slice<'a> {
    fn tag(self) -> u8 {
        self.0.first().copied().unwrap_or(NULL)
    }

    /// What comes after the tag, and as many bytes of it as this value has.
    fn rest(self) -> &'a [u8] {
        self.0.get(1..).unwrap_or_default()
    }

    /// The value's own bytes.
    fn bytes(self) -> &'a [u8] {
        let long = match self.tag() {
            SIGNED | UNSIGNED | FLOAT => NUMBER,
            TEXT | LIST | OBJECT => LENGTH + self.rest().first_chunk().map_or(0, |long| u32::from_le_bytes(*long) as usize),
            _ => 0,
        };
        self.0.get(..=long).unwrap_or(self.0)
    }

    /// What is inside of a text, list or object.
    fn inside(self) -> &'a [u8] {
        self.bytes().get(1 + LENGTH..).unwrap_or_default()
    }

    fn number(self) -> [u8; NUMBER] {
        self.rest().first_chunk().copied().unwrap_or_default()
    }

    pub(super) fn is_null(self) -> bool {
        self.tag() == NULL
    }

    pub(super) fn is_list(self) -> bool {
        self.tag() == LIST
    }

    pub(super) fn is_object(self) -> bool {
        self.tag() == OBJECT
    }

    pub(super) fn as_bool(self) -> Option<bool> {
        match self.tag() {
            FALSE => Some(false),
            TRUE => Some(true),
            _ => None,
        }
    }

    pub(super) fn as_number(self) -> Option<Number> {
        match self.tag() {
            SIGNED => Some(i64::from_le_bytes(self.number()).into()),
            UNSIGNED => Some(u64::from_le_bytes(self.number()).into()),
            FLOAT => Number::from_f64(f64::from_le_bytes(self.number())),
            _ => None,
        }
    }

    pub(super) fn as_str(self) -> Option<&'a str> {
        if self.tag() == TEXT { str::from_utf8(self.inside()).ok() } else { None }
    }

    /// The items of a list; nothing of anything else.
    pub(super) fn items(self) -> Items<'a> {
        Items(if self.is_list() { self.inside() } else { &[] })
    }

    /// The fields of an object by name; nothing of anything else.
    pub(super) fn fields(self) -> Fields<'a> {
        Fields(if self.is_object() { self.inside() } else { &[] })
    }

    pub(super) fn get(self, name: &str) -> Option<Slice<'a>> {
        let mut rest = Fields(if self.is_object() { self.inside() } else { &[] });
        while let Some((field, value)) = rest.next_raw() {
            if field == name.as_bytes() {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn to_value(self) -> Value {
        match self.tag() {
            TEXT => self.as_str().unwrap_or_default().into(),
            LIST => self.items().map(Self::to_value).collect(),
            OBJECT => Value::Object(self.fields().map(|(name, value)| (name.to_owned(), value.to_value())).collect()),
            _ => self.as_bool().map(Value::Bool).or_else(|| self.as_number().map(Value::Number)).unwrap_or_default(),
        }
    }
}

/// The items of a list, one after the other.
#[derive(Clone)]
pub(super) struct Items<'a>(&'a [u8]);

impl<'a> Iterator for Items<'a> {
    type Item = Slice<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let own = Slice(self.0).bytes();
        self.0 = self.0.get(own.len()..).unwrap_or_default();
        Some(Slice(own))
    }
}

/// The fields of an object, one after the other.
#[derive(Clone)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next_raw(&mut self) -> Option<(&'a [u8], Slice<'a>)> {
        let (long, rest) = self.0.split_first_chunk()?;
        let (name, rest) = rest.split_at_checked(u32::from_le_bytes(*long) as usize)?;
        let own = Slice(rest).bytes();
        self.0 = rest.get(own.len()..).unwrap_or_default();
        Some((name, Slice(own)))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a str, Slice<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.next_raw().map(|(name, value)| (str::from_utf8(name).unwrap_or_default(), value))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn packed(text: &str) -> Packed {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_is_packed_is_what_was_written() {
        let all = json!({"z": [1, -1, u64::MAX, i64::MIN, 1.5, 1e300, null, true, false, "", "é\u{0}\"\\", [], {}, [[], [{}]]], "a": {"b": {"": "x"}}, "m": null});
        let packed = packed(&all.to_string());
        assert_eq!(packed.root().to_value(), all);
        assert_eq!(serde_json::from_value::<Packed>(all).unwrap(), packed);
    }

    #[test]
    fn the_same_value_is_the_same_bytes() {
        assert_eq!(packed(r#"{"b": 1, "a": {"d": 2, "c": 3}}"#), packed(r#"{"a": {"c": 3, "d": 2}, "b": 1}"#));
        assert_eq!(packed(r#"{"a": 1, "b": 2, "a": 3}"#), packed(r#"{"a": 3, "b": 2}"#));
        assert_ne!(packed("1"), packed("1.0"));
    }

    #[test]
    fn fields_are_found_and_put() {
        let object = packed(r#"{"spec": {"deep": [1, {"x": "y"}]}, "kind": "Old"}"#);
        let deep = object.root().get("spec").unwrap().get("deep").unwrap();
        assert_eq!(deep.items().last().unwrap().get("x").unwrap().as_str(), Some("y"));
        assert!(object.root().get("status").is_none() && deep.get("x").is_none());
        let named = object.with(&[("kind", "VirtualMachine"), ("apiVersion", "kubevirt.io/v1")]);
        assert_eq!(named.root().to_value(), json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "spec": {"deep": [1, {"x": "y"}]}}));
    }
}
