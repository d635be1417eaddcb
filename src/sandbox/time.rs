//! The sandbox's own time: that of the runtime it lives on, perhaps faster. On a paused runtime it is virtual, and a wait costs nothing.

use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;

/// Time as the sandbox sees it. Handed in, so that who begins a sandbox decides how its time goes.
pub trait Time: Send + Sync {
    fn now(&self) -> Timestamp;
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The runtime's time, so many times as fast, beginning at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Scaled {
    begun: tokio::time::Instant,
    at: Timestamp,
    speed: u32,
}

impl Scaled {
    /// Begins now. A speed of zero counts as one.
    pub fn new(at: Timestamp, speed: u32) -> Self {
        Self { begun: tokio::time::Instant::now(), at, speed: speed.max(1) }
    }
}

#[allow(clippy::disallowed_methods)] // The one place of the sandbox that may.
impl Time for Scaled {
    fn now(&self) -> Timestamp {
        self.at + self.begun.elapsed() * self.speed
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration / self.speed))
    }
}
