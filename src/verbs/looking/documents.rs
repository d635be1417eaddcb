//! What a file given with `-f` holds: a plan, a move list, virtual machines, or names.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::model::failure::{Failure, FailureKind};
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::output::io::Io;
use crate::output::yaml;
use crate::plan::checks::machines::nearest;
use crate::plan::decide::digest;
use crate::plan::document::{API_VERSION, Plan};
use crate::plan::move_list::MoveList;
use crate::verbs::args::file::{self, Content};
use crate::verbs::args::machine::MachineName;

/// The content of a file, read and checked.
#[derive(Clone, Debug)]
pub enum Document {
    Plan(Box<Plan>),
    List(Box<MoveList>),
    /// Manifests of virtual machines: their namespace, if they say one, and their names.
    Machines(Option<String>, Vec<String>),
    Names(Vec<MachineName>),
}

/// The kinds of ours that can be read here.
const KINDS: [&str; 2] = ["MovePlan", "MoveList"];
/// What a file may be.
const FORMS: &str = "give a MoveList, a MovePlan, VirtualMachine objects, or one name per line";

/// Reads a file, or standard input for `-`.
///
/// # Errors
/// The file cannot be read, is malformed (with file and line), of a version or kind that is not known, or a plan that was edited.
pub fn read(path: &Path, io: &mut Io) -> Result<Document, Failure> {
    let name = name_of(path);
    let text = text_of(path, &name, io)?;
    document(&name, text).map_err(|failure| if failure.hints.is_empty() { failure.hint(FORMS) } else { failure })
}

fn document(name: &str, text: String) -> Result<Document, Failure> {
    let text = match file::read(name, text)? {
        Content::Names(names) => return Ok(Document::Names(names)),
        Content::Document(text) => text,
    };
    let mut values = yaml::read_all(name, &text)?;
    match (values.pop_if(|value| is_ours(value)), values.as_slice()) {
        (Some(value), []) => {
            check_version(name, &value)?;
            match value.get("kind").and_then(Value::as_str).unwrap_or_default() {
                "MovePlan" => plan_of(name, &text, value).map(Box::new).map(Document::Plan),
                "MoveList" => yaml::understand(name, &text, value).map(Box::new).map(Document::List),
                other => Err(unknown_kind(name, other)),
            }
        }
        (None, values) if !values.iter().any(is_ours) => machines_of(name, values),
        _ => Err(Failure::error(format!("{name} holds several documents; give each its own file"))),
    }
}

/// Reads a plan from a file, or from standard input for `-`.
///
/// # Errors
/// As [`read`]; and the file holds something else.
pub fn read_plan(path: &Path, io: &mut Io) -> Result<Plan, Failure> {
    match read(path, io)? {
        Document::Plan(plan) => Ok(*plan),
        _ => Err(Failure::error(format!("{} holds no plan", name_of(path))).hint("make one with 'plan --save FILE'")),
    }
}

fn name_of(path: &Path) -> String {
    if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() }
}

fn text_of(path: &Path, name: &str, io: &mut Io) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" { io.stdin.read_to_end(&mut bytes).map(|_| ()) } else { std::fs::read(path).map(|read| bytes = read) };
    read.map_err(|error| Failure::error(format!("cannot read {name}: {error}")).hint("-f names a file of this computer, or - for standard input"))?;
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
        Failure::error(format!("{name}:{line}: this is no text in UTF-8"))
    })
}

/// Whether a document says that it is one of this tool's, in whatever version.
fn is_ours(value: &Value) -> bool {
    let version = value.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
    version.starts_with("vmmove.io") || KINDS.contains(&kind)
}

fn check_version(name: &str, value: &Value) -> Result<(), Failure> {
    match value.get("apiVersion").and_then(Value::as_str) {
        Some(API_VERSION) => Ok(()),
        None => Err(Failure::error(format!("{name}: field \"apiVersion\" is missing")).hint(format!("write apiVersion: {API_VERSION}"))),
        Some(other) => Err(Failure::error(format!("{name}: version {other} is not known to this version of the tool"))
            .hint(format!("known is {API_VERSION}; a newer tool may have written the file"))),
    }
}

fn unknown_kind(name: &str, kind: &str) -> Failure {
    let failure = Failure::error(format!("{name}: a document of kind {kind:?} cannot be used here"));
    match nearest(kind, KINDS.into_iter()) {
        Some(near) => failure.hint(format!("did you mean {near}?")),
        None => failure.hint(format!("known here: {}", KINDS.join(", "))),
    }
}

fn plan_of(name: &str, text: &str, value: Value) -> Result<Plan, Failure> {
    let plan: Plan = yaml::understand(name, text, value)?;
    let now = digest(&plan.spec);
    if now == plan.metadata.digest {
        return Ok(plan);
    }
    let message =
        format!("{name} was changed after it was made: it carries digest {}, but its decisions have {}", short(&plan.metadata.digest), short(&now));
    Err(Failure::new(FailureKind::Blocked, message).hint("a plan is not edited: make another one, with a flag or a move list for what is to differ"))
}

/// As much of a digest as people read.
fn short(digest: &str) -> String {
    digest.chars().take(6).collect()
}

/// The machines among manifests, also in Lists.
fn machines_of(name: &str, values: &[Value]) -> Result<Document, Failure> {
    let mut machines = Vec::new();
    for value in values {
        let items = value.get("items").and_then(Value::as_array);
        machines.extend(items.map_or_else(|| vec![value.clone()], Clone::clone).into_iter().map(Manifest::from));
    }
    if let Some(other) = machines.iter().find(|object| object.kind() != Some(kind::VM)) {
        let what = if other.kind_name().is_empty() { "an object without a kind".to_owned() } else { format!("a {}", other.kind_name()) };
        return Err(Failure::error(format!("{name}: {what} cannot be moved")).hint(FORMS));
    }
    if machines.is_empty() {
        return Err(Failure::error(format!("{name} names no virtual machine")));
    }
    let mut namespaces: Vec<&str> = machines.iter().filter_map(Manifest::namespace).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    match namespaces.as_slice() {
        [first, second, ..] => Err(Failure::error(format!("{name} speaks of namespaces {first} and {second}; a move has one source"))
            .hint("make one file for each namespace")),
        [one] => Ok(Document::Machines(Some((*one).to_owned()), names(&machines))),
        [] => Ok(Document::Machines(None, names(&machines))),
    }
}

fn names(machines: &[Manifest]) -> Vec<String> {
    machines.iter().map(|vm| vm.name().to_owned()).collect()
}
