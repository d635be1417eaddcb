//! Time and chance, handed in: tests pause the one and seed the other.

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
