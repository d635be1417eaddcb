//! Where the journal of a move is kept: in the source namespace, so that anybody can see it and go on, or in a file.
//!
//! In the cluster a move is one ConfigMap with its header and plan, one chain of ConfigMaps per virtual machine with what was done,
//! one for requests from others, and one Lease that says who is alive. All of it is read by name: no right to list is needed.

mod chain;
mod config_map;
pub mod file;
pub mod lease;
mod open;
mod pack;
pub mod request;
mod surely;
mod take_over;

#[cfg(test)]
pub(crate) mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::next::{self, States};
use crate::engine::{self, StepError};
use crate::model::failure::Failure;
use crate::model::journal::{Entry, Holder};
use crate::model::manifest::Manifest;
use crate::model::names::{End, MoveId, ObjectRef};
use crate::plan::document::Plan;

pub use config_map::ConfigMaps;
pub use file::FileLedger;
pub use lease::Lease;
pub use open::{Found, list, open, remove};
pub use take_over::take_over;

/// The journal format that this version writes, and the newest it reads.
pub const FORMAT: u32 = 1;
/// The oldest format number a reader must know to make sense of what this version writes.
const OLDEST_READER: u32 = 1;
/// This tool's version.
const TOOL: &str = env!("CARGO_PKG_VERSION");

/// Label of a ledger's objects: `move`, `plan`, `journal`, `request`, `lease`.
pub const LABEL_LEDGER: &str = "vmmove.io/ledger";
/// Annotation: who wrote last, as JSON.
const ANNOTATION_HOLDER: &str = "vmmove.io/holder";
/// Annotation of a journal's part: the virtual machine it is about; empty for what several share.
const ANNOTATION_GROUP: &str = "vmmove.io/group";
/// Annotation of a journal's part that is full: the next one follows.
const ANNOTATION_CLOSED: &str = "vmmove.io/closed";

/// What is known of a move before its journal is read. A field that a newer version adds is ignored.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    pub move_id: MoveId,
    /// The journal format it is written in.
    pub format: u32,
    /// Readers that know formats up to this one, or newer, can read it.
    pub oldest_reader: u32,
    /// The version of the tool that began it.
    pub tool: String,
    /// The plan's digest.
    pub digest: String,
    pub source_namespace: String,
    pub target_namespace: String,
    /// Who began it.
    pub author: String,
    /// When it was begun (RFC 3339).
    pub created: String,
    /// Who carries it now.
    pub holder: Holder,
    /// Since when (RFC 3339).
    pub held_since: String,
    /// The virtual machines, by their names in the source.
    pub machines: Vec<String>,
    /// In how many pieces the plan is kept; the first is beside the header.
    pub plan_parts: usize,
}

impl Header {
    fn new(move_id: MoveId, plan: &Plan, author: &str, created: &str, plan_parts: usize) -> Self {
        Self {
            move_id,
            format: FORMAT,
            oldest_reader: OLDEST_READER,
            tool: TOOL.to_owned(),
            digest: plan.metadata.digest.clone(),
            source_namespace: plan.spec.source.namespace.clone(),
            target_namespace: plan.spec.target.namespace.clone(),
            author: author.to_owned(),
            created: created.to_owned(),
            holder: Holder { number: 1, name: author.to_owned() },
            held_since: created.to_owned(),
            machines: plan.spec.machines.iter().map(|machine| machine.name.clone()).collect(),
            plan_parts,
        }
    }

    /// Reads a header. `what` is the place it stands in, for messages.
    fn read(text: &str, what: &str) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Version {
            oldest_reader: u32,
            tool: String,
        }
        let version: Version = serde_json::from_str(text).map_err(|error| damaged(what, &error.to_string()))?;
        if version.oldest_reader > FORMAT {
            let message = format!(
                "{what} was written by kubectl-vmmove {}, in a format that this version ({TOOL}) does not know; nothing was touched",
                version.tool
            );
            return Err(Failure::error(message).hint(format!("use kubectl-vmmove {} or newer for this move", version.tool)));
        }
        serde_json::from_str(text).map_err(|error| damaged(what, &error.to_string()))
    }

    fn text(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// The groups of the journal: what is shared, then each virtual machine.
    fn groups(&self) -> impl Iterator<Item = &str> {
        std::iter::once("").chain(self.machines.iter().map(String::as_str))
    }
}

/// A move as it stands in its ledger.
#[derive(Clone, Debug)]
pub struct Opened {
    pub header: Header,
    pub plan: Plan,
    /// Entries in order, by virtual machine; "" for what several share.
    pub journal: BTreeMap<String, Vec<Entry>>,
    /// The header's ConfigMap and the chains as they were read; nothing for a file.
    kept: Kept,
}

/// What a ledger in the cluster goes on from.
#[derive(Clone, Debug, Default)]
struct Kept {
    header: Manifest,
    chains: BTreeMap<String, chain::Chain>,
}

impl Opened {
    /// Every entry, group by group, each group's in order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.journal.values().flatten()
    }

    /// Where every step stands.
    pub fn states(&self) -> States {
        next::replay(self.journal.iter().flat_map(|(group, entries)| entries.iter().map(|entry| (group.as_str(), entry))))
    }

    /// Whether going back over a group was begun: it then only goes back, until it is back and begins anew.
    pub fn is_going_back(&self, group: &str) -> bool {
        self.states().is_going_back(group)
    }

    /// Whether a person agreed to this: `cleanup`, `discard-target-writes`.
    pub fn consented(&self, to: &str) -> bool {
        self.entries().any(|entry| matches!(entry, Entry::Consented { to: agreed, .. } if agreed == to))
    }
}

/// The ledger of a move that this process carries.
pub enum Ledger {
    Cluster(Box<ConfigMaps>),
    File(Box<FileLedger>),
}

impl Ledger {
    pub fn header(&self) -> &Header {
        match self {
            Self::Cluster(ledger) => ledger.header(),
            Self::File(ledger) => ledger.header(),
        }
    }
}

impl engine::Ledger for Ledger {
    async fn append(&self, group: &str, entries: &[Entry]) -> Result<(), StepError> {
        match self {
            Self::Cluster(ledger) => ledger.append(group, entries).await,
            Self::File(ledger) => ledger.append(group, entries).await,
        }
    }
}

/// The name of a move's ConfigMap and of its Lease.
pub fn object_name(id: &MoveId) -> String {
    format!("vmmove-{id}")
}

fn config_map_ref(namespace: &str, name: &str) -> ObjectRef {
    ObjectRef::namespaced(End::Source, crate::model::kind::CONFIG_MAP, namespace, name)
}

fn described(namespace: &str, name: &str) -> String {
    format!("ConfigMap {name} in namespace {namespace}")
}

fn damaged(what: &str, why: &str) -> Failure {
    Failure::error(format!("{what} does not hold what the tool wrote there ({why}); nothing was touched"))
        .hint("'restore' in the ConfigMap of the move says how to bring each source machine back by hand")
}
