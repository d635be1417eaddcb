//! What went wrong with a request, in the words that kubectl uses, and what it means for the next move.
//!
//! Source of the sentences: kubernetes/kubectl `pkg/cmd/util/helpers.go` (StandardErrorMessage, checkErr).

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use http::StatusCode;
use kube::core::Status;

use crate::model::failure::Failure;

/// What sort of answer it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Reason {
    NotFound,
    AlreadyExists,
    /// The object changed, or a precondition of a delete does not hold.
    Conflict,
    /// A JSON patch did not apply: one of its tests failed, or what it removes or replaces is not there.
    TestFailed,
    Invalid,
    Forbidden,
    Unauthorized,
    TooManyRequests,
    /// The resource version or the page is too old.
    Gone,
    /// No answer in time, or the connection broke before one: unknown whether it happened.
    Timeout,
    /// The server was not reached: nothing happened.
    Unreachable,
    /// The server, or something behind it, failed (5xx).
    Unavailable,
    Other,
}

impl Reason {
    /// The name of the reason as the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotFound => "NotFound",
            Self::AlreadyExists => "AlreadyExists",
            Self::Conflict => "Conflict",
            Self::TestFailed | Self::Invalid => "Invalid",
            Self::Forbidden => "Forbidden",
            Self::Unauthorized => "Unauthorized",
            Self::TooManyRequests => "TooManyRequests",
            Self::Gone => "Expired",
            Self::Timeout => "Timeout",
            Self::Unreachable => "Unreachable",
            Self::Unavailable => "ServiceUnavailable",
            Self::Other => "BadRequest",
        }
    }
}

/// A request that did not work. `code` is the HTTP status, 0 when there was no answer; then the message is a whole sentence.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApiError {
    pub reason: Reason,
    pub code: u16,
    pub message: String,
    /// What exactly is wrong, as `field: message`.
    pub causes: Vec<String>,
    pub retry_after: Option<Duration>,
    /// What to look at, where the kind of trouble says it.
    pub hint: Option<&'static str>,
}

impl ApiError {
    pub fn new(reason: Reason, code: u16, message: impl Into<String>) -> Self {
        Self { reason, code, message: message.into(), causes: Vec::new(), retry_after: None, hint: None }
    }

