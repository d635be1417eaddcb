//! A ledger that freezes a group's steps into its journal with the first step that begins, and knows how everything stands.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::finding::{Journal, by_group};
use crate::engine::next::{self, States};
use crate::engine::{Ledger, StepError};
use crate::ledger::Header;
use crate::model::failure::Failure;
use crate::model::journal::Entry;
use crate::plan::document::PlanSpec;
use crate::plan::order;

/// What each group consists of, as this version of the tool expands the plan.
pub type Steps = BTreeMap<String, Vec<Value>>;

/// Expands a plan.
pub fn steps(plan: &PlanSpec) -> Steps {
    let mut steps = Steps::new();
    for step in order::steps(plan) {
        steps.entry(step.machine().to_owned()).or_default().push(serde_json::json!(step));
    }
    steps
}

/// Refuses a move whose frozen steps are not what this version would make of its plan.
///
/// # Errors
/// Which machine, and which version to use.
pub fn check(header: &Header, journal: &Journal, steps: &Steps) -> Result<(), Failure> {
    for (group, entries) in journal {
        let frozen = entries.iter().find_map(|entry| match entry {
            Entry::Frozen { steps } => Some(steps),
            _ => None,
        });
        if frozen.is_some_and(|frozen| steps.get(group) != Some(frozen)) {
            let whose = if group.is_empty() { "what the machines share".to_owned() } else { format!("virtual machine {group}") };
            let message = format!(
                "move {} was begun by kubectl-vmmove {}, which splits the work on {whose} into other steps than this version ({}); nothing was touched",
                header.move_id,
                header.tool,
                env!("CARGO_PKG_VERSION")
            );
            return Err(Failure::error(message).hint(format!("go on with it, or go back, with kubectl-vmmove {}", header.tool)));
        }
    }
    Ok(())
}

/// The journal while it is written.
pub struct Freezing<'a, L> {
    ledger: &'a L,
    steps: Steps,
    frozen: RefCell<BTreeSet<String>>,
    states: RefCell<States>,
}

impl<'a, L: Ledger> Freezing<'a, L> {
    /// Goes on from what the journal says so far.
    pub fn new(ledger: &'a L, steps: Steps, journal: &Journal) -> Self {
        let is_frozen = |entries: &[Entry]| entries.iter().any(|entry| matches!(entry, Entry::Frozen { .. }));
        let frozen = journal.iter().filter(|(_, entries)| is_frozen(entries)).map(|(group, _)| group.clone()).collect();
        Self { ledger, steps, frozen: RefCell::new(frozen), states: RefCell::new(next::replay(by_group(journal))) }
    }

    /// Where every step stands now.
    pub fn states(&self) -> States {
        self.states.borrow().clone()
    }
}

impl<L: Ledger> Ledger for Freezing<'_, L> {
    async fn append(&self, group: &str, entries: &[Entry]) -> Result<(), StepError> {
        let begins = entries.iter().any(|entry| matches!(entry, Entry::Started { .. }));
        let freeze = begins && !self.frozen.borrow().contains(group);
        if freeze {
            let steps = self.steps.get(group).cloned().unwrap_or_default();
            let all = [&[Entry::Frozen { steps }], entries].concat();
            self.ledger.append(group, &all).await?;
            self.frozen.borrow_mut().insert(group.to_owned());
        } else {
            self.ledger.append(group, entries).await?;
        }
        let mut states = self.states.borrow_mut();
        for entry in entries {
            states.apply(group, entry);
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::graph::StepId;
    use crate::plan::fixtures;

    #[derive(Default)]
    struct Memory(RefCell<Journal>);

    impl Ledger for Memory {
        async fn append(&self, group: &str, entries: &[Entry]) -> Result<(), StepError> {
            self.0.borrow_mut().entry(group.to_owned()).or_default().extend_from_slice(entries);
            Ok(())
        }
    }

    fn started(step: &str) -> Entry {
        Entry::Started { step: StepId(step.to_owned()), at: String::new(), before: Value::Null }
    }

    #[tokio::test]
    async fn steps_are_frozen_once_in_one_write_with_the_first_that_begins() {
        let (memory, steps) = (Memory::default(), steps(&fixtures::plan()));
        let freezing = Freezing::new(&memory, steps.clone(), &Journal::new());
        freezing.append("db-1", &[Entry::Paused { at: String::new() }]).await.unwrap();
        freezing.append("db-1", &[started("db-1/fence")]).await.unwrap();
        freezing.append("db-1", &[started("db-1/stop")]).await.unwrap();
        let journal = memory.0.borrow();
        assert!(matches!(journal["db-1"].as_slice(), [Entry::Paused { .. }, Entry::Frozen { .. }, Entry::Started { .. }, Entry::Started { .. }]));
        assert_eq!(freezing.states().begun().count(), 2);
        let again = Freezing::new(&memory, steps, &journal);
        assert!(again.frozen.borrow().contains("db-1"));
    }
}
