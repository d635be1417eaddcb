//! Stories of a Lease.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::ledger::store::{Fault, Store};
use crate::ledger::tests::clock;

fn alice() -> Holder {
    Holder { number: 1, name: "alice".into() }
}

fn bob() -> Holder {
    Holder { number: 2, name: "bob".into() }
}

fn id() -> MoveId {
    MoveId("shop-to-prod-7k2fq".into())
}

async fn take(cluster: &Cluster, me: &Holder) -> Result<Lease, NotAcquired> {
    acquire(cluster, "shop", &id(), me, clock()).await
}

async fn held(cluster: &Cluster, me: &Holder) -> Held {
    match take(cluster, me).await {
        Err(NotAcquired::Held(held)) => *held,
        _ => panic!("the lease should be held"),
    }
}

/// Keeps a lease alive for so long, or until it asks to stop; says why it did.
async fn kept(lease: &Lease, seconds: u64) -> Option<String> {
    let cancel = Cancel::default();
    tokio::select! {
        () = lease.keep_alive(&cancel) => {}
        () = lease.place.clock.sleep(Duration::from_secs(seconds)) => {}
    }
    cancel.reason()
}

#[tokio::test(start_paused = true)]
async fn a_live_holder_is_left_alone_and_a_released_lease_is_free() {
    let store = Store::default();
    let (cluster, log) = store.cluster();
    let lease = take(&cluster, &alice()).await.ok().unwrap();
    assert_eq!(kept(&lease, 65).await, None);
    assert_eq!(log.len(), 1 + 1 + 6, "a look, a write, and six renewals");
    let other = held(&cluster, &bob()).await;
    assert_eq!((other.holder.as_str(), other.since.len()), ("alice", "2026-01-02T03:04:05.000000Z".len()));
    let waiting = async { tokio::join!(other.wait_until_stale(), kept(&lease, 15)).0 };
    assert!(matches!(waiting.await, Err(NotAcquired::Held(held)) if held.holder == "alice"));
    // A renewal whose answer was lost does not keep it from being released.
    store.fail([Fault::LostReply]);
    assert_eq!(kept(&lease, 15).await, None);
    lease.release().await.unwrap();
    assert!(take(&cluster, &bob()).await.is_ok());
    lease.release().await.unwrap();
    assert_eq!(held(&cluster, &alice()).await.holder, "bob", "what is another's is not released");
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_went_silent_is_replaced_and_stops_when_it_wakes() {
    let store = Store::default();
    let (cluster, _) = store.cluster();
    let asleep = take(&cluster, &alice()).await.ok().unwrap();
    let other = held(&cluster, &bob()).await;
    let before = other.place.clock.elapsed();
    assert!(other.wait_until_stale().await.is_ok());
    assert!(other.place.clock.elapsed().saturating_sub(before) >= EXPIRY);
    assert!(other.replace(&bob()).await.is_ok());
    assert_eq!(kept(&asleep, 60).await.unwrap(), "move shop-to-prod-7k2fq is carried by bob now");
}

#[tokio::test(start_paused = true)]
async fn who_cannot_renew_for_a_minute_stops() {
    let store = Store::default();
    let (cluster, _) = store.cluster();
    let lease = take(&cluster, &alice()).await.ok().unwrap();
    store.drop_object("vmmove-shop-to-prod-7k2fq");
    assert_eq!(kept(&lease, 25).await, None, "a lease that somebody tidied away is made again");
    store.fail([Fault::Status(503, "ServiceUnavailable"); 20]);
    assert!(kept(&lease, 300).await.unwrap().starts_with("the cluster could not be told for 60 s"));
}