    /// Says what to look at.
    pub(super) fn hinting(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// Whether the same request may work later.
    pub fn is_transient(&self) -> bool {
        matches!(self.reason, Reason::TooManyRequests | Reason::Timeout | Reason::Unreachable | Reason::Unavailable)
    }

    /// Whether a write that got this answer may have taken effect: look before repeating it.
    pub fn may_have_happened(&self) -> bool {
        matches!(self.reason, Reason::Timeout | Reason::Unavailable)
    }

    /// Whether the object or the kind is not there.
    pub fn is_not_found(&self) -> bool {
        self.reason == Reason::NotFound
    }

    /// Reads an answer that is no success: a `Status`, or what proxies and plain handlers write.
    pub(super) fn of_answer(code: StatusCode, body: &[u8], retry_after: Option<Duration>) -> Self {
        match serde_json::from_slice::<Status>(body) {
            Ok(status) if !status.message.is_empty() || !status.reason.is_empty() => Self::of_status(&status, code.as_u16(), retry_after),
            _ => Self { retry_after, ..Self::new(reason_of(code.as_u16(), ""), code.as_u16(), plain_words(code, body)) },
        }
    }

    /// Reads a `Status`; `code` where it does not carry one.
    pub(super) fn of_status(status: &Status, code: u16, retry_after: Option<Duration>) -> Self {
        let code = if status.code == 0 { code } else { status.code };
        let details = status.details.as_ref();
        let mut causes: Vec<String> = details.map(|details| details.causes.iter().map(cause_in_words).collect()).unwrap_or_default();
        causes.dedup();
        let seconds = details.map_or(0, |details| details.retry_after_seconds);
        Self {
            reason: reason_of(code, &status.reason),
            code,
            message: without_contents(if status.message.is_empty() { &status.reason } else { &status.message }),
            causes,
            retry_after: retry_after.or((seconds > 0).then(|| Duration::from_secs(seconds.into()))),
            hint: None,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for ApiError {}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        match (error.code, error.reason) {
            (0, Reason::Unauthorized) => Self::error(error.message).hint("log in again, or look at the user of this context in the kubeconfig"),
            (0, _) => Self { hints: error.hint.map(str::to_owned).into_iter().collect(), ..Self::error(error.message) },
            (_, Reason::Unauthorized) => Self::error(format!("You must be logged in to the server ({})", error.message))
                .hint("the token or certificate of this context is missing, wrong or has expired: log in again"),
            (_, Reason::Invalid) => Self::error(invalid_in_words(&error)),
            (_, reason) => Self::error(format!("Error from server ({}): {}", reason.name(), error.message)),
        }
    }
}

/// `The VirtualMachine "db-1" is invalid: spec.template: Required value`, as kubectl puts it.
fn invalid_in_words(error: &ApiError) -> String {
    match (error.message.split_once(" is invalid: "), error.causes.as_slice()) {
        (Some((object, _)), [cause]) => format!("The {} is invalid: {cause}", without_group(object)),
        (Some((object, _)), causes) if !causes.is_empty() => {
            format!("The {} is invalid:\n* {}", without_group(object), causes.join("\n* "))
        }
        _ => format!("Error from server (Invalid): {}", error.message),
    }
}

/// `VirtualMachine "db-1"` out of `VirtualMachine.kubevirt.io "db-1"`.
fn without_group(object: &str) -> String {
    match object.split_once(' ') {
        Some((kind, name)) => format!("{} {name}", kind.split('.').next().unwrap_or(kind)),
        None => object.to_owned(),
    }
}

/// The meaning of a status code and reason.
///
/// Source: kubernetes/apimachinery `pkg/api/errors/errors.go` (NewGenericServerResponse and its siblings).
fn reason_of(code: u16, reason: &str) -> Reason {
    match (code, reason) {
        (_, "AlreadyExists") => Reason::AlreadyExists,
        (_, "Timeout") | (504 | 408, _) => Reason::Timeout,
        (_, "Expired" | "Gone") | (410, _) => Reason::Gone,
        (401, _) => Reason::Unauthorized,
        (403, _) => Reason::Forbidden,
        (404, _) => Reason::NotFound,
        (409 | 412, _) => Reason::Conflict,
        (422, _) => Reason::Invalid,
        (429, _) => Reason::TooManyRequests,
        (500.., _) => Reason::Unavailable,
        _ => Reason::Other,
    }
}

fn cause_in_words(cause: &kube::core::response::StatusCause) -> String {
    let message = without_contents(&cause.message);
    if cause.field.is_empty() { message } else { format!("{}: {message}", cause.field) }
}

/// Takes quoted values out that are long or whole objects. A patch that does not decode is answered with the object it would
/// have made, and that may be a Secret (kubernetes/apiserver `pkg/endpoints/handlers/patch.go`, seen on 1.36).
fn without_contents(text: &str) -> String {
    const BEFORE: &str = "Invalid value: \"";
    const LONGEST: usize = 200;
    let (mut kept, mut rest) = (String::new(), text);
    while let Some((before, value)) = rest.split_once(BEFORE) {
        let end = value.char_indices().scan(false, |escaped, (at, c)| {
            let closes = c == '"' && !*escaped;
            *escaped = c == '\\' && !*escaped;
            Some((at, closes))
        });
        let end = end.filter(|(_, closes)| *closes).map(|(at, _)| at).next().unwrap_or(value.len());
        let (value, after) = value.split_at(end);
        let after = after.strip_prefix('"').unwrap_or(after);
        kept.push_str(before);
        if value.starts_with('{') || value.len() > LONGEST {
            kept.push_str("Invalid value: (not shown)");
        } else {
            kept.extend([BEFORE, value, "\""]);
        }
        rest = after;
    }
    kept + rest
}

/// Words for an answer without a `Status`: kubectl's for the common ones, else the first line of a plain text.
fn plain_words(code: StatusCode, body: &[u8]) -> String {
    let generic = match code.as_u16() {
        401 => "the server has asked for the client to provide credentials",
        404 => "the server could not find the requested resource",
        405 => "the server does not allow this method on the requested resource",
        429 => "the server has received too many requests and has asked us to try again later",
        503 => "the server is currently unable to handle the request",
        504 => "the server was unable to return a response in the time allotted",
        _ => "",
    };
    let text = String::from_utf8_lossy(body);
    let line: String = text.lines().next().unwrap_or_default().trim().chars().take(200).collect();
    match (generic, line.starts_with('<') || line.starts_with('{') || line.is_empty()) {
        ("", true) => format!("the server answered {code}"),
        ("", false) => line,
        (generic, _) => generic.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn answer(code: u16, body: &serde_json::Value) -> ApiError {
        ApiError::of_answer(StatusCode::from_u16(code).unwrap(), body.to_string().as_bytes(), None)
    }

    #[test]
    fn the_servers_words_reach_the_administrator_as_kubectl_would_say_them() {
        let gone =
            answer(404, &json!({"kind": "Status", "reason": "NotFound", "message": "virtualmachines.kubevirt.io \"db-1\" not found", "code": 404}));
        assert_eq!(gone.reason, Reason::NotFound);
        assert_eq!(Failure::from(gone).message, "Error from server (NotFound): virtualmachines.kubevirt.io \"db-1\" not found");
        let expired = answer(401, &json!({"kind": "Status", "reason": "Unauthorized", "message": "Unauthorized", "code": 401}));
        assert_eq!(Failure::from(expired).message, "You must be logged in to the server (Unauthorized)");
        let invalid = answer(
            422,
            &json!({"kind": "Status", "reason": "Invalid", "code": 422, "message": "VirtualMachine.kubevirt.io \"db-1\" is invalid: spec.cpu: too many",
                "details": {"causes": [{"reason": "FieldValueInvalid", "message": "too many", "field": "spec.cpu"}]}}),
        );
        assert_eq!(Failure::from(invalid).message, "The VirtualMachine \"db-1\" is invalid: spec.cpu: too many");
    }

    #[test]
    fn reasons_say_what_may_be_tried_again_and_what_must_be_looked_at_first() {
        let of = |code, reason: &str| answer(code, &json!({"kind": "Status", "reason": reason, "message": "x", "code": code}));
        assert_eq!(of(409, "AlreadyExists").reason, Reason::AlreadyExists);
        assert_eq!(of(409, "Conflict").reason, Reason::Conflict);
        assert_eq!(of(410, "Expired").reason, Reason::Gone);
        assert!(of(429, "TooManyRequests").is_transient() && !of(429, "TooManyRequests").may_have_happened());
        assert!(of(504, "Timeout").is_transient() && of(504, "Timeout").may_have_happened());
        assert!(of(500, "InternalError").may_have_happened());
        assert!(!of(403, "Forbidden").is_transient());
    }

    #[test]
    fn what_an_object_holds_is_not_repeated() {
        let object = r#"{\"data\":{\"password\":\"hunter2\"}}"#;
        let message = format!(r#" "" is invalid: patch: Invalid value: "{object}": cannot unmarshal, data[a b]: Invalid value: "a b": no"#);
        let error = answer(
            422,
            &json!({"kind": "Status", "reason": "Invalid", "code": 422, "message": message,
                "details": {"causes": [{"field": "patch", "message": format!("Invalid value: \"{object}\": cannot unmarshal")}]}}),
        );
        assert_eq!(error.message, r#" "" is invalid: patch: Invalid value: (not shown): cannot unmarshal, data[a b]: Invalid value: "a b": no"#);
        assert_eq!(error.causes, ["patch: Invalid value: (not shown): cannot unmarshal"]);
    }

    #[test]
    fn answers_that_are_no_status_still_make_sense() {
        let plain = |code: u16, body: &str| ApiError::of_answer(StatusCode::from_u16(code).unwrap(), body.as_bytes(), None).message;
        assert_eq!(plain(404, "404 page not found"), "the server could not find the requested resource");
        assert_eq!(plain(502, "<html>Bad Gateway</html>"), "the server answered 502 Bad Gateway");
        assert_eq!(plain(400, "no such subresource"), "no such subresource");
    }
}
