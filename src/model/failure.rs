//! How things go wrong: a sentence for a tired administrator, a kind that fixes the exit code, hints what to type.

use std::fmt;

/// What sort of failure it is; each has one exit code (see `exit.rs`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FailureKind {
    /// Wrong arguments. Nothing was begun.
    Usage,
    /// Anything else that went wrong before something was begun.
    Error,
    /// Blocking findings; nothing was touched.
    Blocked,
    /// Failed, and what was begun has been undone.
    Undone,
    /// Failed, and undoing is stuck: a person must look.
    Stuck,
    /// Stopped short; can be resumed.
    Resumable,
    /// The user or the system asked to stop (signal number); can be resumed.
    Interrupted(u8),
    /// Standard output was closed by its reader: no failure at all for the user.
    BrokenPipe,
}

/// A failure that a person reads. The message is one sentence without a full stop, and names the object.
#[derive(Clone, Debug)]
pub struct Failure {
    pub kind: FailureKind,
    pub message: String,
    pub hints: Vec<String>,
}

impl Failure {
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new() }
    }

    pub fn error(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Error, message)
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Usage, message)
    }

    /// Adds what is safe, or what to type next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
