//! A value that several look at, and a bell that rings when it changes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Who waits is woken in the order in which they began to. Tokio's own `watch` wakes in an order of chance, and a run could not be told again.
#[derive(Debug, Default)]
pub struct Bell<T> {
    value: Mutex<T>,
    rings: Notify,
}

impl<T> Bell<T> {
    /// Changes the value and rings.
    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let changed = change(&mut self.lock());
        self.rings.notify_waiters();
        changed
    }

    /// Looks at the value as it is now.
    pub fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.lock())
    }

    /// Resolves when the value is seen to be so, now or after a change.
    pub async fn until(&self, mut is_so: impl FnMut(&T) -> bool) {
        loop {
            let mut rung = std::pin::pin!(self.rings.notified());
            // Before looking: a change in between is heard.
            rung.as_mut().enable();
            if self.look(&mut is_so) {
                return;
            }
            rung.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
