//! What every step can be asked.

use serde_json::Value;

use super::cx::Cx;
use crate::cluster::Topic;
use crate::engine::{Probe, StepError, Undo};
use crate::model::names::End;

/// One step's twin that acts.
pub(super) trait Perform {
    /// What undoing will need to know. Journalled before the effect.
    async fn before(&self, _cx: &Cx) -> Result<Value, StepError> {
        Ok(Value::Null)
    }

    /// Looks whether it is there.
    async fn probe(&self, cx: &Cx) -> Result<Probe, StepError>;

    /// Brings it further.
    async fn perform(&self, cx: &Cx, before: &Value) -> Result<(), StepError>;

    /// Takes it back, also when it is there only in part.
    async fn undo(&self, _cx: &Cx, _before: &Value, _made: Option<&Value>) -> Result<Undo, StepError> {
        Ok(Undo::Done)
    }

    /// Whether undoing it while it is under way loses nothing.
    async fn loses_nothing(&self, _cx: &Cx) -> Result<bool, StepError> {
        Ok(false)
    }

    /// What it waits for, forward and back.
    fn topics(&self, _cx: &Cx) -> Vec<(End, Topic)> {
        Vec::new()
    }
}
