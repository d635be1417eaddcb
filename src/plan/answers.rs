//! The second look: what the server answered when it was asked about a plan, and what that means.
//!
//! The questions are values ([`super::needs::needs`], one dry run per object that will be made), so that judging the answers is a pure function.

use std::collections::BTreeMap;

use super::compare::{Difference, How};
use super::document::PlanSpec;
pub use super::needs::{Duty, Need, needs};
use crate::model::finding::{Finding, Severity};
use crate::model::kind::{self, Kind};
use crate::model::names::{End, ObjectRef};

/// What the server answered.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// One access review for each need.
    pub rights: Vec<(Need, bool)>,
    /// One dry run for each object that the move will make.
    pub dry_runs: Vec<(ObjectRef, DryRun)>,
    /// Dependents that are in the target already: whether their content is that of the source.
    pub same: Vec<(ObjectRef, bool)>,
    /// What the server could not try beforehand, and why.
    pub untried: Vec<(ObjectRef, String)>,
}

/// What came of asking the server to make an object without making it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DryRun {
    /// It would be made, with these differences from what was asked ([`super::compare::differences`]).
    Accepted(Vec<Difference>),
    /// It would be refused: the server's words.
    Refused(String),
}

/// What the answers have to say against the plan.
pub fn judge(plan: &PlanSpec, answers: &Answers) -> Vec<Finding> {
    let mut found = rights(plan, &answers.rights);
    for (object, outcome) in &answers.dry_runs {
        match outcome {
            DryRun::Refused(words) => found.extend(refused(plan, object, words)),
            DryRun::Accepted(differences) => found.extend(altered(object, differences)),
        }
    }
    found.extend(answers.same.iter().filter(|(_, same)| !same).map(|(object, _)| other_content(plan, object)));
    let untried =
        |(object, why): &(ObjectRef, String)| Finding::info("D008", object.clone(), format!("the server could not try it beforehand: {why}"));
    found.extend(answers.untried.iter().map(untried));
    super::checks::sort(&mut found);
    found
}

/// One finding for each resource that lacks a right.
fn rights(plan: &PlanSpec, rights: &[(Need, bool)]) -> Vec<Finding> {
    let mut missing: BTreeMap<(Duty, End, String), Vec<&Need>> = BTreeMap::new();
    for (need, _) in rights.iter().filter(|(_, granted)| !granted) {
        if let Duty::OneOf(_) = need.duty
            && rights.iter().any(|(other, granted)| other.duty == need.duty && *granted)
        {
            continue;
        }
        missing.entry((need.duty, need.end, format!("{}.{}", need.path(), need.group))).or_default().push(need);
    }
    missing.values().filter_map(|needs| lacking(plan, needs)).collect()
}

fn lacking(plan: &PlanSpec, needs: &[&Need]) -> Option<Finding> {
    let first = *needs.first()?;
    let verbs: Vec<&str> = needs.iter().map(|need| need.verb).collect();
    let what = first.to_string().replacen(first.verb, &verbs.join(", "), 1);
    let not_yet = plan.create_namespace && first.end == End::Target && first.namespace.is_some();
    let (severity, code, then) = match first.duty {
        Duty::Must | Duty::OneOf(_) if not_yet => {
            (Severity::Warning, "R006", "; the namespace is still to be made, so this is asked again before anything is touched")
        }
        Duty::Must | Duty::OneOf(_) => (Severity::Blocking, "R001", ""),
        Duty::Cleanup => (Severity::Warning, "R004", "; the move itself runs without it"),
        Duty::May => (Severity::Warning, "R005", "; the move runs without it"),
    };
    let alternative = if let Duty::OneOf(word) = first.duty { format!(" (one of several rights to {word})") } else { String::new() };
    let message = format!("you may not {what}, needed to {}{alternative}{then}", first.why);
    let verbs = verbs.iter().map(|verb| format!("{verb:?}")).collect::<Vec<_>>().join(", ");
    let rule = format!("{{apiGroups: [{:?}], resources: [{:?}], verbs: [{verbs}]}}", first.group, first.path());
    let who = match &first.namespace {
        Some(namespace) => format!("an administrator of namespace {namespace} can grant it with a Role"),
        None => "a cluster administrator can grant it with a ClusterRole".to_owned(),
    };
    Some(
        Finding::new(severity, code, object(first), message)
            .hint(format!("missing rule: {rule}; {who}; 'plan --print-rbac' prints all that is needed")),
    )
}

