//! What a check has to say.

use serde::{Deserialize, Serialize};

use super::names::ObjectRef;

/// How much a finding matters. Ordered: the last is the worst.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Worth knowing; nothing to decide.
    Info,
    /// The move goes on; somebody should have read it.
    Warning,
    /// The move does not begin, or does not go on.
    Blocking,
}

/// One thing a check found: about which object, how bad, what to do. `code` is what `explain` documents.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub severity: Severity,
    pub code: String,
    pub object: ObjectRef,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Finding {
    pub fn new(severity: Severity, code: &str, object: ObjectRef, message: impl Into<String>) -> Self {
        Self { severity, code: code.to_owned(), object, message: message.into(), hint: None }
    }

    pub fn blocking(code: &str, object: ObjectRef, message: impl Into<String>) -> Self {
        Self::new(Severity::Blocking, code, object, message)
    }

    pub fn warning(code: &str, object: ObjectRef, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, object, message)
    }

    pub fn info(code: &str, object: ObjectRef, message: impl Into<String>) -> Self {
        Self::new(Severity::Info, code, object, message)
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
