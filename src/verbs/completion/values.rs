//! What could stand in the place of a value, and what it is in a few words: names from the cluster, within a hard limit of time, names from the
//! kubeconfig, and words of ours. A kind of value is a function here, and a line at the flags that take it.
//!
//! A shell waits while these are asked for, so whatever goes wrong or takes too long gives no candidates and no message.

use std::ffi::OsStr;
use std::sync::mpsc;
use std::time::Duration;

use clap_complete::CompletionCandidate;

use super::line;
use crate::cluster::connect::{Names, names};
use crate::cluster::{Row, connect};
use crate::ledger::LABEL_LEDGER;
use crate::model::kind::{CLAIM, CONFIG_MAP, Kind, NAMESPACE, NETWORK_ATTACHMENT, STORAGE_CLASS, VM};
use crate::model::names::{End, LABEL_MOVE};
use crate::output::format;
use crate::plan::explain;
use crate::plan::request::Strategy;
use crate::sandbox::scenarios;
use crate::verbs::args::duration::parse_or_seconds;

/// How long a user's keystroke may hang in all, unless the environment says otherwise: some clusters are far away.
const LIMIT: Duration = Duration::from_millis(800);
const LIMIT_VARIABLE: &str = "VMMOVE_COMPLETION_TIMEOUT";

/// The tags of candidates that stand for files and folders: shells know better how to complete these.
pub const FILES: &str = "files";
pub const FOLDERS: &str = "folders";

/// Values, each with what it is.
type Values = Vec<(String, String)>;

/// Virtual machines of the source: `db-1`, and behind a kind `vm/db-1`.
pub fn machines(typed: &OsStr) -> Vec<CompletionCandidate> {
    offer(typed, |typed| behind('/', typed, names_of(VM, End::Source, &["Status"])))
}

/// Namespaces.
pub fn namespaces(typed: &OsStr) -> Vec<CompletionCandidate> {
    offer(typed, |_| names_of(NAMESPACE, End::Source, &["Status", "Age"]))
}

/// Storage classes.
pub fn storage_classes(typed: &OsStr) -> Vec<CompletionCandidate> {
    offer(typed, |_| classes())
}

/// Moves whose ledger is in the namespace.
pub fn moves(typed: &OsStr) -> Vec<CompletionCandidate> {
    let header = format!("{LABEL_LEDGER}=move");
    let name = |row: &Row| Some((row.object.label(LABEL_MOVE)?.to_owned(), format!("begun {} ago", row.cell("Age")?)));
    offer(typed, |typed| behind('/', typed, rows(CONFIG_MAP, End::Source, Some(header)).iter().filter_map(name).collect()))
}

/// Strategies, for all disks or behind `CLAIM=` for one.
pub fn strategies(typed: &OsStr) -> Vec<CompletionCandidate> {
    let strategies = || ours(Strategy::ALL.map(|strategy| (strategy.name(), explain::title(strategy.name()))));
    let of_claims = |typed: &str| pair(typed, || names_of(CLAIM, End::Source, &["Capacity", "StorageClass"]), strategies);
    offer(typed, |typed| if typed.contains('=') { of_claims(typed) } else { [strategies(), of_claims(typed)].concat() })
}

/// Storage classes of the source, and behind `OLD=` those of the target.
pub fn class_pairs(typed: &OsStr) -> Vec<CompletionCandidate> {
    offer(typed, |typed| pair(typed, classes, classes))
}

/// Networks of the source, and behind `OLD=` those of the target.
pub fn network_pairs(typed: &OsStr) -> Vec<CompletionCandidate> {
    let networks = |end| names_of(NETWORK_ATTACHMENT, end, &["Age"]);
    offer(typed, |typed| pair(typed, || networks(End::Source), || networks(End::Target)))
}

/// Virtual machines that are to have another name, which is anybody's guess.
pub fn renames(typed: &OsStr) -> Vec<CompletionCandidate> {
    offer(typed, |typed| pair(typed, || names_of(VM, End::Source, &["Status"]), Vec::new))
}

/// Contexts of the kubeconfig.
pub fn contexts(typed: &OsStr) -> Vec<CompletionCandidate> {
    offer(typed, |_| in_kubeconfig(|names| names.contexts))
}

/// Clusters of the kubeconfig.
pub fn clusters(typed: &OsStr) -> Vec<CompletionCandidate> {
    offer(typed, |_| in_kubeconfig(|names| names.clusters))
}

/// Users of the kubeconfig.
pub fn users(typed: &OsStr) -> Vec<CompletionCandidate> {
    offer(typed, |_| in_kubeconfig(|names| names.users.into_iter().map(|user| (user, String::new())).collect()))
}

/// Formats of `-o`.
pub fn formats(typed: &OsStr) -> Vec<CompletionCandidate> {
    offer(typed, |_| ours(format::WORDS.iter().copied()))
}

/// Where a ledger can be.
pub fn places(typed: &OsStr) -> Vec<CompletionCandidate> {
    offer(typed, |_| ours([("cluster", "in ConfigMaps of the source namespace"), ("file:", "in this file")]))
}

/// What `explain` explains: fields only once their document is typed, for there are many.
pub fn topics(typed: &OsStr) -> Vec<CompletionCandidate> {
    offer(typed, |typed| {
        let is_shown = |topic: &&str| typed.contains('.') || !topic.contains('.');
        ours(explain::topics().filter(is_shown).map(|topic| (topic, explain::title(topic))))
    })
}

