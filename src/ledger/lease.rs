//! Who is alive: one Lease per move, renewed while a process carries it. A sign of life, not the lock; that is the fence, and the journal.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::chain::holder_of;
use super::surely::{self, wants_a_look};
use super::{ANNOTATION_HOLDER, LABEL_LEDGER, object_name};
use crate::cluster::{About, ApiError, Cluster, Dry, Reason, Topic};
use crate::engine::cancel::Cancel;
use crate::engine::clock::Clock;
use crate::model::failure::Failure;
use crate::model::journal::Holder;
use crate::model::json::Json;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::{End, LABEL_MOVE, MoveId, ObjectRef};

/// A holder that has not renewed for so long counts as gone.
pub const EXPIRY: Duration = Duration::from_secs(60);
/// So often a holder renews.
const RENEWAL: Duration = Duration::from_secs(10);

/// The sign of life of this process.
pub struct Lease {
    place: Place,
    me: Holder,
    stored: Mutex<Manifest>,
}

/// Another process's sign of life.
pub struct Held {
    /// Who, for people.
    pub holder: String,
    /// When it was renewed last, by its own clock (RFC 3339); empty when it does not say.
    pub since: String,
    place: Place,
    stored: Manifest,
    /// When this process first saw it as it is, by `Clock::elapsed`.
    seen: Duration,
}

/// Why the Lease was not acquired.
pub enum NotAcquired {
    Held(Box<Held>),
    Failed(Failure),
}

/// Where a Lease is, and time.
#[derive(Clone)]
struct Place {
    cluster: Cluster,
    object: ObjectRef,
    id: MoveId,
    clock: Arc<dyn Clock>,
}

/// Shows that `me` carries the move now.
///
/// # Errors
/// [`NotAcquired::Held`] at once when another process has not released it: whether to wait until that one is stale is for the caller.
pub async fn acquire(cluster: &Cluster, namespace: &str, id: &MoveId, me: &Holder, clock: Arc<dyn Clock>) -> Result<Lease, NotAcquired> {
    let object = ObjectRef::namespaced(End::Source, kind::LEASE, namespace, &object_name(id));
    let place = Place { cluster: cluster.clone(), object, id: id.clone(), clock };
    let found = place.get().await?;
    match found {
        Some(found) if is_held(&found) => Err(place.held(found)),
        found => place.write(found, me).await,
    }
}

impl Held {
    /// Resolves once the holder has not renewed for [`EXPIRY`], counted by this process's clock from when it first looked, or has released it.
    ///
    /// # Errors
    /// [`NotAcquired::Held`] when it was renewed: somebody carries the move.
    pub async fn wait_until_stale(&self) -> Result<(), NotAcquired> {
        let clock = &self.place.clock;
        let mut wakes = self.place.cluster.watch(&[self.place.topic()]);
        loop {
            match self.place.get().await? {
                Some(found) if is_held(&found) && found.resource_version() != self.stored.resource_version() => return Err(self.place.held(found)),
                Some(found) if is_held(&found) => {}
                _ => return Ok(()),
            }
            let unchanged = clock.elapsed().saturating_sub(self.seen);
            if unchanged >= EXPIRY {
                return Ok(());
            }
            tokio::select! {
                biased;
                () = wakes.next() => {}
                () = clock.sleep(EXPIRY.saturating_sub(unchanged)) => {}
            }
        }
    }

    /// Puts `me` in the place of a holder that is stale or has released it.
    ///
    /// # Errors
    /// [`NotAcquired::Held`] when it was renewed, or somebody else was quicker.
    pub async fn replace(self, me: &Holder) -> Result<Lease, NotAcquired> {
        let found = self.place.get().await?;
        match found {
            Some(found) if is_held(&found) && found.resource_version() != self.stored.resource_version() => Err(self.place.held(found)),
            found => self.place.write(found, me).await,
        }
    }
}

impl Lease {
    /// Renews until it is dropped. Asks `cancel` to stop, and ends, when somebody else is in the Lease or it could not be renewed for [`EXPIRY`].
    pub async fn keep_alive(&self, cancel: &Cancel) {
        let clock = &self.place.clock;
        let mut renewed = clock.elapsed();
        loop {
            clock.sleep(RENEWAL).await;
            let error = match self.renew().await {
                Ok(Renewal::Renewed) => {
                    renewed = clock.elapsed();
                    continue;
                }
                Ok(Renewal::Other(name)) => return cancel.ask(&format!("move {} is carried by {name} now", self.place.id)),
                Err(error) => error,
            };
            tracing::debug!("the lease could not be renewed: {error}");
            if clock.elapsed().saturating_sub(renewed) >= EXPIRY {
                return cancel.ask(&format!("the cluster could not be told for {} s that this process is alive: {error}", EXPIRY.as_secs()));
            }
        }
    }

