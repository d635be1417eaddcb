//! Time and chance, handed in: tests pause the one and seed the other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;

/// Tells time and sleeps. `elapsed` never goes back and is what deadlines are judged by; `now` is for people and records.
pub trait Clock: Send + Sync {
    /// Time since some fixed point.
    fn elapsed(&self) -> Duration;
    /// The wall clock.
    fn now(&self) -> jiff::Timestamp;
    /// Sleeps.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// Gives random numbers. Only for names and jitter, never for secrets.
pub trait Rng: Send + Sync {
    fn next(&self) -> u64;
}

/// Five characters that read well aloud, as Kubernetes makes name suffixes.
///
/// The alphabet is that of kubernetes/apimachinery `pkg/util/rand/rand.go`: no vowels, no look-alikes.
pub fn tail(rng: &dyn Rng) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut number = rng.next();
    (0..5)
        .map(|_| {
            let index = usize::try_from(number % ALPHABET.len() as u64).unwrap_or_default();
            number /= ALPHABET.len() as u64;
            char::from(ALPHABET[index])
        })
        .collect()
}

/// The computer's clock. In tests it follows tokio's paused time.
#[derive(Clone, Copy, Debug)]
pub struct System {
    start: tokio::time::Instant,
}

impl System {
    /// A clock whose `elapsed` counts from now.
    pub fn new() -> Self {
        Self { start: tokio::time::Instant::now() }
    }
}

impl Default for System {
    fn default() -> Self {
        Self::new()
    }
}

#[allow(clippy::disallowed_methods)] // The one place that may ask the computer.
impl Clock for System {
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Chance from the operating system, by way of the keys that the standard library's hash maps start from.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn next(&self) -> u64 {
        use std::hash::{BuildHasher, Hasher};
        std::hash::RandomState::new().build_hasher().finish()
    }
}

/// The numbers that follow from a seed: the same story each time (Knuth's linear congruential generator, MMIX).
#[derive(Debug)]
pub struct Seeded(AtomicU64);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Rng for Seeded {
    fn next(&self) -> u64 {
        let step = |number: u64| number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |number| Some(step(number)));
        step(before.unwrap_or_else(|number| number)) >> 11
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_differ_and_read_well() {
        let (one, other) = (tail(&SystemRng), tail(&SystemRng));
        assert_ne!(one, other);
        assert!(one.chars().all(|c| c.is_ascii_alphanumeric() && !"aeiou013".contains(c)), "{one}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_system_clock_follows_paused_time() {
        let clock = System::new();
        clock.sleep(Duration::from_secs(60)).await;
        assert!(clock.elapsed() >= Duration::from_secs(60));
    }
}
