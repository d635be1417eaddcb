//! Stories about what the server says to a plan.

use super::*;
use crate::plan::fixtures::{codes, disk_plan, machine_plan, plan_spec};
use crate::plan::request::Strategy;

fn plan(strategy: Strategy) -> PlanSpec {
    plan_spec(vec![machine_plan("db-1", vec![disk_plan("db-1", 20, strategy)])])
}

/// Every right but those that read so.
fn without(plan: &PlanSpec, missing: &[&str]) -> Vec<Finding> {
    let rights =
        needs(plan).into_iter().map(|need| (!missing.contains(&need.to_string().as_str()), need)).map(|(granted, need)| (need, granted)).collect();
    judge(plan, &Answers { rights, ..Answers::default() })
}

fn vm() -> ObjectRef {
    ObjectRef::namespaced(End::Target, kind::VM, "prod", "db-1")
}

fn dry(outcome: DryRun) -> Vec<Finding> {
    judge(&plan(Strategy::CdiClone), &Answers { dry_runs: vec![(vm(), outcome)], ..Answers::default() })
}

#[test]
fn with_every_right_there_is_nothing_to_say() {
    assert_eq!(without(&plan(Strategy::CloneRebind), &[]), []);
}

#[test]
fn a_missing_right_names_the_rule_and_who_can_grant_it() {
    let found = without(&plan(Strategy::Rebind), &["patch persistentvolumes in the cluster"]);
    assert_eq!(codes(&found), ["R001"]);
    assert_eq!(found[0].message, "you may not patch persistentvolumes in the cluster, needed to hand volumes to the target's claims");
    let hint = found[0].hint.clone().unwrap_or_default();
    assert!(hint.contains(r#"{apiGroups: [""], resources: ["persistentvolumes"], verbs: ["patch"]}"#), "{hint}");
    assert!(hint.contains("a cluster administrator"), "{hint}");
}

#[test]
fn each_required_right_that_is_missing_is_told_alone() {
    for strategy in Strategy::ALL {
        let plan = plan(strategy);
        for need in needs(&plan).into_iter().filter(|need| need.duty == Duty::Must) {
            let told = need.to_string();
            let found = without(&plan, &[&told]);
            assert_eq!((codes(&found), found[0].severity), (vec!["R001"], Severity::Blocking), "{told}");
            assert!(found[0].message.contains(&told), "{told}: {}", found[0].message);
        }
    }
}

#[test]
fn one_of_two_rights_to_clone_suffices() {
    let plan = plan(Strategy::CdiClone);
    let (subresource, pods) = ("create datavolumes/source.cdi.kubevirt.io in namespace shop", "create pods in namespace shop");
    assert_eq!(without(&plan, &[subresource]), []);
    assert_eq!(without(&plan, &[pods]), []);
    assert_eq!(codes(&without(&plan, &[subresource, pods])), ["R001", "R001"]);
}

#[test]
fn what_only_cleanup_or_comfort_needs_is_a_warning() {
    let found = without(&plan(Strategy::CdiClone), &["delete virtualmachines.kubevirt.io in namespace shop", "create events in namespace shop"]);
    assert!(found.iter().all(|finding| finding.severity == Severity::Warning));
    assert_eq!(found.len(), 2);
}

#[test]
fn rights_in_a_namespace_to_be_made_are_asked_again_later() {
    let mut plan = plan(Strategy::CdiClone);
    plan.create_namespace = true;
    assert_eq!(codes(&without(&plan, &["create virtualmachines.kubevirt.io in namespace prod"])), ["R006"]);
    let absent = DryRun::Refused("namespaces \"prod\" not found".to_owned());
    assert_eq!(judge(&plan, &Answers { dry_runs: vec![(vm(), absent)], ..Answers::default() }), []);
}

#[test]
fn a_refusal_is_quoted_with_its_webhook() {
    let words = "admission webhook \"virtualmachine-validator.kubevirt.io\" denied the request: spec.template is wrong";
    let found = dry(DryRun::Refused(words.to_owned()));
    assert_eq!(found[0].message, "webhook \"virtualmachine-validator.kubevirt.io\" would refuse it: spec.template is wrong");
    let pool = "Failed to create virtual machine allocation error: failed to allocate requested mac address";
    assert_eq!(codes(&dry(DryRun::Refused(pool.to_owned()))), ["D004"]);
}

#[test]
fn a_refused_secret_is_not_quoted() {
    let secret = ObjectRef::namespaced(End::Target, kind::SECRET, "prod", "login");
    let words = DryRun::Refused("admission webhook \"policy\" denied the request: password hunter2 is weak".to_owned());
    let found = judge(&plan(Strategy::CdiClone), &Answers { dry_runs: vec![(secret, words)], ..Answers::default() });
    assert_eq!(codes(&found), ["D001"]);
    assert!(!found[0].message.contains("hunter2"));
}

#[test]
fn a_dropped_field_blocks_and_a_changed_one_blocks_where_the_guest_sees_it() {
    let field = |path: &str, how| DryRun::Accepted(vec![Difference { path: path.to_owned(), how }]);
    let of = |outcome| dry(outcome).into_iter().map(|finding| (finding.code, finding.severity)).collect::<Vec<_>>();
    assert_eq!(of(field("/spec/x", How::Dropped)), [("D002".to_owned(), Severity::Blocking)]);
    assert_eq!(of(field("/spec/template/spec/domain/firmware/uuid", How::Changed)), [("D003".to_owned(), Severity::Blocking)]);
    assert_eq!(of(field("/metadata/labels/app", How::Changed)), [("D003".to_owned(), Severity::Warning)]);
    assert_eq!(of(DryRun::Accepted(Vec::new())), []);
}

#[test]
fn a_dependent_of_other_content_is_never_overwritten() {
    let secret = ObjectRef::namespaced(End::Target, kind::SECRET, "prod", "login");
    let answers = Answers { same: vec![(secret.clone(), false), (secret, true)], ..Answers::default() };
    assert_eq!(codes(&judge(&plan(Strategy::CdiClone), &answers)), ["T012"]);
}
