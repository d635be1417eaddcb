//! Which move is meant: by its name, or by its plan; and which of its machines.

use std::collections::BTreeMap;
use std::path::Path;

use super::flags::Place;
use crate::cluster::{Cluster, Reason};
use crate::engine::next::States;
use crate::ledger::{self, FileLedger, Header, Opened, file};
use crate::model::failure::Failure;
use crate::model::graph::Graph;
use crate::model::journal::Entry;
use crate::model::names::MoveId;
use crate::output::command::CommandPrefix;
use crate::output::error::warning;
use crate::plan::checks::machines::nearest;
use crate::plan::document::Plan;
use crate::plan::order;
use crate::steps::sites::{Site, Sites};
use crate::verbs::Context;
use crate::verbs::args::machine::MachineName;
use crate::verbs::args::moves::{MoveChoice, MoveName};
use crate::verbs::looking::documents::read_plan;
use crate::verbs::looking::planning::source_namespace;

/// Entries in order, by virtual machine; "" for what several share.
pub type Journal = BTreeMap<String, Vec<Entry>>;

/// Every entry with its group.
pub fn by_group(journal: &Journal) -> impl Iterator<Item = (&str, &Entry)> {
    journal.iter().flat_map(|(group, entries)| entries.iter().map(move |entry| (group.as_str(), entry)))
}

/// A move as it was found, and who looks at it. Nothing is held yet.
pub struct Found {
    pub cluster: Cluster,
    pub opened: Opened,
    /// The ledger in a file, locked by this process.
    pub file: Option<FileLedger>,
    pub user: String,
}

impl Found {
    pub fn id(&self) -> &MoveId {
        &self.opened.header.move_id
    }

    pub fn namespace(&self) -> &str {
        &self.opened.header.source_namespace
    }

    pub fn plan(&self) -> &Plan {
        &self.opened.plan
    }

    /// Both ends; one cluster.
    pub fn sites(&self) -> Sites {
        sites(&self.cluster, self.plan())
    }

    /// What stands around commands about this move.
    pub fn commands(&self, cx: &Context) -> CommandPrefix {
        cx.commands(self.namespace())
    }
}

/// Both ends of a plan, in one cluster.
pub fn sites(cluster: &Cluster, plan: &Plan) -> Sites {
    let site = |namespace: &str| Site { cluster: cluster.clone(), namespace: namespace.to_owned() };
    Sites { source: site(&plan.spec.source.namespace), target: site(&plan.spec.target.namespace) }
}

/// The user as the server knows them; servers before 1.28 do not tell.
///
/// # Errors
/// The server cannot be asked.
pub async fn user(cluster: &Cluster) -> Result<String, Failure> {
    match cluster.who_am_i().await {
        Ok(name) if !name.is_empty() => Ok(name),
        Ok(_) => Ok("an unknown user".to_owned()),
        Err(error) if matches!(error.reason, Reason::NotFound | Reason::Forbidden) => Ok("an unknown user".to_owned()),
        Err(error) => Err(error.into()),
    }
}

/// Finds a move by its name.
///
/// # Errors
/// There is none of that name, or it cannot be read.
pub async fn by_name(cx: &Context, name: &MoveName, place: &Place) -> Result<Found, Failure> {
    let cluster = cx.connect().await?;
    let user = user(&cluster).await?;
    let (opened, file) = match place {
        Place::Cluster => (ledger::open(&cluster, cluster.default_namespace(), &name.0.0).await?, None),
        Place::File(path) => {
            let (opened, file) = FileLedger::open(path)?;
            check_file(path, &opened, &name.0)?;
            (opened, Some(file))
        }
    };
    Ok(Found { cluster, opened, file, user })
}

/// Reads a move for a look; a file is not locked.
///
/// # Errors
/// As [`by_name`].
pub async fn to_look(cx: &Context, name: &MoveName, place: &Place) -> Result<(Cluster, Opened), Failure> {
    let cluster = cx.connect().await?;
    let opened = match place {
        Place::Cluster => ledger::open(&cluster, cluster.default_namespace(), &name.0.0).await?,
        Place::File(path) => {
            let opened = file::read(path)?;
            check_file(path, &opened, &name.0)?;
            opened
        }
    };
    Ok((cluster, opened))
}

fn check_file(path: &Path, opened: &Opened, id: &MoveId) -> Result<(), Failure> {
    if opened.header.move_id == *id {
        return Ok(());
    }
    let message = format!("the ledger {} is that of move {}, not of {id}", path.display(), opened.header.move_id);
    Err(Failure::error(message).hint("name that move, or another file"))
}

/// What a verb was given: a move, or a plan for which there is none yet.
pub enum Meant {
    Move(Box<Found>),
    Plan(Box<Plan>),
}