/// Scenarios of the sandbox, or a file.
pub fn scenarios(typed: &OsStr) -> Vec<CompletionCandidate> {
    let named = offer(typed, |_| ours(scenarios::ALL.iter().map(|scenario| (scenario.name, scenario.about))));
    if named.is_empty() { files(typed) } else { named }
}

/// Files.
pub fn files(_: &OsStr) -> Vec<CompletionCandidate> {
    vec![CompletionCandidate::new("").tag(Some(FILES.into()))]
}

/// Folders.
pub fn folders(_: &OsStr) -> Vec<CompletionCandidate> {
    vec![CompletionCandidate::new("").tag(Some(FOLDERS.into()))]
}

/// Those of the values that begin as the word under the cursor does.
fn offer(typed: &OsStr, values: impl FnOnce(&str) -> Values) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    let fitting = values(typed).into_iter().filter(|(value, _)| value.starts_with(typed));
    fitting.map(|(value, what)| CompletionCandidate::new(value).help(Some(what.into()))).collect()
}

/// The values, behind what is typed up to a separator.
fn behind(separator: char, typed: &str, values: Values) -> Values {
    let before = typed.rfind(separator).map_or("", |at| &typed[..=at]);
    values.into_iter().map(|(value, what)| (format!("{before}{value}"), what)).collect()
}

/// The left sides of `A=B`; where only one is left to choose from, or it is typed already, the right ones behind it.
fn pair(typed: &str, left: impl FnOnce() -> Values, right: impl FnOnce() -> Values) -> Values {
    if typed.contains('=') {
        return behind('=', typed, right());
    }
    let halves = left().into_iter().filter(|(value, _)| value.starts_with(typed)).map(|(value, what)| (format!("{value}="), what));
    let halves: Values = halves.collect();
    let [(half, _)] = &halves[..] else { return halves };
    let whole = behind('=', half, right());
    if whole.is_empty() { halves } else { whole }
}

fn ours<'a>(words: impl IntoIterator<Item = (&'a str, &'a str)>) -> Values {
    words.into_iter().map(|(word, what)| (word.to_owned(), what.to_owned())).collect()
}

fn classes() -> Values {
    names_of(STORAGE_CLASS, End::Source, &["Provisioner"])
}

fn in_kubeconfig(of: impl FnOnce(Names) -> Values) -> Values {
    in_time(|| names(&line::connection()).ok()).map(of).unwrap_or_default()
}

/// The names of a kind's objects, each with what some columns of kubectl's table say of it.
fn names_of(kind: Kind, end: End, columns: &[&str]) -> Values {
    let what = |row: &Row| columns.iter().filter_map(|column| row.cell(column)).collect::<Vec<_>>().join(", ");
    rows(kind, end, None).iter().map(|row| (row.object.name().to_owned(), what(row))).collect()
}

/// Asks the cluster for a kind's objects; of those in namespaces for the source's or the target's. Where no target is typed, there are none.
fn rows(kind: Kind, end: End, labels: Option<String>) -> Vec<Row> {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().ok();
    in_time(move || runtime()?.block_on(ask(kind, end, labels.as_deref()))).unwrap_or_default()
}

async fn ask(kind: Kind, end: End, labels: Option<&str>) -> Option<Vec<Row>> {
    let cluster = connect(&line::connection()).await.ok()?;
    let namespace = match end {
        _ if !kind.namespaced => None,
        End::Source => Some(cluster.default_namespace().to_owned()),
        End::Target => Some(line::target()?),
    };
    cluster.list_rows(kind, namespace.as_deref(), labels).await.ok()
}

/// Does it on a thread of its own and gives up at the limit; the thread ends with the program.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> Option<T> + Send + 'static) -> Option<T> {
    let limit = std::env::var(LIMIT_VARIABLE).ok().and_then(|limit| parse_or_seconds(&limit).ok()).unwrap_or(LIMIT);
    let (answer, answered) = mpsc::channel();
    std::thread::spawn(move || answer.send(work()));
    answered.recv_timeout(limit).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(candidates: Vec<CompletionCandidate>) -> Vec<String> {
        candidates.iter().map(|candidate| candidate.get_value().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_strategy_is_offered_for_one_disk() {
        assert_eq!(texts(strategies(OsStr::new("db-data=Re"))), ["db-data=Rebind"]);
    }

    #[test]
    fn fields_are_offered_once_their_document_is_typed() {
        assert_eq!(texts(topics(OsStr::new("MoveP"))), ["MovePlan"]);
        assert!(texts(topics(OsStr::new("MovePlan.spec.m"))).contains(&"MovePlan.spec.machines".to_owned()));
    }

    #[test]
    fn what_is_no_scenario_may_be_a_file() {
        assert_eq!(texts(scenarios(OsStr::new("big"))), ["big-200"]);
        assert_eq!(scenarios(OsStr::new("./mine"))[0].get_tag().unwrap().to_string(), FILES);
    }

    #[test]
    fn each_word_is_explained() {
        for candidates in [formats(OsStr::new("")), places(OsStr::new("")), topics(OsStr::new("")), topics(OsStr::new("MovePlan."))] {
            assert!(candidates.iter().all(|candidate| candidate.get_help().is_some_and(|what| !what.to_string().is_empty())));
        }
    }
}
