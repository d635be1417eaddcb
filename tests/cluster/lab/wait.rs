//! The one way in which the lab waits: look, and look again a moment later. Dozens wait at the same time, so who waits long looks less often.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long a test waits for something that it did not give a limit.
pub const PATIENCE: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(50);
/// Between looks after a second or two.
const LONG_PAUSE: Duration = Duration::from_millis(500);

/// What a look found.
pub enum Look<T> {
    Done(T),
    /// Not yet; the text tells what is there instead, for the message at the end of patience.
    NotYet(String),
}

/// Looks until it is done. An error ends the wait at once; patience that runs out says what was seen last.
pub async fn until<T>(what: &str, limit: Duration, look: impl AsyncFnMut() -> Result<Look<T>>) -> Result<T> {
    paced(what, limit, LONG_PAUSE, look).await
}

/// As [`until`], for what must not be missed: it looks as often at the end as at the beginning.
pub async fn closely<T>(what: &str, limit: Duration, look: impl AsyncFnMut() -> Result<Look<T>>) -> Result<T> {
    paced(what, limit, PAUSE, look).await
}

async fn paced<T>(what: &str, limit: Duration, longest: Duration, mut look: impl AsyncFnMut() -> Result<Look<T>>) -> Result<T> {
    let (begin, mut pause) = (Instant::now(), PAUSE);
    loop {
        let seen = match look().await? {
            Look::Done(value) => return Ok(value),
            Look::NotYet(seen) => seen,
        };
        if begin.elapsed() > limit {
            bail!("waited {} s in vain for: {what} (last seen: {seen})", limit.as_secs());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(longest);
    }
}
