//! The ledger in memory. It counts its own calls and those of the world, so that a test can end everything at the n-th.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use serde_json::Value;
use tokio::sync::Notify;

use super::*;
use crate::engine::{Ledger, StepError};

#[derive(Default)]
struct Pages {
    entries: RefCell<Vec<(String, Entry)>>,
    appends: Cell<usize>,
    fails: RefCell<VecDeque<StepError>>,
    /// Calls of the world and the ledger so far, and the one after which the process dies.
    calls: Cell<usize>,
    dies_at: Cell<Option<usize>>,
    dead: Notify,
    /// The lock is lost: any further call is a mistake.
    lost: Cell<bool>,
}

/// A journal in memory. Clones are the same journal.
#[derive(Clone, Default)]
pub(super) struct MemoryLedger(Rc<Pages>);

impl MemoryLedger {
    pub(super) fn states(&self) -> States {
        next::replay(self.0.entries.borrow().iter().map(|(group, entry)| (group.as_str(), entry)))
    }

    pub(super) fn appends(&self) -> usize {
        self.0.appends.get()
    }

    pub(super) fn calls(&self) -> usize {
        self.0.calls.get()
    }

    pub(super) fn dies_at(&self, call: Option<usize>) {
        self.0.calls.set(0);
        self.0.dies_at.set(call);
    }

    pub(super) fn is_held_again(&self) {
        self.0.lost.set(false);
    }

    pub(super) fn fails(&self, errors: impl IntoIterator<Item = StepError>) {
        self.0.fails.borrow_mut().extend(errors);
    }

    pub(super) async fn killed(&self) {
        self.0.dead.notified().await;
    }

    /// The journal as words: `Started db/fence`.
    pub(super) fn words(&self) -> Vec<String> {
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let word = |(group, entry): &(String, Entry)| {
            let entry = serde_json::to_value(entry).unwrap();
            let step = text(&entry, "step");
            format!("{} {}", text(&entry, "entry"), if step.is_empty() { group } else { &step })
        };
        self.0.entries.borrow().iter().map(word).collect()
    }

    pub(super) fn count(&self, word: &str) -> usize {
        self.words().iter().filter(|other| *other == word).count()
    }

    /// Ends the process here if this is the call it dies at.
    pub(super) async fn tick(&self) {
        self.0.calls.set(self.0.calls.get() + 1);
        if self.0.dies_at.get() == Some(self.0.calls.get()) {
            self.0.dead.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// Any call after the lock was lost is a mistake.
    pub(super) fn assert_held(&self, what: &str) {
        assert!(!self.0.lost.get(), "{what} after the lock was lost");
    }

    /// Remembers that an error lost the lock.
    pub(super) fn loses(&self, error: &StepError) {
        self.0.lost.set(self.0.lost.get() || matches!(error, StepError::Lost(_)));
    }
}

impl Ledger for MemoryLedger {
    async fn append(&self, group: &str, entries: &[Entry]) -> Result<(), StepError> {
        self.assert_held("an append");
        let failure = self.0.fails.borrow_mut().pop_front();
        if let Some(error) = failure {
            self.loses(&error);
            return Err(error);
        }
        self.0.appends.set(self.0.appends.get() + 1);
        for entry in entries {
            self.0.entries.borrow_mut().push((group.to_owned(), entry.clone()));
            self.tick().await;
        }
        Ok(())
    }
}
