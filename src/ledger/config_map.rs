//! The ledger in the cluster: begins a move, and appends to its journal by compare-and-swap.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::chain::{Chain, Draft, Hand};
use super::surely::{self, PATIENCE, pause, wants_a_look};
use super::{ANNOTATION_HOLDER, Header, LABEL_LEDGER, Opened, config_map_ref, described, object_name, pack};
use crate::cluster::{ApiError, Cluster, Dry, Reason};
use crate::engine::clock::{Clock, Rng, tail};
use crate::engine::{self, StepError};
use crate::model::failure::Failure;
use crate::model::journal::{Entry, Holder};
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::{LABEL_MOVE, MoveId};
use crate::plan::document::Plan;

/// A piece of the packed plan is at most so large, in bytes.
const PIECE: usize = 512 << 10;
/// So many names are tried for a move; that two are taken is all but impossible.
const NAMES: usize = 5;

/// A journal in ConfigMaps that this process carries on.
pub struct ConfigMaps {
    cluster: Cluster,
    clock: Arc<dyn Clock>,
    header: Header,
    chains: BTreeMap<String, Mutex<Chain>>,
}

impl ConfigMaps {
    /// Writes a new move down, header first. `restore` gives the commands that restore each source without this tool.
    ///
    /// # Errors
    /// What the server says; nothing but the ledger itself was touched then.
    pub async fn begin(
        cluster: &Cluster,
        plan: &Plan,
        author: &str,
        rng: &dyn Rng,
        clock: Arc<dyn Clock>,
        restore: impl Fn(&MoveId) -> Vec<String>,
    ) -> Result<(MoveId, Self), Failure> {
        let unwritable = |error: io::Error| Failure::error(format!("the plan cannot be written down: {error}"));
        let packed = pack::pack(serde_json::json!(plan).to_string().as_bytes()).map_err(unwritable)?;
        let pieces: Vec<&[u8]> = packed.chunks(PIECE).collect();
        let (source, target) = (&plan.spec.source.namespace, &plan.spec.target.namespace);
        let mut last = None;
        for _ in 0..NAMES {
            let id = MoveId::mint(source, target, &tail(rng));
            let header = Header::new(id.clone(), plan, author, &clock.now().to_string(), pieces.len());
            let mut manifest = header_manifest(&header, &restore(&id));
            manifest.set("/binaryData/plan", pack::encode(pieces.first().copied().unwrap_or_default()).into());
            match surely::write(cluster, &*clock, &manifest, surely::same_data).await {
                Ok(_) => {}
                Err(error) if error.reason == Reason::AlreadyExists => {
                    last = Some(error);
                    continue;
                }
                Err(error) => return Err(unbegun(source, error)),
            }
            for (number, piece) in pieces.iter().enumerate().skip(1) {
                let part = plan_part(&header, number, piece);
                surely::write(cluster, &*clock, &part, surely::same_data).await.map_err(|error| unbegun(source, error))?;
            }
            let chains = header.groups().map(|group| (group.to_owned(), Chain::new(source, &id, group))).collect();
            return Ok((id, Self::with(cluster, clock, header, chains)));
        }
        Err(last.map_or_else(|| Failure::error("no name could be found for the move"), |error| unbegun(source, error)))
    }

    /// Carries an opened move on, as the holder that stands in its header.
    pub fn hold(cluster: &Cluster, opened: &Opened, clock: Arc<dyn Clock>) -> Self {
        Self::with(cluster, clock, opened.header.clone(), opened.kept.chains.clone())
    }

