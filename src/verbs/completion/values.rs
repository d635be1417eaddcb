//! What could stand in the place of a value: names from the cluster, within a hard limit of time, and words of ours.
//!
//! A shell waits while these are asked for, so whatever goes wrong or takes too long gives no candidates and no message.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use clap::FromArgMatches;
use clap_complete::CompletionCandidate;

use crate::cluster::{Cluster, Connect, connect};
use crate::model::kind::{CONFIG_MAP, Kind, NAMESPACE, STORAGE_CLASS, VM};
use crate::model::manifest::Manifest;
use crate::model::names::LABEL_MOVE;
use crate::plan::request::Strategy;
use crate::verbs::args::connection::Connection;
use crate::verbs::args::help;

/// How long a user's keystroke may hang in all.
const LIMIT: Duration = Duration::from_millis(800);

/// The words typed before the one under the cursor: completers are not handed them.
static WORDS: OnceLock<Vec<String>> = OnceLock::new();

/// Keeps the words typed so far for the completers; they are one program run's, so the first call counts.
pub fn remember(words: &[String]) {
    WORDS.get_or_init(|| words.to_vec());
}

/// The connection flags among words that need not be a whole command line yet.
fn connection(words: &[String]) -> Connection {
    let command = help::plain_command().ignore_errors(true);
    let matches = command.try_get_matches_from(std::iter::once("kubectl-vmmove").chain(words.iter().map(String::as_str)));
    matches.ok().and_then(|matches| Connection::from_arg_matches(&matches).ok()).unwrap_or_default()
}

/// Virtual machines of the namespace that was typed, or of the context's.
pub fn machines(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = current.to_str() else { return Vec::new() };
    let (kind, name) = typed.rsplit_once('/').map_or(("", typed), |(kind, name)| (&typed[..=kind.len()], name));
    named(VM, true, name).into_iter().map(|candidate| candidate.add_prefix(kind)).collect()
}

/// Namespaces.
pub fn namespaces(current: &OsStr) -> Vec<CompletionCandidate> {
    current.to_str().map(|typed| named(NAMESPACE, false, typed)).unwrap_or_default()
}

/// Storage classes.
pub fn storage_classes(current: &OsStr) -> Vec<CompletionCandidate> {
    current.to_str().map(|typed| named(STORAGE_CLASS, false, typed)).unwrap_or_default()
}

/// Moves whose ledger is in the namespace.
pub fn moves(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = current.to_str() else { return Vec::new() };
    let journals = list(CONFIG_MAP, true, Some(LABEL_MOVE));
    let names: BTreeSet<&str> = journals.iter().filter_map(|journal| journal.label(LABEL_MOVE)).collect();
    matching(names.into_iter(), typed)
}

/// Contexts of the kubeconfig.
pub fn contexts(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = current.to_str() else { return Vec::new() };
    let asked = Connect::from(&connection(WORDS.get().map_or(&[], Vec::as_slice)));
    let contexts = crate::cluster::connect::contexts(&asked).unwrap_or_default();
    matching(contexts.iter().map(String::as_str), typed)
}

/// Strategies, also behind `CLAIM=`.
pub fn strategies(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = current.to_str() else { return Vec::new() };
    let (claim, name) = typed.split_once('=').map_or(("", typed), |(claim, name)| (&typed[..=claim.len()], name));
    matching(Strategy::ALL.into_iter().map(Strategy::name), name).into_iter().map(|candidate| candidate.add_prefix(claim)).collect()
}

/// Scenarios of the sandbox; a file is for the shell to complete.
pub fn scenarios(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = current.to_str() else { return Vec::new() };
    matching(crate::sandbox::scenarios::ALL.iter().map(|scenario| scenario.name), typed)
}

/// What `explain` explains: fields only once their document is typed, for there are many.
pub fn topics(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = current.to_str() else { return Vec::new() };
    matching(crate::plan::explain::topics().filter(|topic| typed.contains('.') || !topic.contains('.')), typed)
}

fn named(kind: Kind, namespaced: bool, typed: &str) -> Vec<CompletionCandidate> {
    let objects = list(kind, namespaced, None);
    matching(objects.iter().map(Manifest::name), typed)
}

fn matching<'a>(names: impl Iterator<Item = &'a str>, typed: &str) -> Vec<CompletionCandidate> {
    names.filter(|name| name.starts_with(typed)).map(CompletionCandidate::new).collect()
}

/// Asks the cluster on a thread of its own and gives up at the limit; the thread ends with the program.
fn list(kind: Kind, namespaced: bool, selector: Option<&'static str>) -> Vec<Manifest> {
    let connection = connection(WORDS.get().map_or(&[], Vec::as_slice));
    let (answer, answered) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let found = runtime.ok().and_then(|runtime| runtime.block_on(ask(&Connect::from(&connection), kind, namespaced, selector)));
        let _ = answer.send(found);
    });
    answered.recv_timeout(LIMIT).ok().flatten().unwrap_or_default()
}

async fn ask(reach: &Connect, kind: Kind, namespaced: bool, selector: Option<&str>) -> Option<Vec<Manifest>> {
    let cluster: Cluster = connect(reach).await.ok()?;
    let namespace = namespaced.then(|| cluster.default_namespace());
    cluster.list_metadata(kind, namespace, selector).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(candidates: Vec<CompletionCandidate>) -> Vec<String> {
        candidates.iter().map(|candidate| candidate.get_value().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn connection_flags_are_found_in_an_unfinished_line() {
        let words = ["-n", "shop", "version", "--context=prod", "--unknown"].map(str::to_owned);
        let found = connection(&words);
        assert_eq!((found.namespace.as_deref(), found.context.as_deref()), (Some("shop"), Some("prod")));
    }

    #[test]
    fn strategies_are_offered_for_all_disks_and_for_one() {
        assert_eq!(texts(strategies(OsStr::new("C"))), ["CloneRebind", "CdiClone"]);
        assert_eq!(texts(strategies(OsStr::new("db-data=Re"))), ["db-data=Rebind"]);
    }
}
