//! Makes the target namespace, through a ProjectRequest where only that is allowed.

use serde_json::{Value, json};

use super::cx::{Cx, fault};
use super::perform::Perform;
use crate::cluster::{Dry, Propagation, Reason};
use crate::engine::{Probe, StepError, Undo};
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::{End, LABEL_MOVE};

pub(super) struct CreateNamespace<'a> {
    pub namespace: &'a str,
}

impl Perform for CreateNamespace<'_> {
    async fn before(&self, cx: &Cx) -> Result<Value, StepError> {
        Ok(json!({"existed": cx.get(End::Target, kind::NAMESPACE, self.namespace).await?.is_some()}))
    }

    async fn probe(&self, cx: &Cx) -> Result<Probe, StepError> {
        let Some(namespace) = cx.get(End::Target, kind::NAMESPACE, self.namespace).await? else { return Ok(Probe::Absent) };
        if namespace.is_deleting() {
            return Ok(cx.foreign(cx.reference(End::Target, kind::NAMESPACE, self.namespace), &namespace));
        }
        Ok(Probe::Ours(json!({"uid": namespace.uid()})))
    }

    async fn perform(&self, cx: &Cx, _before: &Value) -> Result<(), StepError> {
        let mut namespace = Manifest::new(kind::NAMESPACE, "", self.namespace);
        namespace.set_label(LABEL_MOVE, &cx.move_id.0);
        match cx.target().cluster.create(&namespace, Dry::No).await {
            Ok(_) => Ok(()),
            Err(error) if error.reason == Reason::AlreadyExists => Ok(()),
            Err(error) if error.reason == Reason::Forbidden => {
                let request = Manifest::new(kind::PROJECT_REQUEST, "", self.namespace);
                cx.target().cluster.create(&request, Dry::No).await.map_err(|_| fault(error)).map(|_| ())
            }
            Err(error) => Err(fault(error)),
        }
    }

    /// Removes the namespace only if the move made it and nothing but what every namespace gets by itself is in it.
    async fn undo(&self, cx: &Cx, before: &Value, _made: Option<&Value>) -> Result<Undo, StepError> {
        if before.get("existed").and_then(Value::as_bool).unwrap_or(true) {
            return Ok(Undo::Done);
        }
        let Some(namespace) = cx.get(End::Target, kind::NAMESPACE, self.namespace).await? else { return Ok(Undo::Done) };
        for kind in [kind::VM, kind::CLAIM, kind::DATA_VOLUME, kind::POD, kind::SERVICE] {
            if !cx.target().cluster.list(kind, Some(self.namespace), None).await.map_err(fault)?.is_empty() {
                return Ok(Undo::Done);
            }
        }
        cx.delete(&namespace, End::Target, Propagation::Background).await?;
        Ok(Undo::Done)
    }
}