/// What a finding about a right points at: all objects of the resource.
fn object(need: &Need) -> ObjectRef {
    let known = |kind: &&Kind| kind.group == need.group && kind.plural == need.resource;
    let kind = kind::ALL.iter().find(known).copied().unwrap_or(kind::VM);
    ObjectRef { end: need.end, kind, namespace: need.namespace.clone(), name: "*".to_owned() }
}

/// Known refusals: a piece of the server's words, the code, what to do.
const REFUSALS: &[(&str, &str, &str)] = &[
    (
        "failed to allocate requested mac address",
        "D004",
        "the MAC pool allows an address once in the cluster, also for a stopped machine: upgrade kubemacpool to 0.51 or later, \
         or exempt the target namespace from it",
    ),
    ("exceeded quota", "D005", "raise the quota, or move fewer machines at once"),
    ("violates PodSecurity", "D006", "give the target namespace the Pod Security level that the source has"),
    ("failed calling webhook", "D007", "the webhook does not answer: bring it back, then plan again"),
];

/// A refusal, unless it only says that the namespace is still to be made.
fn refused(plan: &PlanSpec, object: &ObjectRef, words: &str) -> Option<Finding> {
    if plan.create_namespace && words.contains(&format!("namespaces \"{}\" not found", plan.target.namespace)) {
        return None;
    }
    let known = REFUSALS.iter().find(|(piece, _, _)| words.contains(piece));
    let (code, hint) = known.map_or(("D001", "change what the server objects to, then plan again"), |(_, code, hint)| (code, hint));
    let what = words.strip_prefix("admission webhook ").and_then(|rest| rest.split_once(" denied the request: "));
    let message = match what {
        _ if object.kind == kind::SECRET => {
            "the server would refuse it; its words are not repeated, for they may quote what the Secret holds".to_owned()
        }
        Some((webhook, words)) => format!("webhook {webhook} would refuse it: {words}"),
        None => format!("the server would refuse it: {words}"),
    };
    Some(Finding::blocking(code, object.clone(), message).hint(hint))
}

/// Places in a virtual machine that a guest takes for its identity.
const IDENTITY: &[&str] = &["/firmware/", "/macAddress", "/machine/", "/pciAddress", "/serial", "pci-topology-version", "pci-interface-slot-count"];

fn altered(object: &ObjectRef, differences: &[Difference]) -> Vec<Finding> {
    let told =
        |wanted: How| differences.iter().filter(|difference| difference.how == wanted).map(|difference| difference.path.as_str()).collect::<Vec<_>>();
    let mut found = Vec::new();
    let dropped = told(How::Dropped);
    if !dropped.is_empty() {
        let message = format!("the server would accept it but drop fields: {}", dropped.join(", "));
        found.push(
            Finding::blocking("D002", object.clone(), message)
                .hint("the server or a webhook does not know them any more; without them it is not the same object"),
        );
    }
    let changed = told(How::Changed);
    if !changed.is_empty() {
        let harmless = object.kind == kind::VM && !changed.iter().any(|path| IDENTITY.iter().any(|place| path.contains(place)));
        let severity = if harmless { Severity::Warning } else { Severity::Blocking };
        let message = format!("the server would accept it but change fields: {}", changed.join(", "));
        found.push(
            Finding::new(severity, "D003", object.clone(), message).hint("a webhook of the cluster sets them; look at them with 'plan --diff'"),
        );
    }
    found
}

fn other_content(plan: &PlanSpec, object: &ObjectRef) -> Finding {
    let message = format!("{object} exists in {} with other content than in {}", plan.target.namespace, plan.source.namespace);
    Finding::blocking("T012", object.clone(), message).hint("nothing is overwritten: make the two equal, or rename one and what refers to it")
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
