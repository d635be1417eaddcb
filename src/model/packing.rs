//! Packing a JSON value while it is read, without a tree of it in between.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::packed::{FALSE, FLOAT, LENGTH, LIST, NULL, OBJECT, Packed, SIGNED, TEXT, TRUE, UNSIGNED};

/// Writes how long a text is, and the text.
pub(super) fn sized(out: &mut Vec<u8>, text: &str) {
    out.extend(length(text.len()));
    out.extend_from_slice(text.as_bytes());
}

/// No answer of an API server is anywhere near four gigabytes.
fn length(bytes: usize) -> [u8; LENGTH] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}

/// Writes a list or object: its tag, its length, and what `inside` writes.
pub(super) fn container<R>(out: &mut Vec<u8>, tag: u8, inside: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    out.push(tag);
    let place = out.len();
    out.extend([0; LENGTH]);
    let done = inside(out);
    let long = length(out.len() - place - LENGTH);
    out[place..place + LENGTH].copy_from_slice(&long);
    done
}

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let mut out = Vec::new();
        Onto(&mut out).deserialize(reader)?;
        Ok(Self(out.into()))
    }
}

/// Reads a value to the end of the bytes.
struct Onto<'o>(&'o mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Onto<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

/// Reads the name of a field to the end of the bytes.
struct Name<'o>(&'o mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<(), E> {
        sized(self.0, name);
        Ok(())
    }
}

impl<'de> Visitor<'de> for Onto<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.push(NULL);
        Ok(())
    }

    fn visit_bool<E: Error>(self, is: bool) -> Result<(), E> {
        self.0.push(if is { TRUE } else { FALSE });
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.0.push(SIGNED);
        self.0.extend(number.to_le_bytes());
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.0.push(UNSIGNED);
        self.0.extend(number.to_le_bytes());
        Ok(())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.0.push(FLOAT);
        self.0.extend(number.to_le_bytes());
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.push(TEXT);
        sized(self.0, text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        container(self.0, LIST, |out| {
            while list.next_element_seed(Onto(out))?.is_some() {}
            Ok(())
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        container(self.0, OBJECT, |out| {
            let begin = out.len();
            // Where each field is: its name, what it holds, and its end.
            let mut fields: Vec<(usize, usize, usize)> = Vec::new();
            loop {
                let from = out.len();
                if map.next_key_seed(Name(out))?.is_none() {
                    break;
                }
                let held = out.len();
                map.next_value_seed(Onto(out))?;
                fields.push((from, held, out.len()));
            }
            let name = |field: &(usize, usize, usize)| &out[field.0 + LENGTH..field.1];
            if !fields.is_sorted_by(|one, next| name(one) < name(next)) {
                // Of a name that is there twice, the last counts, as in every reader of JSON.
                fields.reverse();
                fields.sort_by(|one, other| name(one).cmp(name(other)));
                fields.dedup_by(|one, kept| name(one) == name(kept));
                let sorted: Vec<u8> = fields.iter().flat_map(|(from, _, to)| &out[*from..*to]).copied().collect();
                out.truncate(begin);
                out.extend(sorted);
            }
            Ok(())
        })
    }
}
