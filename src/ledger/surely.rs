//! Writes whose outcome is made sure of: an answer that got lost is looked up before anything is sent again.

use std::time::Duration;

use crate::cluster::{ApiError, Cluster, Dry, Reason};
use crate::engine::clock::Clock;
use crate::model::manifest::Manifest;
use crate::model::names::{End, ObjectRef};

/// How long a write is tried in all.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);

/// Whether only a look can tell what to do next.
pub(super) fn wants_a_look(error: &ApiError) -> bool {
    error.may_have_happened() || matches!(error.reason, Reason::Conflict | Reason::AlreadyExists | Reason::NotFound)
}

/// Waits before another try; hands the error back when `until` would have passed.
pub(super) async fn pause(clock: &dyn Clock, until: Duration, error: ApiError) -> Result<(), ApiError> {
    let pause = error.retry_after.unwrap_or(PAUSE);
    if clock.elapsed() + pause > until {
        return Err(error);
    }
    clock.sleep(pause).await;
    Ok(())
}

/// Writes an object that this process alone writes: creates it, or replaces it when the manifest has a resource version. `same`
/// tells the object as written from what somebody else made of it.
///
/// # Errors
/// `AlreadyExists` or `Conflict` when somebody else's is there; otherwise the server's last word after [`PATIENCE`].
pub(super) async fn write(
    cluster: &Cluster,
    clock: &dyn Clock,
    manifest: &Manifest,
    same: impl Fn(&Manifest, &Manifest) -> bool,
) -> Result<Manifest, ApiError> {
    let until = clock.elapsed() + PATIENCE;
    let object = ObjectRef {
        end: End::Source,
        kind: manifest.kind().ok_or_else(|| ApiError::new(Reason::Other, 0, "an object of an unknown kind cannot be written"))?,
        namespace: manifest.namespace().map(str::to_owned),
        name: manifest.name().to_owned(),
    };
    loop {
        let sent =
            if manifest.resource_version().is_empty() { cluster.create(manifest, Dry::No).await } else { cluster.replace(manifest, Dry::No).await };
        let error = match sent {
            Ok(written) => return Ok(written),
            Err(error) => error,
        };
        if wants_a_look(&error) {
            match cluster.get(&object).await {
                Ok(Some(found)) if same(&found, manifest) => return Ok(found),
                Err(unseen) if !unseen.is_transient() => return Err(unseen),
                _ => {}
            }
        }
        if !error.is_transient() {
            return Err(error);
        }
        pause(clock, until, error).await?;
    }
}

/// Whether two ConfigMaps hold the same.
pub(super) fn same_data(one: &Manifest, other: &Manifest) -> bool {
    one.at("/data") == other.at("/data") && one.at("/binaryData") == other.at("/binaryData")
}
