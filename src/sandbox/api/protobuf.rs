//! Questions about rights that come as protobuf, as kubectl sends them: only what they ask is read.
//! Source: kubernetes 1.36 `staging/src/k8s.io/apimachinery/pkg/runtime/generated.proto` (Unknown), `k8s.io/api/authorization/v1/generated.proto`.

use serde_json::{Value, json};

use crate::sandbox::status::Status;

/// What such a body is called.
pub const MEDIA: &str = "application/vnd.kubernetes.protobuf";
/// Every body begins with it.
const MAGIC: &[u8] = b"k8s\0";

/// What a field holds.
enum Field {
    Text(&'static str),
    Texts(&'static str),
    Map(&'static str, &'static [(u64, Field)]),
}

/// The fields of a specification by their numbers.
type Fields = &'static [(u64, Field)];

const RESOURCE: Fields = &[
    (1, Field::Text("namespace")),
    (2, Field::Text("verb")),
    (3, Field::Text("group")),
    (4, Field::Text("version")),
    (5, Field::Text("resource")),
    (6, Field::Text("subresource")),
    (7, Field::Text("name")),
];
const PATH: Fields = &[(1, Field::Text("path")), (2, Field::Text("verb"))];
const OWN: Fields = &[(1, Field::Map("resourceAttributes", RESOURCE)), (2, Field::Map("nonResourceAttributes", PATH))];
const OTHERS: Fields = &[
    (1, Field::Map("resourceAttributes", RESOURCE)),
    (2, Field::Map("nonResourceAttributes", PATH)),
    (3, Field::Text("user")),
    (4, Field::Texts("groups")),
];
const RULES: Fields = &[(1, Field::Text("namespace"))];
/// Around a message: its version and kind, and itself.
const ENVELOPE: Fields = &[(1, Field::Text("apiVersion")), (2, Field::Text("kind"))];

/// A question as JSON.
///
/// # Errors
/// 400 when it cannot be read, 415 for one that comes in JSON only.
pub fn question(body: &[u8]) -> Result<Value, Status> {
    let unreadable = || Status::bad_request("the object provided is unrecognized: it is no message of the expected form");
    let parts = body.strip_prefix(MAGIC).and_then(parts).ok_or_else(unreadable)?;
    let part = |number: u64| parts.iter().find(|part| part.0 == number).map(|part| part.1).unwrap_or_default();
    let mut question = read(part(1), ENVELOPE).ok_or_else(unreadable)?;
    let spec = match question["kind"].as_str().unwrap_or_default() {
        "SelfSubjectAccessReview" => OWN,
        "SubjectAccessReview" | "LocalSubjectAccessReview" => OTHERS,
        "SelfSubjectRulesReview" => RULES,
        "SelfSubjectReview" => &[],
        _ => return Err(Status::unsupported(&["application/json"])),
    };
    let inner = self::parts(part(2)).ok_or_else(unreadable)?;
    let wish = inner.iter().find(|part| part.0 == 2).map(|part| part.1).unwrap_or_default();
    question["spec"] = read(wish, spec).ok_or_else(unreadable)?;
    Ok(question)
}

/// The fields of a message that are known.
fn read(message: &[u8], fields: Fields) -> Option<Value> {
    let mut object = json!({});
    for (number, bytes) in parts(message)? {
        let text = || String::from_utf8_lossy(bytes).into_owned();
        match fields.iter().find(|(known, _)| *known == number).map(|(_, field)| field) {
            // Texts that are not set are sent as empty ones.
            Some(Field::Text(name)) if !bytes.is_empty() => object[name] = text().into(),
            Some(Field::Texts(name)) => match object.get_mut(name).and_then(Value::as_array_mut) {
                Some(all) => all.push(text().into()),
                None => object[name] = json!([text()]),
            },
            Some(Field::Map(name, fields)) => object[name] = read(bytes, fields)?,
            Some(Field::Text(_)) | None => {}
        }
    }
    Some(object)
}

/// The fields of a message that have a length, with their numbers; `None` when it breaks off.
fn parts(mut message: &[u8]) -> Option<Vec<(u64, &[u8])>> {
    let mut parts = Vec::new();
    while !message.is_empty() {
        let tag = number(&mut message)?;
        match tag & 7 {
            0 => drop(number(&mut message)?),
            1 => message = message.get(8..)?,
            2 => {
                let length = usize::try_from(number(&mut message)?).ok()?;
                let (part, rest) = message.split_at_checked(length)?;
                parts.push((tag >> 3, part));
                message = rest;
            }
            5 => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(parts)
}

/// A number of as many bytes as it needs, seven bits in each.
fn number(message: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = message.split_first()?;
        *message = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }

    #[test]
    fn a_question_is_read_and_what_breaks_off_is_not() {
        let head = [field(1, b"authorization.k8s.io/v1"), field(2, b"SubjectAccessReview")].concat();
        let wish = [field(2, b"get"), field(5, b"pods"), field(7, b"")].concat();
        let spec = [field(1, &wish), field(3, b"alice"), field(4, b"devs"), field(4, b"ops")].concat();
        let body = [MAGIC, &field(1, &head), &field(2, &[field(1, b""), field(2, &spec)].concat())].concat();
        let question = question(&body).unwrap();
        assert_eq!(question["kind"], "SubjectAccessReview");
        assert_eq!(question["spec"], json!({"resourceAttributes": {"verb": "get", "resource": "pods"}, "user": "alice", "groups": ["devs", "ops"]}));
        assert_eq!(super::question(&body[..body.len() - 3]).unwrap_err().code(), 400);
        assert_eq!(super::question(b"{}").unwrap_err().code(), 400);
    }
}
