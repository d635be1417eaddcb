//! Bodies that come as protobuf, as kubectl sends them for kinds of Kubernetes itself: questions about rights, and what `kubectl create` makes by name.
//! Sources: kubernetes 1.36 `staging/src/k8s.io/apimachinery/pkg/runtime/generated.proto` (Unknown), `.../meta/v1/generated.proto`, and of `k8s.io/api`
//! `core/v1`, `rbac/v1`, `batch/v1` and `authorization/v1`, each `generated.proto`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::sandbox::status::Status;

/// What such a body is called.
pub const MEDIA: &str = "application/vnd.kubernetes.protobuf";
/// Every body begins with it.
const MAGIC: &[u8] = b"k8s\0";

/// What a field holds.
enum Field {
    /// One that is not set is sent empty, and is none.
    Text(&'static str),
    Texts(&'static str),
    /// One that is not set is sent as zero, and is none.
    Count(&'static str),
    Flag(&'static str),
    Object(&'static str, Fields),
    Objects(&'static str, Fields),
    /// Texts by name.
    Pairs(&'static str),
    /// Bytes by name, in JSON as base64.
    Blobs(&'static str),
    /// Quantities by name.
    Amounts(&'static str),
    /// A number or a name.
    Port(&'static str),
}

/// The fields of a message by their numbers. Those that are not there are not read.
type Fields = &'static [(u64, Field)];

use Field::{Amounts, Blobs, Count, Flag, Object, Objects, Pairs, Port, Text, Texts};

/// Around a message: its version and kind, and itself.
const ENVELOPE: Fields = &[(1, Text("apiVersion")), (2, Text("kind"))];
const OWNER: Fields =
    &[(1, Text("kind")), (3, Text("name")), (4, Text("uid")), (5, Text("apiVersion")), (6, Flag("controller")), (7, Flag("blockOwnerDeletion"))];
const META: Fields = &[
    (1, Text("name")),
    (2, Text("generateName")),
    (3, Text("namespace")),
    (5, Text("uid")),
    (6, Text("resourceVersion")),
    (11, Pairs("labels")),
    (12, Pairs("annotations")),
    (13, Objects("ownerReferences", OWNER)),
    (14, Texts("finalizers")),
];
const WISH: Fields = &[
    (1, Text("namespace")),
    (2, Text("verb")),
    (3, Text("group")),
    (4, Text("version")),
    (5, Text("resource")),
    (6, Text("subresource")),
    (7, Text("name")),
];
const PATH: Fields = &[(1, Text("path")), (2, Text("verb"))];
const OWN: Fields = &[(2, Object("spec", &[(1, Object("resourceAttributes", WISH)), (2, Object("nonResourceAttributes", PATH))]))];
const OTHERS: Fields = &[(
    2,
    Object("spec", &[(1, Object("resourceAttributes", WISH)), (2, Object("nonResourceAttributes", PATH)), (3, Text("user")), (4, Texts("groups"))]),
)];
const RULES: Fields =
    &[(1, Texts("verbs")), (2, Texts("apiGroups")), (3, Texts("resources")), (4, Texts("resourceNames")), (5, Texts("nonResourceURLs"))];
const ROLE: Fields = &[(1, Object("metadata", META)), (2, Objects("rules", RULES))];
const SUBJECT: Fields = &[(1, Text("kind")), (2, Text("apiGroup")), (3, Text("name")), (4, Text("namespace"))];
const ROLE_REF: Fields = &[(1, Text("apiGroup")), (2, Text("kind")), (3, Text("name"))];
const BINDING: Fields = &[(1, Object("metadata", META)), (2, Objects("subjects", SUBJECT)), (3, Object("roleRef", ROLE_REF))];
const SERVICE_PORT: Fields =
    &[(1, Text("name")), (2, Text("protocol")), (3, Count("port")), (4, Port("targetPort")), (5, Count("nodePort")), (6, Text("appProtocol"))];
const SERVICE: Fields = &[
    (1, Objects("ports", SERVICE_PORT)),
    (2, Pairs("selector")),
    (3, Text("clusterIP")),
    (4, Text("type")),
    (5, Texts("externalIPs")),
    (7, Text("sessionAffinity")),
    (10, Text("externalName")),
];
const CONTAINER: Fields = &[(1, Text("name")), (2, Text("image")), (3, Texts("command")), (4, Texts("args"))];
const POD: Fields = &[(2, Objects("containers", CONTAINER)), (3, Text("restartPolicy"))];
const TEMPLATE: Fields = &[(1, Object("metadata", META)), (2, Object("spec", POD))];
const PRECONDITIONS: Fields = &[(1, Text("uid")), (2, Text("resourceVersion"))];

/// The messages that are read, by kind.
const MESSAGES: &[(&str, Fields)] = &[
    ("SelfSubjectAccessReview", OWN),
    ("SubjectAccessReview", OTHERS),
    ("LocalSubjectAccessReview", OTHERS),
    ("SelfSubjectRulesReview", &[(2, Object("spec", &[(1, Text("namespace"))]))]),
    ("SelfSubjectReview", &[]),
    ("Namespace", &[(1, Object("metadata", META))]),
    ("ConfigMap", &[(1, Object("metadata", META)), (2, Pairs("data")), (3, Blobs("binaryData")), (4, Flag("immutable"))]),
    ("Secret", &[(1, Object("metadata", META)), (2, Blobs("data")), (3, Text("type")), (4, Pairs("stringData")), (5, Flag("immutable"))]),
    ("Service", &[(1, Object("metadata", META)), (2, Object("spec", SERVICE))]),
    ("ServiceAccount", &[(1, Object("metadata", META)), (4, Flag("automountServiceAccountToken"))]),
    ("ResourceQuota", &[(1, Object("metadata", META)), (2, Object("spec", &[(1, Amounts("hard")), (2, Texts("scopes"))]))]),
    ("Job", &[(1, Object("metadata", META)), (2, Object("spec", &[(6, Object("template", TEMPLATE))]))]),
    ("Role", ROLE),
    ("ClusterRole", ROLE),
    ("RoleBinding", BINDING),
    ("ClusterRoleBinding", BINDING),
    (
        "DeleteOptions",
        &[(1, Count("gracePeriodSeconds")), (2, Object("preconditions", PRECONDITIONS)), (4, Text("propagationPolicy")), (5, Texts("dryRun"))],
    ),
];

/// A body as JSON.
///
/// # Errors
/// 400 when it cannot be read, 415 for kinds that come in JSON only.
pub fn object(body: &[u8]) -> Result<Value, Status> {
    let unreadable = || Status::bad_request("the object provided is unrecognized: it is no message of the expected form");
    let parts = body.strip_prefix(MAGIC).and_then(parts).ok_or_else(unreadable)?;
    let part = |number: u64| parts.iter().find(|part| part.0 == number).and_then(|part| part.1.bytes()).unwrap_or_default();
    let mut object = read(part(1), ENVELOPE).ok_or_else(unreadable)?;
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    let (_, fields) = MESSAGES.iter().find(|(known, _)| *known == kind).ok_or_else(|| Status::unsupported(&["application/json"]))?;
    object.extend(read(part(2), fields).ok_or_else(unreadable)?);
    Ok(Value::Object(object))
}

/// What stands in a message on the wire.
#[derive(Clone, Copy)]
enum Wire<'m> {
    Number(u64),
    Bytes(&'m [u8]),
}

impl<'m> Wire<'m> {
    fn bytes(self) -> Option<&'m [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Number(_) => None,
        }
    }
}

/// The fields of a message that are known.
fn read(message: &[u8], fields: Fields) -> Option<Map<String, Value>> {
    let mut object = Map::new();
    for (number, wire) in parts(message)? {
        let Some((_, field)) = fields.iter().find(|(known, _)| *known == number) else { continue };
        match (field, wire) {
            (Text(name), Wire::Bytes(bytes)) if !bytes.is_empty() => drop(object.insert((*name).to_owned(), text(bytes))),
            (Texts(name), Wire::Bytes(bytes)) => push(&mut object, name, text(bytes)),
            (Count(name), Wire::Number(number)) if number != 0 => drop(object.insert((*name).to_owned(), number.into())),
            (Flag(name), Wire::Number(number)) => drop(object.insert((*name).to_owned(), (number != 0).into())),
            (Object(name, fields), Wire::Bytes(bytes)) => drop(object.insert((*name).to_owned(), read(bytes, fields)?.into())),
            (Objects(name, fields), Wire::Bytes(bytes)) => push(&mut object, name, read(bytes, fields)?.into()),
            (Pairs(name), Wire::Bytes(bytes)) => enter(&mut object, name, bytes, |value| Some(text(value)))?,
            (Blobs(name), Wire::Bytes(bytes)) => enter(&mut object, name, bytes, |value| Some(STANDARD.encode(value).into()))?,
            (Amounts(name), Wire::Bytes(bytes)) => enter(&mut object, name, bytes, |value| Some(text(bytes_of(value, 1)?)))?,
            (Port(name), Wire::Bytes(bytes)) => drop(object.insert((*name).to_owned(), port(bytes)?)),
            _ => {}
        }
    }
    Some(object)
}

fn text(bytes: &[u8]) -> Value {
    String::from_utf8_lossy(bytes).into_owned().into()
}

fn push(object: &mut Map<String, Value>, name: &str, item: Value) {
    if let Some(items) = object.entry(name).or_insert_with(|| json!([])).as_array_mut() {
        items.push(item);
    }
}

/// An entry of a map: a message of a name and a value.
fn enter(object: &mut Map<String, Value>, name: &str, entry: &[u8], value: impl Fn(&[u8]) -> Option<Value>) -> Option<()> {
    let key = String::from_utf8_lossy(bytes_of(entry, 1)?).into_owned();
    object.entry(name).or_insert_with(|| json!({})).as_object_mut()?.insert(key, value(bytes_of(entry, 2)?)?);
    Some(())
}

/// The bytes in a message under a number; none where that is missing.
fn bytes_of(message: &[u8], number: u64) -> Option<&[u8]> {
    Some(parts(message)?.into_iter().find(|part| part.0 == number).and_then(|part| part.1.bytes()).unwrap_or_default())
}

/// IntOrString: which of the two it is, the number, the name.
fn port(message: &[u8]) -> Option<Value> {
    let parts = parts(message)?;
    let number = |wanted: u64| {
        parts.iter().find_map(|(number, wire)| match wire {
            Wire::Number(value) if *number == wanted => Some(*value),
            _ => None,
        })
    };
    if number(1) == Some(1) { Some(text(bytes_of(message, 3)?)) } else { Some(number(2).unwrap_or_default().into()) }
}

/// The numbers and the bytes of a message, with the numbers of their fields; `None` when it breaks off.
fn parts(mut message: &[u8]) -> Option<Vec<(u64, Wire<'_>)>> {
    let mut parts = Vec::new();
    while !message.is_empty() {
        let tag = number(&mut message)?;
        match tag & 7 {
            0 => parts.push((tag >> 3, Wire::Number(number(&mut message)?))),
            1 => message = message.get(8..)?,
            2 => {
                let length = usize::try_from(number(&mut message)?).ok()?;
                let (part, rest) = message.split_at_checked(length)?;
                parts.push((tag >> 3, Wire::Bytes(part)));
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

    fn body(version: &str, kind: &str, message: &[u8]) -> Vec<u8> {
        let head = [field(1, version.as_bytes()), field(2, kind.as_bytes())].concat();
        [MAGIC, &field(1, &head), &field(2, message)].concat()
    }

    #[test]
    fn a_question_is_read_and_what_breaks_off_is_not() {
        let wish = [field(2, b"get"), field(5, b"pods"), field(7, b"")].concat();
        let spec = [field(1, &wish), field(3, b"alice"), field(4, b"devs"), field(4, b"ops")].concat();
        let body = body("authorization.k8s.io/v1", "SubjectAccessReview", &[field(1, b""), field(2, &spec)].concat());
        let question = object(&body).unwrap();
        assert_eq!(question["kind"], "SubjectAccessReview");
        assert_eq!(question["spec"], json!({"resourceAttributes": {"verb": "get", "resource": "pods"}, "user": "alice", "groups": ["devs", "ops"]}));
        assert_eq!(object(&body[..body.len() - 3]).unwrap_err().code(), 400);
        assert_eq!(object(b"{}").unwrap_err().code(), 400);
    }

    #[test]
    fn objects_are_read_as_json_has_them() {
        let entry = |key: &[u8], value: &[u8]| [field(1, key), field(2, value)].concat();
        let secret =
            [field(1, &[field(1, b"login"), field(11, &entry(b"app", b"db"))].concat()), field(2, &entry(b"password", b"hi")), vec![5 << 3, 1]];
        let wanted = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login", "labels": {"app": "db"}},
            "data": {"password": "aGk="}, "immutable": true});
        assert_eq!(object(&body("v1", "Secret", &secret.concat())).unwrap(), wanted);
        let ports = [[vec![3 << 3, 80], field(4, &[1 << 3, 0, 2 << 3, 81])].concat(), field(4, &[vec![1 << 3, 1], field(3, b"http")].concat())];
        let service = field(2, &[field(1, &ports[0]), field(1, &ports[1])].concat());
        let wanted = json!([{"port": 80, "targetPort": 81}, {"targetPort": "http"}]);
        assert_eq!(object(&body("v1", "Service", &service)).unwrap()["spec"]["ports"], wanted);
        let quota = field(2, &field(1, &entry(b"pods", &field(1, b"10"))));
        assert_eq!(object(&body("v1", "ResourceQuota", &quota)).unwrap()["spec"]["hard"], json!({"pods": "10"}));
    }

    #[test]
    fn other_kinds_come_as_json_only() {
        assert_eq!(object(&body("v1", "Node", b"")).unwrap_err().code(), 415);
    }
}
