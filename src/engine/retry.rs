//! Tries transient failures again: full jitter, growing, within a budget of time.

use std::future::Future;
use std::time::Duration;

use super::StepError;
use super::cancel::Cancel;
use super::clock::{Clock, Rng};

/// How long one call may keep failing before its failure counts.
const BUDGET: Duration = Duration::from_secs(300);
const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(20);

/// Waits between tries.
pub struct Retry<'a> {
    pub clock: &'a dyn Clock,
    pub rng: &'a dyn Rng,
    /// Any of them ends the trying.
    pub stops: [&'a Cancel; 2],
}

impl Retry<'_> {
    /// Calls until it works, fails for good, the budget is spent, or the run is asked to stop (then with the last failure).
    pub async fn again<T, F: Future<Output = Result<T, StepError>>>(
        &self,
        mut call: impl FnMut() -> F,
        mut tell: impl FnMut(&str, Duration),
    ) -> Result<T, StepError> {
        let began = self.clock.elapsed();
        let mut ceiling = FIRST;
        loop {
            let cause = match call().await {
                Err(StepError::Transient(cause)) => cause,
                other => return other,
            };
            if self.is_stopped() || self.clock.elapsed().saturating_sub(began) > BUDGET {
                return Err(StepError::Transient(cause));
            }
            let pause = jitter(ceiling, self.rng.next());
            tell(&cause.0, pause);
            tokio::select! {
                biased;
                () = self.clock.sleep(pause) => {}
                () = self.stops[0].asked() => {}
                () = self.stops[1].asked() => {}
            }
            if self.is_stopped() {
                return Err(StepError::Transient(cause));
            }
            ceiling = (ceiling * 2).min(LONGEST);
        }
    }

    fn is_stopped(&self) -> bool {
        self.stops.iter().any(|stop| stop.reason().is_some())
    }
}

/// Somewhere between a tenth of the ceiling and the ceiling.
fn jitter(ceiling: Duration, random: u64) -> Duration {
    ceiling / 10 + ceiling.mul_f64(0.9 * f64::from(u32::try_from(random >> 32).unwrap_or(0)) / f64::from(u32::MAX))
}
