//! Asks a run to stop at the next safe point: a signal, a pause, a lost lock.

use tokio::sync::watch;

/// Shared by whoever asks and whoever obeys. The first reason stays.
#[derive(Clone, Debug)]
pub struct Cancel(watch::Sender<Option<String>>);

impl Default for Cancel {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Cancel {
    /// Asks to stop. Requests in flight are finished.
    pub fn ask(&self, reason: &str) {
        self.0.send_if_modified(|asked| {
            let first = asked.is_none();
            asked.get_or_insert_with(|| reason.to_owned());
            first
        });
    }

    /// Why it was asked to stop, if it was.
    pub fn reason(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// Resolves once it is asked to stop.
    pub async fn asked(&self) {
        let mut seen = self.0.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = seen.wait_for(Option::is_some).await;
    }
}