    pub(super) fn with(cluster: &Cluster, clock: Arc<dyn Clock>, header: Header, chains: BTreeMap<String, Chain>) -> Self {
        let chains = chains.into_iter().map(|(group, chain)| (group, Mutex::new(chain))).collect();
        Self { cluster: cluster.clone(), clock, header, chains }
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Writes lines to the end of a chain: sent, and when the answer leaves doubt, looked up.
    async fn write(&self, chain: &mut Chain, lines: &[u8]) -> Result<(), StepError> {
        let until = self.clock.elapsed() + PATIENCE;
        loop {
            let draft = chain.draft(&self.header.holder, lines).map_err(|error| self.unreadable(chain, &error))?;
            let sent = if chain.is_stored() {
                self.cluster.replace(&draft.manifest, Dry::No).await
            } else {
                self.cluster.create(&draft.manifest, Dry::No).await
            };
            let error = match sent {
                Ok(stored) => {
                    chain.keep(draft, stored);
                    return Ok(());
                }
                Err(error) => error,
            };
            let error = if wants_a_look(&error) {
                match self.look(chain, &draft, error).await? {
                    Looked::Landed(stored) => {
                        chain.keep(draft, stored);
                        return Ok(());
                    }
                    Looked::Again(error) => error,
                }
            } else {
                error
            };
            let given_up = if is_passing(&error) { pause(&*self.clock, until, error).await } else { Err(error) };
            if let Err(error) = given_up {
                chain.give_up(&draft);
                return Err(self.refused(chain, &error));
            }
        }
    }

    /// Looks what came of a draft.
    async fn look(&self, chain: &mut Chain, draft: &Draft, error: ApiError) -> Result<Looked, StepError> {
        let found = match self.cluster.get(&config_map_ref(&self.header.source_namespace, draft.manifest.name())).await {
            Ok(found) => found,
            Err(unseen) => return Ok(Looked::Again(unseen)),
        };
        match (chain.judge(found.as_ref(), draft), found) {
            (Hand::Landed, Some(found)) => Ok(Looked::Landed(found)),
            (Hand::Earlier, Some(found)) => {
                chain.adopt(found).map_err(|error| self.unreadable(chain, &error))?;
                Ok(Looked::Again(error))
            }
            (Hand::Other(holder), _) => Err(self.lost(chain, &holder)),
            (Hand::Deleted, _) => Err(StepError::permanent(format!(
                "{}, which holds the journal of move {}, was deleted by somebody; nothing more is done",
                self.place(chain),
                self.header.move_id
            ))),
            (_, found) => {
                chain.rebase(found);
                Ok(Looked::Again(error))
            }
        }
    }

    fn place(&self, chain: &Chain) -> String {
        described(&self.header.source_namespace, &chain.name())
    }

    fn lost(&self, chain: &Chain, holder: &Holder) -> StepError {
        let id = &self.header.move_id;
        if holder.number != self.header.holder.number && !holder.name.is_empty() {
            return StepError::Lost(format!("move {id} is carried by {} now", holder.name));
        }
        StepError::Lost(format!("somebody else wrote to {}, the journal of move {id}", self.place(chain)))
    }

    fn unreadable(&self, chain: &Chain, error: &io::Error) -> StepError {
        StepError::permanent(format!("the journal in {} cannot be carried on: {error}", self.place(chain)))
    }

    fn refused(&self, chain: &Chain, error: &ApiError) -> StepError {
        let sentence = format!("the journal of move {} could not be written to {}: {error}", self.header.move_id, self.place(chain));
        if is_passing(error) { StepError::transient(sentence) } else { StepError::permanent(sentence) }
    }
}

/// What a look at a draft's place shows.
enum Looked {
    /// The draft took effect and stands there like this.
    Landed(Manifest),
    /// It did not (yet); this stands in the way of sending it again.
    Again(ApiError),
}

/// Whether a write may work when it is sent again.
fn is_passing(error: &ApiError) -> bool {
    error.is_transient() || matches!(error.reason, Reason::Conflict | Reason::AlreadyExists)
}

impl engine::Ledger for ConfigMaps {
    async fn append(&self, group: &str, entries: &[Entry]) -> Result<(), StepError> {
        let id = &self.header.move_id;
        let Some(chain) = self.chains.get(group) else {
            return Err(StepError::permanent(format!("virtual machine {group} is no part of move {id}, so nothing is written about it")));
        };
        let lines = pack::lines(entries).map_err(|error| StepError::permanent(format!("the journal of move {id} cannot be written: {error}")))?;
        self.write(&mut *chain.lock().await, &lines).await
    }
}

/// The ConfigMap of a move, without its plan.
fn header_manifest(header: &Header, restore: &[String]) -> Manifest {
    let mut manifest = Manifest::new(kind::CONFIG_MAP, &header.source_namespace, &object_name(&header.move_id));
    manifest.set_label(LABEL_MOVE, &header.move_id.0);
    manifest.set_label(LABEL_LEDGER, "move");
    manifest.set("/data/restore", (restore.join("\n") + "\n").into());
    write_header(&mut manifest, header);
    manifest
}

/// Puts a header into its ConfigMap.
pub(super) fn write_header(manifest: &mut Manifest, header: &Header) {
    manifest.set("/data/header", header.text().into());
    manifest.set_annotation(ANNOTATION_HOLDER, &serde_json::json!(header.holder).to_string());
}

/// The name of a further piece of a plan.
pub(super) fn plan_name(id: &MoveId, number: usize) -> String {
    format!("{}-plan-{number}", object_name(id))
}

fn plan_part(header: &Header, number: usize, piece: &[u8]) -> Manifest {
    let mut part = Manifest::new(kind::CONFIG_MAP, &header.source_namespace, &plan_name(&header.move_id, number));
    part.set_label(LABEL_MOVE, &header.move_id.0);
    part.set_label(LABEL_LEDGER, "plan");
    part.set("/binaryData/plan", pack::encode(piece).into());
    part
}

fn unbegun(namespace: &str, error: ApiError) -> Failure {
    let failure = Failure::from(error);
    let message = format!("the move could not be written down in namespace {namespace}, so nothing was touched: {}", failure.message);
    Failure { message, ..failure }
}