    /// Says that this process carries the move no longer. Does nothing when somebody else does already.
    pub async fn release(&self) -> Result<(), Failure> {
        let place = &self.place;
        let mut lease = self.stored();
        loop {
            lease.remove("/spec/holderIdentity");
            lease.set("/spec/renewTime", now(&*place.clock));
            match surely::write(&place.cluster, &*place.clock, &lease, same_spec).await {
                Err(error) if error.reason == Reason::Conflict => {}
                Err(error) if !error.is_not_found() => return Err(error.into()),
                _ => return Ok(()),
            }
            // A renewal that was cut short may have changed it: ours is released all the same.
            match place.cluster.get(&place.object).await? {
                Some(found) if is_held(&found) && holder_of(&found) == self.me => lease = found,
                _ => return Ok(()),
            }
        }
    }

    async fn renew(&self) -> Result<Renewal, ApiError> {
        let mut next = self.stored();
        next.set("/spec/renewTime", now(&*self.place.clock));
        let error = match self.place.cluster.replace(&next, Dry::No).await {
            Ok(written) => {
                self.keep(written);
                return Ok(Renewal::Renewed);
            }
            Err(error) if wants_a_look(&error) => error,
            Err(error) => return Err(error),
        };
        match self.place.cluster.get(&self.place.object).await? {
            Some(found) if holder_of(&found) == self.me && is_held(&found) => {
                let landed = same_spec(&found, &next);
                self.keep(found);
                // Otherwise the next round renews it from what was found.
                if landed { Ok(Renewal::Renewed) } else { Err(error) }
            }
            Some(found) => Ok(Renewal::Other(name_of(&found))),
            None => {
                // Somebody tidied it away. It is only a sign of life: show it again.
                let written = self.place.cluster.create(&self.place.lease(None, &self.me), Dry::No).await?;
                self.keep(written);
                Ok(Renewal::Renewed)
            }
        }
    }

    fn stored(&self) -> Manifest {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, stored: Manifest) {
        *self.stored.lock().unwrap_or_else(PoisonError::into_inner) = stored;
    }
}

enum Renewal {
    Renewed,
    Other(String),
}

impl Place {
    async fn get(&self) -> Result<Option<Manifest>, NotAcquired> {
        self.cluster.get(&self.object).await.map_err(|error| NotAcquired::Failed(error.into()))
    }

    fn held(&self, stored: Manifest) -> NotAcquired {
        NotAcquired::Held(Box::new(Held {
            holder: name_of(&stored),
            since: stored.text("/spec/renewTime").unwrap_or_default().to_owned(),
            place: self.clone(),
            seen: self.clock.elapsed(),
            stored,
        }))
    }

    /// Writes `me` into the Lease as it was found, unless somebody was quicker.
    async fn write(&self, found: Option<Manifest>, me: &Holder) -> Result<Lease, NotAcquired> {
        let wanted = self.lease(found, me);
        match surely::write(&self.cluster, &*self.clock, &wanted, same_spec).await {
            Ok(stored) => Ok(Lease { place: self.clone(), me: me.clone(), stored: Mutex::new(stored) }),
            Err(error) if matches!(error.reason, Reason::Conflict | Reason::AlreadyExists) => match self.get().await? {
                Some(found) if is_held(&found) => Err(self.held(found)),
                _ => Err(NotAcquired::Failed(error.into())),
            },
            Err(error) => Err(NotAcquired::Failed(error.into())),
        }
    }

    fn lease(&self, found: Option<Manifest>, me: &Holder) -> Manifest {
        let mut lease = found.unwrap_or_else(|| {
            let mut lease = Manifest::new(kind::LEASE, self.object.namespace.as_deref().unwrap_or_default(), &self.object.name);
            lease.set_label(LABEL_MOVE, &self.id.0);
            lease.set_label(LABEL_LEDGER, "lease");
            lease
        });
        let transitions = lease.at("/spec/leaseTransitions").and_then(Json::as_i64).unwrap_or(-1);
        lease.set_annotation(ANNOTATION_HOLDER, &serde_json::json!(me).to_string());
        lease.set("/spec/holderIdentity", me.name.clone().into());
        lease.set("/spec/leaseDurationSeconds", EXPIRY.as_secs().into());
        lease.set("/spec/leaseTransitions", transitions.saturating_add(1).into());
        lease.set("/spec/acquireTime", now(&*self.clock));
        lease.set("/spec/renewTime", now(&*self.clock));
        lease
    }

    fn topic(&self) -> Topic {
        Topic { kind: kind::LEASE, namespace: self.object.namespace.clone(), name: Some(self.object.name.clone()), labels: None, about: About::All }
    }
}

fn is_held(lease: &Manifest) -> bool {
    !name_of(lease).is_empty()
}

fn name_of(lease: &Manifest) -> String {
    lease.text("/spec/holderIdentity").unwrap_or_default().to_owned()
}

fn same_spec(one: &Manifest, other: &Manifest) -> bool {
    one.at("/spec") == other.at("/spec") && holder_of(one) == holder_of(other)
}

/// The time as a MicroTime, whose six digits the server insists on (kubernetes/apimachinery `pkg/apis/meta/v1/micro_time.go`).
fn now(clock: &dyn Clock) -> Value {
    format!("{:.6}", clock.now()).into()
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
