//! Storage drivers: what a class makes them do, how long it takes and what they refuse.
//!
//! A class's annotations, or parameters, say how its driver behaves:
//!
//! | name | meaning |
//! |---|---|
//! | `sandbox/create-seconds`, `sandbox/clone-seconds`, `sandbox/expand-seconds`, `sandbox/snapshot-seconds` | how long it takes (a snapshot's on its own class) |
//! | `sandbox/refuse`, `sandbox/refuse-clones`, `sandbox/refuse-expansion` | the refusal: a gRPC code and words, such as `ResourceExhausted no space left` |
//! | `sandbox/round` | sizes are multiples of this, such as `8Gi` |
//! | `sandbox/absent` | `true`: nobody is there who would do anything |
//!
//! Cases: `csi/a-clone-goes-to-another-class-of-the-same-driver`, `csi/a-capacity-is-said-in-the-unit-that-fits`.

use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::binding::annotation;
use crate::sandbox::quantity::Quantity;

/// What a class, of storage or of snapshots, says about its driver.
pub fn setting<'v>(class: &'v Value, name: &str) -> Option<&'v str> {
    let name = format!("sandbox/{name}");
    annotation(class, &name).or_else(|| class.get("parameters")?.get(&name)?.as_str())
}

/// How long something takes; a tenth of a second where nothing is said.
pub fn takes(class: &Value, what: &str) -> Duration {
    let seconds = setting(class, what).and_then(|text| text.parse::<f64>().ok());
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(Duration::from_millis(100))
}

/// What a driver answers instead of doing something.
#[derive(Debug, PartialEq)]
pub struct Refusal {
    pub code: String,
    pub words: String,
}

impl Refusal {
    /// As the sidecars repeat it (google.golang.org/grpc `status.Error`).
    pub fn told(&self) -> String {
        format!("rpc error: code = {} desc = {}", self.code, self.words)
    }

    /// Whether it would be refused again however often it is asked for.
    pub fn is_infeasible(&self) -> bool {
        self.code == "InvalidArgument"
    }
}

/// What a class says its driver refuses.
pub fn refusal(class: &Value, what: &str) -> Option<Refusal> {
    const CODES: [&str; 9] = [
        "InvalidArgument",
        "ResourceExhausted",
        "OutOfRange",
        "NotFound",
        "Internal",
        "Unavailable",
        "Aborted",
        "DeadlineExceeded",
        "FailedPrecondition",
    ];
    let said = setting(class, what)?;
    let (first, rest) = said.split_once(' ').unwrap_or((said, ""));
    let (code, words) = if CODES.contains(&first) { (first, rest) } else { ("InvalidArgument", said) };
    Some(Refusal { code: code.to_owned(), words: words.to_owned() })
}

/// The size that a driver makes of one asked for.
pub fn rounded(class: &Value, size: i64) -> i64 {
    let step = setting(class, "round").and_then(Quantity::parse).map_or(1, Quantity::value).max(1);
    size.saturating_add(step - 1) / step * step
}

/// The handle of what is created under a name: the same for the same name, as the specification of CSI wants it.
pub fn handle(kind: &str, name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    let number = digest.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    format!("{kind}-{number:016x}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_class_says_how_its_driver_behaves() {
        let class = json!({"metadata": {"annotations": {"sandbox/clone-seconds": "30", "sandbox/refuse": "ResourceExhausted no space"}},
            "parameters": {"sandbox/round": "8Gi"}});
        assert_eq!(takes(&class, "clone-seconds"), Duration::from_secs(30));
        assert_eq!(takes(&class, "create-seconds"), Duration::from_millis(100));
        assert_eq!(refusal(&class, "refuse").map(|refusal| refusal.told()).as_deref(), Some("rpc error: code = ResourceExhausted desc = no space"));
        assert_eq!(refusal(&class, "refuse-clones"), None);
        assert_eq!(rounded(&class, 1), 8 << 30);
        assert_eq!(rounded(&class, 8 << 30), 8 << 30);
        assert_eq!(rounded(&json!({}), 5), 5);
    }

    #[test]
    fn words_without_a_code_are_an_invalid_argument() {
        let class = json!({"metadata": {"annotations": {"sandbox/refuse": "not that one"}}});
        let refusal = refusal(&class, "refuse");
        assert!(refusal.as_ref().is_some_and(|refusal| refusal.is_infeasible() && refusal.words == "not that one"));
    }
}
