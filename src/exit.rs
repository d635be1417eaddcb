//! Exit codes: which ending has which number. The command line's documentation lists the same.

use crate::model::failure::FailureKind;

/// What the program ends with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Code(pub u8);

impl Code {
    /// Done, or nothing to do.
    pub const DONE: Self = Self(0);
    /// An error before anything was begun, or a wrong command line.
    pub const ERROR: Self = Self(1);
    /// `plan --detailed-exitcode`: there is something to move.
    pub const SOMETHING_TO_MOVE: Self = Self(2);
    /// `--error-unchanged`: nothing to change.
    pub const UNCHANGED: Self = Self(3);
    /// Blocking findings; nothing was touched.
    pub const BLOCKED: Self = Self(4);
    /// Failed, and what was begun has been undone.
    pub const UNDONE: Self = Self(5);
    /// Failed, and undoing is stuck.
    pub const STUCK: Self = Self(6);
    /// Stopped short and resumable.
    pub const RESUMABLE: Self = Self(7);
}

impl From<FailureKind> for Code {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::BrokenPipe => Self::DONE,
            FailureKind::Usage | FailureKind::Error => Self::ERROR,
            FailureKind::Blocked => Self::BLOCKED,
            FailureKind::Undone => Self::UNDONE,
            FailureKind::Stuck => Self::STUCK,
            FailureKind::Resumable => Self::RESUMABLE,
            FailureKind::Interrupted(signal) => Self(128_u8.saturating_add(signal)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_has_its_documented_number() {
        use FailureKind::{Blocked, BrokenPipe, Error, Interrupted, Resumable, Stuck, Undone, Usage};
        let expected = [(BrokenPipe, 0), (Usage, 1), (Error, 1), (Blocked, 4), (Undone, 5), (Stuck, 6), (Resumable, 7)];
        let signals = [(Interrupted(1), 129), (Interrupted(2), 130), (Interrupted(15), 143)];
        for (kind, code) in expected.into_iter().chain(signals) {
            assert_eq!(Code::from(kind), Code(code), "{kind:?}");
        }
    }
}
