//! Every call of the world and of the journal goes through here: tried again, and refused once the lock is lost.

use std::future::Future;
use std::time::Duration;

use super::cancel::Cancel;
use super::retry::Retry;
use super::run::Engine;
use super::{Hands, Ledger, StepError};
use crate::model::event::Event;
use crate::model::finding::Finding;
use crate::model::graph::{Node, StepId};
use crate::model::journal::Entry;

/// Why a node, and so its group, did not come to its end.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Trouble {
    Failed(String),
    Blocked(Finding),
    /// This node no longer counts, and so nothing that came after it.
    Stale(StepId, String),
    /// Asked to stop, or the lock is lost.
    Stopped,
    /// The downtime limit of the group has passed.
    TooLong(Duration),
    /// Something could not be undone.
    Stuck(String),
}

impl Trouble {
    /// The trouble in words.
    pub(super) fn cause(&self) -> String {
        match self {
            Self::Failed(cause) | Self::Stuck(cause) | Self::Stale(_, cause) => cause.clone(),
            Self::Blocked(finding) => finding.message.clone(),
            Self::Stopped => "stopped".to_owned(),
            Self::TooLong(limit) => format!("it was not started within {}", crate::model::age::human(*limit)),
        }
    }
}

impl<H: Hands, L: Ledger> Engine<'_, H, L> {
    /// One call of the world for a node, tried again while that may help. What fails while stopping was stopped.
    pub(super) async fn call<T, F>(&self, node: &Node, stop: &Cancel, call: impl FnMut() -> F) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, StepError>>,
    {
        let tell = |cause: &str, after| {
            self.say(&Event::StepRetrying { step: node.id.clone(), group: node.group.clone(), cause: cause.to_owned(), after });
        };
        self.try_while_held(stop, call, tell).await.map_err(|error| match error {
            StepError::Stale(why) => Trouble::Stale(node.id.clone(), why),
            other => self.trouble(other, stop),
        })
    }

    /// Writes entries down, then believes them.
    pub(super) async fn append(&self, group: &str, entries: &[Entry]) -> Result<(), Trouble> {
        if entries.is_empty() {
            return Ok(());
        }
        let failed = |cause: &str| format!("the journal could not be written: {cause}");
        let tell = |cause: &str, _| self.say(&Event::Warning { message: failed(cause) });
        let written = self.try_while_held(self.cancel, || self.ledger.append(group, entries), tell).await;
        let written = written.map_err(|error| self.trouble(error, self.cancel));
        if let Err(Trouble::Failed(cause)) = written {
            self.say(&Event::Warning { message: failed(&cause) });
            return Err(Trouble::Failed(failed(&cause)));
        }
        written?;
        let mut states = self.states.borrow_mut();
        for entry in entries {
            states.apply(group, entry);
        }
        Ok(())
    }

    async fn try_while_held<T, F>(&self, stop: &Cancel, call: impl FnMut() -> F, tell: impl FnMut(&str, Duration)) -> Result<T, StepError>
    where
        F: Future<Output = Result<T, StepError>>,
    {
        if let Some(why) = &*self.lost.borrow() {
            return Err(StepError::Lost(why.clone()));
        }
        let retry = Retry { clock: self.clock, rng: self.rng, stops: [self.cancel, stop] };
        retry.again(call, tell).await
    }

    fn trouble(&self, error: StepError, stop: &Cancel) -> Trouble {
        match error {
            StepError::Transient(_) if self.is_stopped(stop) => Trouble::Stopped,
            StepError::Transient(cause) | StepError::Permanent(cause) => Trouble::Failed(cause.0),
            StepError::Stale(why) => Trouble::Failed(why),
            StepError::Blocked(finding) => Trouble::Blocked(finding),
            // A lost lock stops everything, not just the group that noticed.
            StepError::Lost(why) => {
                self.cancel.ask(&why);
                self.lost.borrow_mut().get_or_insert(why);
                Trouble::Stopped
            }
        }
    }

    pub(super) fn is_stopped(&self, stop: &Cancel) -> bool {
        stop.reason().is_some() || self.cancel.reason().is_some()
    }
}
