//! Records that controllers do not look at: what may be written into ConfigMaps and Secrets.
//! Source: kubernetes 1.36 `pkg/apis/core/validation/validation.go` (ValidateConfigMap, ValidateSecret and their updates),
//! `pkg/registry/core/secret/strategy.go`.
//!
//! Cases: `objects/a-map-has-a-limit`, `objects/a-secret-is-written-as-text-and-read-as-bytes`, `objects/a-secret-of-a-type-has-its-key`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::objects::{annotation, put};
use super::{Rule, Subject, Verb};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CONFIG_MAP, SECRET};
use crate::sandbox::status::{Cause, Status};
use crate::sandbox::store::text;
use crate::sandbox::world::World;
use crate::sandbox::write::Attempt;

const WRITES: &[Verb] = &[Verb::Create, Verb::Update];

pub const SUBJECT: Subject = Subject {
    rules: &[
        Rule { resource: &SECRET, subresource: "", verbs: WRITES, run: text_is_bytes },
        Rule { resource: &CONFIG_MAP, subresource: "", verbs: WRITES, run: without_empty_maps },
        Rule { resource: &SECRET, subresource: "", verbs: WRITES, run: without_empty_maps },
        Rule { resource: &SECRET, subresource: "", verbs: WRITES, run: with_a_type },
        Rule { resource: &CONFIG_MAP, subresource: "", verbs: WRITES, run: within_a_mebibyte },
        Rule { resource: &SECRET, subresource: "", verbs: WRITES, run: within_a_mebibyte },
        Rule { resource: &CONFIG_MAP, subresource: "", verbs: &[Verb::Update], run: immutable_stays },
        Rule { resource: &SECRET, subresource: "", verbs: &[Verb::Update], run: immutable_stays },
    ],
    controllers: &[],
};

/// So much may be in one of them.
const LIMIT: usize = 1 << 20;
/// Which keys a secret of a type must have.
const KEYS: &[(&str, &[&str])] = &[
    ("kubernetes.io/dockerconfigjson", &[".dockerconfigjson"]),
    ("kubernetes.io/dockercfg", &[".dockercfg"]),
    ("kubernetes.io/ssh-auth", &["ssh-privatekey"]),
    ("kubernetes.io/tls", &["tls.crt", "tls.key"]),
];

/// What is written as text is kept as bytes.
fn text_is_bytes(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let Some(texts) = attempt.object.as_object_mut().and_then(|secret| secret.remove("stringData")) else { return Ok(()) };
    for (key, value) in texts.as_object().into_iter().flatten() {
        let at = format!("/data/{}", key.replace('~', "~0").replace('/', "~1"));
        put(&mut attempt.object, &at, STANDARD.encode(value.as_str().unwrap_or_default()));
    }
    Ok(())
}

/// An empty map is none, as everywhere where objects are encoded without their empty fields.
fn without_empty_maps(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    if let Some(fields) = attempt.object.as_object_mut() {
        for map in ["data", "binaryData"] {
            if fields.get(map).is_some_and(|map| map.is_null() || map.as_object().is_some_and(Map::is_empty)) {
                fields.remove(map);
            }
        }
    }
    Ok(())
}

fn with_a_type(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let old = attempt.old.as_deref().map(|old| text(old, "/type").to_owned());
    if text(&attempt.object, "/type").is_empty() {
        attempt.object["type"] = old.clone().unwrap_or_else(|| "Opaque".to_owned()).into();
    }
    let secret = &attempt.object;
    let mut causes = Vec::new();
    if old.is_some_and(|old| old != text(secret, "/type")) {
        causes.push(Cause::invalid("type", &secret["type"], "field is immutable"));
    }
    let lacks = |key: &&&str| secret.at("/data").and_then(|data| data.get(**key)).is_none();
    let missing = KEYS.iter().filter(|(kind, _)| *kind == text(secret, "/type")).flat_map(|(_, keys)| keys.iter().filter(lacks));
    causes.extend(missing.map(|key| Cause::required(&format!("data[{key}]"), "")));
    if text(secret, "/type") == "kubernetes.io/service-account-token" && annotation(secret, "kubernetes.io/service-account.name").is_none() {
        causes.push(Cause::required("metadata.annotations[kubernetes.io/service-account.name]", ""));
    }
    if causes.is_empty() { Ok(()) } else { Err(Status::invalid(&SECRET, attempt.name(), &causes)) }
}

/// Bytes are written as base64, and there are not too many of them.
fn within_a_mebibyte(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let (texts, bytes, field) = if attempt.resource == &SECRET { ("stringData", "data", "data") } else { ("data", "binaryData", "[]") };
    let map = |name: &str| attempt.object.get(name).and_then(Value::as_object).into_iter().flatten();
    let mut total: usize = map(texts).map(|(_, value)| value.as_str().map_or(0, str::len)).sum();
    for (_, value) in map(bytes) {
        let decoded = STANDARD.decode(value.as_str().unwrap_or_default()).map_err(|error| no_base64(attempt, &error))?;
        total += decoded.len();
    }
    if total <= LIMIT {
        return Ok(());
    }
    let why = format!("Too long: may not be more than {LIMIT} bytes");
    Err(Status::invalid(attempt.resource, attempt.name(), &[Cause { reason: "FieldValueTooLong", message: why, field: field.to_owned() }]))
}

fn no_base64(attempt: &Attempt, error: &base64::DecodeError) -> Status {
    let at = match error {
        base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => *at,
        base64::DecodeError::InvalidLength(length) => *length,
        base64::DecodeError::InvalidPadding => 0,
    };
    let kind = attempt.resource.kind;
    let words = format!("illegal base64 data at input byte {at}");
    Status::bad_request(format!("{kind} in version \"v1\" cannot be handled as a {kind}: {words}"))
}

fn immutable_stays(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let Some(old) = attempt.old.as_deref().filter(|old| old["immutable"] == true) else { return Ok(()) };
    let mut causes = Vec::new();
    if attempt.object["immutable"] != true {
        causes.push(Cause::forbidden("immutable", "field is immutable when `immutable` is set"));
    }
    for map in ["data", "binaryData"] {
        if old.get(map) != attempt.object.get(map) {
            causes.push(Cause::forbidden(map, "field is immutable when `immutable` is set"));
        }
    }
    if causes.is_empty() { Ok(()) } else { Err(Status::invalid(attempt.resource, attempt.name(), &causes)) }
}
