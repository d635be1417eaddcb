//! Copies an object that machines refer to. One of identical content is used as it is, and is not ours.

use serde_json::{Value, json};

use super::cx::Cx;
use super::perform::Perform;
use crate::cluster::Propagation;
use crate::engine::{Probe, StepError, Undo};
use crate::model::kind::Kind;
use crate::model::manifest::Manifest;
use crate::model::names::End;
use crate::plan::document::DependentPlan;
use crate::plan::rewrite::dependent::{rewrite_dependent, same_content};
use crate::plan::rewrite::{Marks, Role};

pub(super) struct CopyObject<'a> {
    pub kind: Kind,
    pub name: &'a str,
}

impl CopyObject<'_> {
    fn plan<'c>(&self, cx: &'c Cx) -> Result<&'c DependentPlan, StepError> {
        let found = cx.plan.dependents.iter().find(|dependent| dependent.kind == self.kind && dependent.name == self.name);
        found.ok_or_else(|| StepError::permanent(format!("the plan has no {}/{}", self.kind.singular(), self.name)))
    }

    fn marks(&self, cx: &Cx) -> Result<Marks, StepError> {
        Ok(cx.marks(Role::Dependent, &self.plan(cx)?.uid, None))
    }

    async fn original(&self, cx: &Cx) -> Result<Manifest, StepError> {
        let found = cx.get(End::Source, self.kind, self.name).await?;
        found.ok_or_else(|| StepError::permanent(format!("{}/{} of the source was deleted during the move", self.kind.singular(), self.name)))
    }
}

impl Perform for CopyObject<'_> {
    async fn probe(&self, cx: &Cx) -> Result<Probe, StepError> {
        let Some(copy) = cx.get(End::Target, self.kind, self.name).await? else { return Ok(Probe::Absent) };
        if self.marks(cx)?.are_on(&copy) {
            return Ok(Probe::Ours(json!({"ours": true, "uid": copy.uid()})));
        }
        if same_content(&self.original(cx).await?, &copy) {
            return Ok(Probe::Ours(json!({"ours": false, "uid": copy.uid(), "remark": "an identical one was there"})));
        }
        Ok(cx.foreign(cx.reference(End::Target, self.kind, self.name), &copy))
    }

    async fn perform(&self, cx: &Cx, _before: &Value) -> Result<(), StepError> {
        let copy = rewrite_dependent(&self.original(cx).await?, &cx.target().namespace, &self.marks(cx)?);
        cx.create(End::Target, &copy).await
    }

    /// Deletes the copy if it is ours, unchanged, and nothing else has come to own or be owned through it.
    async fn undo(&self, cx: &Cx, _before: &Value, made: Option<&Value>) -> Result<Undo, StepError> {
        let Some(copy) = cx.get(End::Target, self.kind, self.name).await? else { return Ok(Undo::Done) };
        let known = made.and_then(|made| made.get("uid")).and_then(Value::as_str).is_none_or(|uid| uid == copy.uid());
        if !known || !self.marks(cx)?.are_on(&copy) {
            return Ok(Undo::Done);
        }
        // Without the original nobody can say that the copy is unchanged, so it stays.
        let original = cx.get(End::Source, self.kind, self.name).await?;
        if original.is_some_and(|original| same_content(&original, &copy)) {
            cx.delete(&copy, End::Target, Propagation::Background).await?;
        }
        Ok(Undo::Done)
    }
}
