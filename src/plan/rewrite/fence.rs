//! The fence: one patch that makes the source unable to run, and the one that gives back exactly what was.
//!
//! A required node *affinity* that no node meets, not a node selector: an instancetype that sets a selector refuses
//! another one (kubevirt/kubevirt 1.8 `pkg/instancetype/apply`). Required terms are alternatives to each other, so the
//! condition goes into each of them (kubernetes/api `core/v1` NodeSelector).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::model::json::Json;
use crate::model::manifest::{Manifest, escape};
use crate::model::names::{ANNOTATION_FENCE, FENCE_NODE_LABEL, MoveId};
use crate::model::patch::PatchOp;
use crate::model::vm::Vm;
use crate::plan::document::RunField;

const AFFINITY: &str = "/spec/template/spec/affinity";
/// The alternatives in an affinity, one of which a node has to meet.
const TERMS: &str = "/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
const ANNOTATIONS: &str = "/metadata/annotations";

/// What was there before the fence: what lifting it gives back.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FenceBefore {
    /// The field that said whether the machine runs, and what it said.
    pub field: RunField,
    pub value: Value,
    /// The whole affinity of the template; absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Value>,
    /// The machine had annotations at all.
    pub annotated: bool,
}

impl FenceBefore {
    /// Reads what a fence will cover. `None` when neither field says whether the machine runs, which KubeVirt refuses.
    pub fn read(vm: &Manifest) -> Option<Self> {
        let (field, value) = run_field(vm)?;
        Some(Self { field, value, affinity: vm.at(AFFINITY).map(Json::to_value), annotated: vm.at(ANNOTATIONS).is_some() })
    }
}

/// The field that says whether a machine runs, and what it says.
pub fn run_field(vm: &Manifest) -> Option<(RunField, Value)> {
    let new = Vm(vm).run_strategy().map(|value| (RunField::RunStrategy, value.to_value()));
    new.or_else(|| Vm(vm).running().map(|value| (RunField::Running, value.to_value())))
}

/// What each of the two fields says for "never".
pub fn halted(field: RunField) -> Value {
    match field {
        RunField::Running => false.into(),
        RunField::RunStrategy => "Halted".into(),
    }
}

/// The patch that fences a machine: its mark, the affinity that no node meets and, with `halt`, the end of its run. A machine that
/// does not run keeps its strategy, for none of them starts it again while the strategy itself does not change.
pub fn fence(vm: &Manifest, move_id: &MoveId, mark: &str, halt: bool) -> Vec<PatchOp> {
    let mut fenced = vm.clone();
    if let Some((field, _)) = run_field(vm).filter(|_| halt) {
        fenced.set(field.pointer(), halted(field));
    }
    fenced.set_annotation(ANNOTATION_FENCE, mark);
    fenced.set(AFFINITY, with_fence(vm.at(AFFINITY), move_id));
    patch(vm, &fenced)
}

/// Whether a machine carries a condition that keeps it from every node, whatever its run strategy says.
pub fn holds(vm: &Manifest) -> bool {
    let mut terms = vm.list(&format!("{AFFINITY}{TERMS}"));
    !terms.is_empty() && terms.all(has_fence)
}

/// The patch that lifts a fence: every field it covers is what it was before, and absent if it was absent. Empty when there is nothing to lift.
pub fn lift(vm: &Manifest, before: &FenceBefore) -> Vec<PatchOp> {
    patch(vm, &unfence(vm, before))
}

/// The first half of [`lift`], for a machine that is to be started before its mark goes: everything but the mark.
pub fn lift_but_mark(vm: &Manifest, before: &FenceBefore) -> Vec<PatchOp> {
    let mut marked = unfence(vm, before);
    if let Some(annotations) = vm.at(ANNOTATIONS) {
        marked.set(ANNOTATIONS, annotations.to_value());
    }
    patch(vm, &marked)
}

