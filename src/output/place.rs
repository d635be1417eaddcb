//! Where in a YAML file something stands, for errors.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_path_to_error::{Path, Segment};
use serde_saphyr::Spanned;

/// The shape of a document, without what it says.
pub enum Part {
    Map(Vec<(Spanned<String>, Spanned<Part>)>),
    List(Vec<Spanned<Part>>),
    Scalar,
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = Part;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Part, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Part::Map(fields))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Part, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Part::List(items))
            }

            fn visit_some<D: Deserializer<'de>>(self, reader: D) -> Result<Part, D::Error> {
                reader.deserialize_any(self)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Part, E> {
                Ok(Part::Scalar)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Part, E> {
                Ok(Part::Scalar)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Part, E> {
                Ok(Part::Scalar)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Part, E> {
                Ok(Part::Scalar)
            }

            fn visit_str<E>(self, _: &str) -> Result<Part, E> {
                Ok(Part::Scalar)
            }

            fn visit_unit<E>(self) -> Result<Part, E> {
                Ok(Part::Scalar)
            }
        }
        reader.deserialize_any(Shape)
    }
}

/// The line of what a path leads to, or of the last thing on the way there that exists. Lines count from 1.
pub fn line_of(root: &Spanned<Part>, path: &Path) -> u64 {
    let (mut part, mut line) = (&root.value, root.referenced.line());
    for segment in path {
        let (found, at) = match (part, segment) {
            (Part::Map(fields), Segment::Map { key }) => match fields.iter().find(|(name, _)| name.value == *key) {
                Some((name, value)) => (&value.value, name.referenced.line()),
                None => break,
            },
            (Part::List(items), Segment::Seq { index }) => match items.get(*index) {
                Some(item) => (&item.value, item.referenced.line()),
                None => break,
            },
            _ => break,
        };
        (part, line) = (found, at);
    }
    line
}