/// Finds the move that is meant. A plan means the move that was begun with it and has not been taken back.
///
/// # Errors
/// As [`by_name`]; the plan cannot be read; several moves were begun with it.
pub async fn meant(cx: &mut Context, choice: &MoveChoice, place: &Place) -> Result<Meant, Failure> {
    if let Some(name) = &choice.name {
        return by_name(cx, name, place).await.map(|found| Meant::Move(Box::new(found)));
    }
    let path = choice.filename.as_deref().ok_or_else(|| Failure::usage("name a move, or a plan with -f"))?;
    let plan = read_plan(path, &mut cx.io)?;
    source_namespace(cx, Some(&plan.spec.source.namespace))?;
    match place {
        Place::File(file) if file.exists() => {
            let (opened, ledger) = FileLedger::open(file)?;
            if opened.header.digest != plan.metadata.digest {
                let message = format!("the ledger {} is that of move {}, which has another plan", file.display(), opened.header.move_id);
                return Err(Failure::error(message).hint("name another file, or the move"));
            }
            let cluster = cx.connect().await?;
            let user = user(&cluster).await?;
            Ok(Meant::Move(Box::new(Found { cluster, opened, file: Some(ledger), user })))
        }
        Place::File(_) => Ok(Meant::Plan(Box::new(plan))),
        Place::Cluster => {
            let cluster = cx.connect().await?;
            let namespace = &plan.spec.source.namespace;
            let headers = listed(&cluster, namespace).await?;
            if headers.is_none() {
                cx.io.remark(&warning(&format!(
                    "you may not list ConfigMaps in namespace {namespace}, so a move that was begun with this plan is not found; if there is one, name it"
                )));
            }
            match begun_with(&cluster, &plan, headers.unwrap_or_default()).await? {
                Some(found) => Ok(Meant::Move(Box::new(found))),
                None => Ok(Meant::Plan(Box::new(plan))),
            }
        }
    }
}

/// The move that was begun with a plan and has not been taken back; none for who may not list moves.
///
/// # Errors
/// Several were, or the server refuses.
pub async fn of_plan(cluster: &Cluster, plan: &Plan) -> Result<Option<Found>, Failure> {
    let headers = listed(cluster, &plan.spec.source.namespace).await?;
    begun_with(cluster, plan, headers.unwrap_or_default()).await
}

/// That one of these moves.
async fn begun_with(cluster: &Cluster, plan: &Plan, headers: Vec<Header>) -> Result<Option<Found>, Failure> {
    let namespace = &plan.spec.source.namespace;
    let mut found = Vec::new();
    for header in headers {
        if header.digest == plan.metadata.digest {
            let opened = ledger::open(cluster, namespace, &header.move_id.0).await?;
            if !is_taken_back(&opened) {
                found.push(opened);
            }
        }
    }
    match found.len() {
        0 => Ok(None),
        1 => {
            let user = user(cluster).await?;
            Ok(found.pop().map(|opened| Found { cluster: cluster.clone(), opened, file: None, user }))
        }
        _ => {
            let names: Vec<&str> = found.iter().map(|opened| opened.header.move_id.0.as_str()).collect();
            Err(Failure::error(format!("several moves were begun with this plan: {}", names.join(", "))).hint("name the one that is meant"))
        }
    }
}

/// The moves of a namespace; `None` for who may not list them. The fence refuses a second move of a machine all the same.
async fn listed(cluster: &Cluster, namespace: &str) -> Result<Option<Vec<Header>>, Failure> {
    match ledger::list(cluster, Some(namespace)).await {
        Ok(found) => Ok(Some(found.headers)),
        Err(error) if error.message.contains("(Forbidden)") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether everything that a move had begun has been undone.
fn is_taken_back(opened: &Opened) -> bool {
    opened.states().begun().next().is_none() && opened.entries().any(|entry| matches!(entry, Entry::Undone { .. }))
}

/// The machines of a move that `--vm` narrows to; all of them without it.
///
/// # Errors
/// A name or pattern that none of them has.
pub fn machines(plan: &Plan, wanted: &[MachineName]) -> Result<Vec<String>, Failure> {
    let all = || plan.spec.machines.iter().map(|machine| machine.name.as_str());
    for name in wanted {
        if !all().any(|known| is_meant(name, known)) {
            let failure = Failure::error(format!("the move has no virtual machine {}", name.text));
            return Err(match nearest(&name.text, all()) {
                Some(near) => failure.hint(format!("did you mean {near}?")),
                None => failure.hint(format!("it moves {}", all().collect::<Vec<_>>().join(", "))),
            });
        }
    }
    let chosen = all().filter(|known| wanted.is_empty() || wanted.iter().any(|name| is_meant(name, known)));
    Ok(chosen.map(str::to_owned).collect())
}

fn is_meant(name: &MachineName, known: &str) -> bool {
    name.pattern().map_or(name.text == known, |pattern| pattern.is_match(known))
}

/// Where every step stands, with the graph that they belong to.
pub fn graph_of(opened: &Opened) -> (Graph, States) {
    (order::graph(&opened.plan.spec), opened.states())
}