/// The machine as it was before the fence.
pub fn unfence(vm: &Manifest, before: &FenceBefore) -> Manifest {
    let mut was = vm.clone();
    for field in [RunField::Running, RunField::RunStrategy] {
        was.remove(field.pointer());
    }
    was.set(before.field.pointer(), before.value.clone());
    match &before.affinity {
        Some(affinity) => was.set(AFFINITY, affinity.clone()),
        None => drop(was.remove(AFFINITY)),
    }
    was.remove(&annotation());
    let empty = was.at(ANNOTATIONS).is_some_and(Json::is_empty);
    if empty && !before.annotated {
        was.remove(ANNOTATIONS);
    }
    was
}

/// Takes the fence's condition out of an affinity, and what is empty without it. For manifests that nobody has a `FenceBefore` of.
pub fn without_fence(affinity: Json) -> Option<Value> {
    let required = "/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    if !affinity.list(required).any(has_fence) {
        return Some(affinity.to_value());
    }
    let mut rest = Manifest::from(affinity.to_value());
    let mut terms: Vec<Value> = rest.list(required).map(Json::to_value).collect();
    for term in &mut terms {
        let Some(expressions) = term.get_mut("matchExpressions").and_then(Value::as_array_mut) else { continue };
        expressions.retain(|expression| !is_fence(expression.into()));
        if let (true, Some(term)) = (expressions.is_empty(), term.as_object_mut()) {
            term.remove("matchExpressions");
        }
    }
    terms.retain(|term| term.as_object().is_none_or(|term| !term.is_empty()));
    if terms.is_empty() {
        rest.remove("/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution");
    } else {
        rest.set(required, terms.into());
    }
    if rest.at("/nodeAffinity").is_some_and(Json::is_empty) {
        rest.remove("/nodeAffinity");
    }
    Some(rest.into_value()).filter(|rest| rest.as_object().is_some_and(|rest| !rest.is_empty()))
}

fn with_fence(affinity: Option<Json>, move_id: &MoveId) -> Value {
    let condition = json!({"key": FENCE_NODE_LABEL, "operator": "In", "values": [move_id.0]});
    let mut fenced = Manifest::from(affinity.map_or_else(|| json!({}), Json::to_value));
    let mut terms: Vec<Value> = fenced.list(TERMS).map(Json::to_value).collect();
    if terms.is_empty() {
        terms.push(json!({}));
    }
    for term in &mut terms {
        let mut expressions = term.get("matchExpressions").and_then(Value::as_array).cloned().unwrap_or_default();
        if !expressions.contains(&condition) {
            expressions.push(condition.clone());
        }
        if let Some(term) = term.as_object_mut() {
            term.insert("matchExpressions".to_owned(), expressions.into());
        }
    }
    fenced.set(TERMS, terms.into());
    fenced.into_value()
}

fn has_fence(term: Json) -> bool {
    term.list("/matchExpressions").any(is_fence)
}

fn is_fence(expression: Json) -> bool {
    expression.text("/key") == Some(FENCE_NODE_LABEL)
}

fn annotation() -> String {
    format!("{ANNOTATIONS}/{}", escape(ANNOTATION_FENCE))
}

/// One patch from what was seen to what is wanted, over the fields that a fence covers; empty when they are equal.
fn patch(seen: &Manifest, wanted: &Manifest) -> Vec<PatchOp> {
    let whole_map = seen.at(ANNOTATIONS).is_some() != wanted.at(ANNOTATIONS).is_some();
    let mark = if whole_map { ANNOTATIONS.to_owned() } else { annotation() };
    let covered = [RunField::Running.pointer(), RunField::RunStrategy.pointer(), AFFINITY, &mark];
    let mut ops = vec![PatchOp::unchanged(seen)];
    for pointer in covered {
        match (seen.at(pointer), wanted.at(pointer)) {
            (was, is) if was == is => {}
            (_, Some(is)) => ops.push(PatchOp::Add(pointer.to_owned(), is.to_value())),
            (_, None) => ops.push(PatchOp::Remove(pointer.to_owned())),
        }
    }
    if ops.len() == 1 { Vec::new() } else { ops }
}

#[cfg(test)]
#[path = "fence_tests.rs"]
mod tests;
