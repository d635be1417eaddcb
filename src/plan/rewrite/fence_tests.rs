//! Stories of fences: whatever the shape, lifting gives back exactly what was.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::model::patch::apply;

fn shapes() -> Vec<Manifest> {
    let zone = json!({"key": "zone", "operator": "In", "values": ["a"]});
    let required = |terms: Value| json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}});
    let affinities = [
        None,
        Some(json!({})),
        Some(json!({"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}})),
        Some(
            json!({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": {"matchExpressions": [zone]}}]}}),
        ),
        Some(required(json!([{"matchExpressions": [zone]}]))),
        Some(required(json!([{"matchExpressions": [zone]}, {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]))),
        Some(required(json!([]))),
        Some(required(json!([{}]))),
    ];
    let annotations = [None, Some(json!({})), Some(json!({"team": "shop"}))];
    let runs = [
        ("running", json!(true)),
        ("running", json!(false)),
        ("runStrategy", json!("Always")),
        ("runStrategy", json!("Halted")),
        ("runStrategy", json!("RerunOnFailure")),
        ("runStrategy", json!("Once")),
        ("runStrategy", json!("Manual")),
    ];
    let mut shapes = Vec::new();
    for affinity in &affinities {
        for annotations in &annotations {
            for (field, value) in &runs {
                let mut vm =
                    Manifest::from(json!({"metadata": {"name": "db-1", "uid": "u", "resourceVersion": "7"}, "spec": {"template": {"spec": {}}}}));
                vm.set(&format!("/spec/{field}"), value.clone());
                if let Some(affinity) = affinity {
                    vm.set(AFFINITY, affinity.clone());
                }
                if let Some(annotations) = annotations {
                    vm.set(ANNOTATIONS, annotations.clone());
                }
                shapes.push(vm);
            }
        }
    }
    shapes
}

fn id() -> MoveId {
    MoveId("shop-to-prod-7k2fq".to_owned())
}

#[test]
fn fencing_and_lifting_gives_back_every_shape() {
    for vm in shapes() {
        for halt in [true, false] {
            let before = FenceBefore::read(&vm).unwrap();
            let before: FenceBefore = serde_json::from_value(serde_json::to_value(before).unwrap()).unwrap();
            let fenced = apply(&fence(&vm, &id(), "mark", halt), &vm).unwrap();
            assert_ne!(fenced, vm);
            assert_eq!(apply(&lift(&fenced, &before), &fenced).unwrap(), vm);
            assert_eq!(unfence(&fenced, &before), vm);
        }
    }
}

#[test]
fn every_alternative_asks_for_the_node_that_is_not_there() {
    for vm in shapes() {
        let fenced = apply(&fence(&vm, &id(), "mark", true), &vm).unwrap();
        let mut terms = fenced.list("/spec/template/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms");
        assert!(!terms.is_empty());
        assert!(terms.all(has_fence), "{fenced:?}");
        assert_eq!(fenced.annotation(ANNOTATION_FENCE), Some("mark"));
    }
}

#[test]
fn a_machine_that_ran_is_halted_in_its_own_words_and_a_stopped_one_keeps_its_strategy() {
    for vm in shapes() {
        let (field, value) = run_field(&vm).unwrap();
        let stopped = apply(&fence(&vm, &id(), "mark", true), &vm).unwrap();
        assert_eq!(run_field(&stopped), Some((field, halted(field))));
        let kept = apply(&fence(&vm, &id(), "mark", false), &vm).unwrap();
        assert_eq!(run_field(&kept), Some((field, value)));
    }
}

#[test]
fn a_fence_is_put_on_what_was_seen_and_on_nothing_newer() {
    let vm = shapes().remove(0);
    let ops = fence(&vm, &id(), "mark", true);
    let mut newer = vm.clone();
    newer.set("/metadata/resourceVersion", "8".into());
    assert!(apply(&ops, &newer).is_err());
}

#[test]
fn repeating_changes_nothing() {
    for vm in shapes() {
        let before = FenceBefore::read(&vm).unwrap();
        let fenced = apply(&fence(&vm, &id(), "mark", true), &vm).unwrap();
        assert_eq!(fence(&fenced, &id(), "mark", true), []);
        assert_eq!(lift(&vm, &before), []);
    }
}

#[test]
fn a_user_who_said_start_in_the_meantime_is_overruled() {
    let vm = shapes().into_iter().find(|vm| vm.at("/spec/running") == Some((&json!(true)).into())).unwrap();
    let before = FenceBefore::read(&vm).unwrap();
    let mut meddled = apply(&fence(&vm, &id(), "mark", true), &vm).unwrap();
    meddled.remove("/spec/running");
    meddled.set("/spec/runStrategy", "Always".into());
    assert_eq!(apply(&lift(&meddled, &before), &meddled).unwrap(), vm);
}

#[test]
fn the_condition_can_be_taken_out_without_knowing_what_was() {
    for vm in shapes() {
        let fenced = apply(&fence(&vm, &id(), "mark", true), &vm).unwrap();
        let rest = without_fence(fenced.at(AFFINITY).unwrap());
        assert!(rest.is_none_or(|rest| !rest.to_string().contains(FENCE_NODE_LABEL)));
    }
}

#[test]
fn a_fence_holds_in_every_alternative_or_not_at_all() {
    for vm in shapes() {
        assert!(!holds(&vm));
        let mut fenced = apply(&fence(&vm, &MoveId("shop-to-prod-7k2fq".to_owned()), "mark", true), &vm).unwrap();
        assert!(holds(&fenced));
        let mut terms: Vec<Value> = fenced.list(&format!("{AFFINITY}{TERMS}")).map(Json::to_value).collect();
        terms.push(json!({"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}));
        fenced.set(&format!("{AFFINITY}{TERMS}"), terms.into());
        assert!(!holds(&fenced), "a node of that zone takes it");
    }
}
