//! Refusals, word for word as an API server says them (kubernetes/apimachinery 0.36 `pkg/api/errors/errors.go`).

use serde_json::{Value, json};

use super::catalog::Res;

/// What is said instead of an object. The status object is boxed away: refusals travel through many results.
#[derive(Clone, Debug, PartialEq)]
pub struct Status(pub Box<Value>);

impl Status {
    /// A failure with these words and no details.
    pub fn new(code: u16, reason: &str, message: impl Into<String>) -> Self {
        let mut status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message.into(), "code": code});
        if !reason.is_empty() {
            status["reason"] = reason.into();
        }
        Self(Box::new(status))
    }

    fn about(mut self, resource: Res, name: &str) -> Self {
        let mut details = json!({"kind": resource.plural});
        for (field, value) in [("name", name), ("group", resource.group)] {
            if !value.is_empty() {
                details[field] = value.into();
            }
        }
        self.0["details"] = details;
        self
    }

    pub fn not_found(resource: Res, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", resource.full_name())).about(resource, name)
    }

    /// There is no such path at all.
    pub fn no_such_path() -> Self {
        let mut status = Self::new(404, "NotFound", "the server could not find the requested resource");
        status.0["details"] = json!({});
        status
    }

    pub fn already_exists(resource: Res, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", resource.full_name())).about(resource, name)
    }

    /// Something changed in between; `why` completes the sentence.
    pub fn conflict(resource: Res, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.full_name());
        Self::new(409, "Conflict", message).about(resource, name)
    }

    /// The resource version that came with the object is not the last one.
    pub fn outdated(resource: Res, name: &str) -> Self {
        Self::conflict(resource, name, "the object has been modified; please apply your changes to the latest version and try again")
    }

    /// Not the object that was meant: a precondition of a deletion does not hold (kubernetes/apiserver `pkg/registry/rest/delete.go`).
    pub fn not_meant(resource: Res, name: &str, field: &str, wanted: &str, is: &str) -> Self {
        let end = if field == "UID" { "deleted and then recreated" } else { "modified" };
        let why = format!("the {field} in the precondition ({wanted}) does not match the {field} in record ({is}). The object might have been {end}");
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", qualified(resource));
        let mut status = Self::new(409, "Conflict", message).about(resource, name);
        status.0["details"]["kind"] = resource.kind.into();
        status
    }

    /// What is sent is in a form that nobody reads here.
    pub fn unsupported(accepted: &[&str]) -> Self {
        let message = format!("the body of the request was in an unknown format - accepted media types include: {}", accepted.join(", "));
        Self::new(415, "UnsupportedMediaType", message)
    }

    pub fn forbidden(resource: Res, name: &str, why: &str) -> Self {
        let message = if name.is_empty() {
            format!("{} is forbidden: {why}", resource.full_name())
        } else {
            format!("{} \"{name}\" is forbidden: {why}", resource.full_name())
        };
        Self::new(403, "Forbidden", message).about(resource, name)
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// An object that breaks rules, each of which is a cause.
    pub fn invalid(resource: Res, name: &str, causes: &[Cause]) -> Self {
        let lines: Vec<String> = causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let words = if let [one] = lines.as_slice() { one.clone() } else { format!("[{}]", lines.join(", ")) };
        let mut status = Self::new(422, "Invalid", format!("{} \"{name}\" is invalid: {words}", qualified(resource))).about(resource, name);
        let cause = |cause: &Cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field});
        status.0["details"]["kind"] = resource.kind.into();
        status.0["details"]["causes"] = causes.iter().map(cause).collect();
        status
    }

    /// As [`Status::invalid`], where the server speaks of the resource instead of the kind.
    pub fn invalid_resource(resource: Res, name: &str, causes: &[Cause]) -> Self {
        let mut status = Self::invalid(resource, name, causes);
        let message = status.message().replacen(&qualified(resource), &resource.full_name(), 1);
        status.0["message"] = message.into();
        status.0["details"]["kind"] = resource.plural.into();
        status
    }

    /// What a validating or mutating webhook refused.
    pub fn denied(webhook: &str, code: u16, message: &str) -> Self {
        let reason = match code {
            400 => "BadRequest",
            403 => "Forbidden",
            422 => "Invalid",
            _ => "",
        };
        Self::new(code, reason, format!("admission webhook \"{webhook}\" denied the request: {message}"))
    }

    pub fn code(&self) -> u16 {
        self.0["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(500)
    }

    pub fn message(&self) -> &str {
        self.0["message"].as_str().unwrap_or_default()
    }
}

/// `Kind.group`, as the words about an invalid object name it.
fn qualified(resource: Res) -> String {
    if resource.group.is_empty() { resource.kind.to_owned() } else { format!("{}.{}", resource.kind, resource.group) }
}

/// One rule that an object breaks.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// Such as `FieldValueForbidden`.
    pub reason: &'static str,
    /// Begins with the words for the reason, such as `Forbidden: `.
    pub message: String,
    pub field: String,
}

impl Cause {
    pub fn forbidden(field: &str, why: &str) -> Self {
        Self { reason: "FieldValueForbidden", message: format!("Forbidden: {why}"), field: field.to_owned() }
    }

    pub fn required(field: &str, why: &str) -> Self {
        let message = if why.is_empty() { "Required value".to_owned() } else { format!("Required value: {why}") };
        Self { reason: "FieldValueRequired", message, field: field.to_owned() }
    }

    /// `value` as JSON shows it.
    pub fn invalid(field: &str, value: &Value, why: &str) -> Self {
        Self { reason: "FieldValueInvalid", message: format!("Invalid value: {value}: {why}"), field: field.to_owned() }
    }
}
