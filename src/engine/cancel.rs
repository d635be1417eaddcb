//! Asks a run to stop at the next safe point: a signal, a pause, a lost lock.

use std::sync::Arc;

use super::bell::Bell;

/// Shared by whoever asks and whoever obeys. The first reason stays.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<Bell<Option<String>>>);

impl Cancel {
    /// Asks to stop. Requests in flight are finished.
    pub fn ask(&self, reason: &str) {
        self.0.change(|asked| {
            asked.get_or_insert_with(|| reason.to_owned());
        });
    }

    /// Why it was asked to stop, if it was.
    pub fn reason(&self) -> Option<String> {
        self.0.look(Clone::clone)
    }

    /// Resolves once it is asked to stop.
    pub async fn asked(&self) {
        self.0.until(Option::is_some).await;
    }
}
