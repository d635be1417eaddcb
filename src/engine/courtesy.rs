//! Right of way: while something urgent is in flight, groups hold back what comes later in a move.
//!
//! A volume on its way from one claim to another belongs to nobody, and the controller that binds it works through one claim at a time. Machines
//! that start meanwhile make it three times slower (seen with twenty machines at once).

use std::cell::RefCell;
use std::time::Duration;

use tokio::sync::Notify;

use crate::model::graph::{Node, Phase};

/// So long an urgent node has the right of way; one that takes longer waits for something that nobody else slows down.
const BRIEF: Duration = Duration::from_secs(1);
/// So long a group holds back at most in one try, however many are in flight one after another.
const PATIENCE: Duration = Duration::from_secs(5);

/// The urgent nodes in flight: their phases, and until when they have the right of way.
#[derive(Default)]
pub(super) struct RightOfWay(RefCell<Vec<(Phase, Duration)>>);

/// An urgent node in flight, until this is dropped.
pub(super) struct InFlight<'e> {
    way: &'e RightOfWay,
    changed: &'e Notify,
    entry: (Phase, Duration),
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut all = self.way.0.borrow_mut();
        if let Some(index) = all.iter().position(|entry| *entry == self.entry) {
            all.swap_remove(index);
        }
        self.changed.notify_waiters();
    }
}

impl RightOfWay {
    /// Gives a node the right of way if it is urgent. Those who hold back are woken when it has landed.
    pub fn given_to<'e>(&'e self, node: &Node, changed: &'e Notify, now: Duration) -> Option<InFlight<'e>> {
        node.urgent.then(|| {
            let entry = (node.phase, now + BRIEF);
            self.0.borrow_mut().push(entry);
            InFlight { way: self, changed, entry }
        })
    }

    /// Takes out of what a group could begin what is to wait, and says for how long at most. `until` is the group's own end of patience.
    pub fn hold_back(&self, ready: &mut Vec<&Node>, until: &mut Option<Duration>, now: Duration) -> Option<Duration> {
        let all = self.0.borrow();
        let (urgent, landed) = all.iter().filter(|(_, until)| *until > now).min()?;
        if ready.iter().all(|node| node.phase <= *urgent) {
            return None;
        }
        let rest = (*until.get_or_insert(now + PATIENCE)).min(*landed).checked_sub(now).filter(|rest| !rest.is_zero())?;
        ready.retain(|node| node.phase <= *urgent);
        Some(rest)
    }
}
