//! The one way in which the lab waits: look, and look again 50 ms later.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long a test waits for something that it did not give a limit.
pub const PATIENCE: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(50);

/// What a look found.
pub enum Look<T> {
    Done(T),
    /// Not yet; the text tells what is there instead, for the message at the end of patience.
    NotYet(String),
}

/// Looks until it is done. An error ends the wait at once; patience that runs out says what was seen last.
pub async fn until<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Result<Look<T>>) -> Result<T> {
    let begin = Instant::now();
    loop {
        let seen = match look().await? {
            Look::Done(value) => return Ok(value),
            Look::NotYet(seen) => seen,
        };
        if begin.elapsed() > limit {
            bail!("waited {} s in vain for: {what} (last seen: {seen})", limit.as_secs());
        }
        tokio::time::sleep(PAUSE).await;
    }
}
