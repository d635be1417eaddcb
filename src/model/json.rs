//! A look at a JSON value inside an object, whatever form the object is kept in.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, map};

use super::packed::{Fields, Items, Slice};

/// A value to be read. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Json<'a>(Form<'a>);

#[derive(Clone, Copy)]
enum Form<'a> {
    Tree(&'a Value),
    Packed(Slice<'a>),
}

impl<'a> From<&'a Value> for Json<'a> {
    fn from(value: &'a Value) -> Self {
        Self(Form::Tree(value))
    }
}

impl<'a> From<Slice<'a>> for Json<'a> {
    fn from(slice: Slice<'a>) -> Self {
        Self(Form::Packed(slice))
    }
}

impl<'a> Json<'a> {
    /// The value of a field, or of an item by its number; null is a value.
    pub fn get(self, key: &str) -> Option<Self> {
        match self.0 {
            Form::Tree(Value::Object(fields)) => fields.get(key).map(Self::from),
            Form::Tree(Value::Array(items)) => items.get(key.parse::<usize>().ok()?).map(Self::from),
            Form::Tree(_) => None,
            Form::Packed(slice) if slice.is_list() => slice.items().nth(key.parse().ok()?).map(Self::from),
            Form::Packed(slice) => slice.get(key).map(Self::from),
        }
    }

    /// The value at a JSON pointer (RFC 6901), if there is one and it is not null.
    pub fn at(self, pointer: &str) -> Option<Self> {
        let mut parts = pointer.split('/').skip(1);
        let found =
            if pointer.contains('~') { parts.map(unescape).try_fold(self, |value, part| value.get(&part)) } else { parts.try_fold(self, Self::get) };
        found.filter(|value| !value.is_null())
    }

    /// The string at a JSON pointer.
    pub fn text(self, pointer: &str) -> Option<&'a str> {
        self.at(pointer)?.as_str()
    }

    /// The boolean at a JSON pointer; absent is false.
    pub fn flag(self, pointer: &str) -> bool {
        self.at(pointer).and_then(Self::as_bool).unwrap_or(false)
    }

    /// The items of the list at a JSON pointer; absent is empty.
    pub fn list(self, pointer: &str) -> List<'a> {
        self.at(pointer).map_or_else(List::default, Self::items)
    }

    pub fn is_null(self) -> bool {
        match self.0 {
            Form::Tree(value) => value.is_null(),
            Form::Packed(slice) => slice.is_null(),
        }
    }

    pub fn is_array(self) -> bool {
        match self.0 {
            Form::Tree(value) => value.is_array(),
            Form::Packed(slice) => slice.is_list(),
        }
    }

    pub fn is_object(self) -> bool {
        match self.0 {
            Form::Tree(value) => value.is_object(),
            Form::Packed(slice) => slice.is_object(),
        }
    }

    pub fn as_str(self) -> Option<&'a str> {
        match self.0 {
            Form::Tree(value) => value.as_str(),
            Form::Packed(slice) => slice.as_str(),
        }
    }

    pub fn as_bool(self) -> Option<bool> {
        match self.0 {
            Form::Tree(value) => value.as_bool(),
            Form::Packed(slice) => slice.as_bool(),
        }
    }

    pub fn as_i64(self) -> Option<i64> {
        match self.0 {
            Form::Tree(value) => value.as_i64(),
            Form::Packed(slice) => slice.as_number()?.as_i64(),
        }
    }

    pub fn as_u64(self) -> Option<u64> {
        match self.0 {
            Form::Tree(value) => value.as_u64(),
            Form::Packed(slice) => slice.as_number()?.as_u64(),
        }
    }

    /// The items of a list; of anything else, none.
    pub fn items(self) -> List<'a> {
        List(match self.0 {
            Form::Tree(value) => Listed::Tree(value.as_array().map_or(&[][..], Vec::as_slice).iter()),
            Form::Packed(slice) => Listed::Packed(slice.items()),
        })
    }

    /// The fields of an object by name; of anything else, none.
    pub fn fields(self) -> impl Iterator<Item = (&'a str, Self)> + use<'a> {
        match self.0 {
            Form::Tree(value) => Named::Tree(value.as_object().map(Map::iter)),
            Form::Packed(slice) => Named::Packed(slice.fields()),
        }
    }

    /// An object or list with nothing in it, or something that holds nothing.
    pub fn is_empty(self) -> bool {
        self.fields().next().is_none() && self.items().is_empty()
    }

    /// A value of its own.
    pub fn to_value(self) -> Value {
        match self.0 {
            Form::Tree(value) => value.clone(),
            Form::Packed(slice) => slice.to_value(),
        }
    }
}

impl PartialEq for Json<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Form::Tree(one), Form::Tree(other)) => one == other,
            _ => self.to_value() == other.to_value(),
        }
    }
}

impl PartialEq<Value> for Json<'_> {
    fn eq(&self, other: &Value) -> bool {
        *self == Json::from(other)
    }
}

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_value().fmt(f)
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Form::Tree(value) => value.serialize(to),
            Form::Packed(slice) => slice.to_value().serialize(to),
        }
    }
}

/// The items of a list.
#[derive(Clone, Default)]
pub struct List<'a>(Listed<'a>);

#[derive(Clone)]
enum Listed<'a> {
    Tree(std::slice::Iter<'a, Value>),
    Packed(Items<'a>),
}

impl Default for Listed<'_> {
    fn default() -> Self {
        Self::Tree([].iter())
    }
}

impl List<'_> {
    pub fn is_empty(&self) -> bool {
        self.clone().next().is_none()
    }
}

impl<'a> Iterator for List<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        match &mut self.0 {
            Listed::Tree(items) => items.next().map(Json::from),
            Listed::Packed(items) => items.next().map(Json::from),
        }
    }
}

enum Named<'a> {
    Tree(Option<map::Iter<'a>>),
    Packed(Fields<'a>),
}

impl<'a> Iterator for Named<'a> {
    type Item = (&'a str, Json<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Tree(fields) => fields.as_mut()?.next().map(|(name, value)| (name.as_str(), value.into())),
            Self::Packed(fields) => fields.next().map(|(name, value)| (name, value.into())),
        }
    }
}

/// Escapes a key for use in a JSON pointer (RFC 6901).
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The key that a part of a JSON pointer means.
pub fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}
