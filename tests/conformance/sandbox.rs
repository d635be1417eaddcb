//! The sandbox as a backend: no sockets, and time that does not pass while nothing happens.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::ServiceExt;
use vmmove::sandbox::catalog::{CLAIM, VOLUME};
use vmmove::sandbox::scenario;
use vmmove::sandbox::server::Sandbox;
use vmmove::sandbox::time::{Scaled, Time};
use vmmove::sandbox::world::World;

use super::runner::{Backend, Lines};

/// A cluster of one case.
pub struct Simulated {
    sandbox: Sandbox,
    time: Scaled,
    begun: jiff::Timestamp,
}

impl Simulated {
    /// A cluster as all scenarios begin, alive on this runtime.
    pub fn begin(seed: u64) -> Result<Self> {
        let begun: jiff::Timestamp = "2026-01-01T00:00:00Z".parse()?;
        let time = Scaled::new(begun, 1);
        let sandbox = Sandbox::new(seed, Arc::new(time));
        sandbox.with(|world| {
            scenario::begin(world)?;
            // No server remembers how it began.
            world.store.compact(world.store.version());
            anyhow::Ok(())
        })?;
        tokio::spawn(sandbox.clone().live());
        Ok(Self { sandbox, time, begun })
    }

    async fn open(&self, request: Request<Vec<u8>>) -> Result<Response<vmmove::sandbox::wire::Body>> {
        Ok(self.sandbox.clone().oneshot(request.map(|body| Full::<Bytes>::from(as_the_sandbox_says(body)))).await?)
    }
}

/// How guests are steered on the real control plane, and in the sandbox.
const GUESTS: &[(&str, &str)] =
    &[(r#""lab/guest":"poweroff""#, r#""sandbox/powers-off-after-seconds":"1""#), (r#""lab/stop-after":"2s""#, r#""sandbox/shutdown-seconds":"2""#)];

/// A body in which guests are steered as the sandbox does it.
fn as_the_sandbox_says(body: Vec<u8>) -> Vec<u8> {
    match String::from_utf8(body) {
        Ok(text) => GUESTS.iter().fold(text, |text, (theirs, ours)| text.replace(theirs, ours)).into_bytes(),
        Err(bytes) => bytes.into_bytes(),
    }
}

fn handle(world: &World, namespace: &str, claim: &str) -> Result<String> {
    let claim = world.get(&CLAIM, namespace, claim).context("no such claim")?;
    let volume = claim["spec"]["volumeName"].as_str().context("the claim has no volume")?;
    let volume = world.get(&VOLUME, "", volume).context("no such volume")?;
    volume.pointer("/spec/csi/volumeHandle").and_then(Value::as_str).map(str::to_owned).context("a volume without a handle")
}

impl Backend for Simulated {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>> {
        let (head, body) = self.open(request).await?.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes().to_vec()))
    }

    async fn watch(&self, request: Request<Vec<u8>>) -> Result<Response<Lines>> {
        let (head, body) = self.open(request).await?.into_parts();
        let pieces = body.into_data_stream().flat_map(|piece| {
            let text = piece.map(|piece| String::from_utf8_lossy(&piece).into_owned()).unwrap_or_default();
            stream::iter(text.lines().map(|line| Ok(line.to_owned())).collect::<Vec<_>>())
        });
        Ok(Response::from_parts(head, pieces.boxed_local()))
    }

    async fn sleep(&self, time: Duration) {
        self.time.sleep(time).await;
    }

    fn now(&self) -> Duration {
        Duration::try_from(self.time.now().duration_since(self.begun)).unwrap_or_default()
    }

    async fn write(&self, namespace: &str, claim: &str, bytes: &[u8]) -> Result<()> {
        self.sandbox.with(|world| {
            let handle = handle(world, namespace, claim)?;
            ensure!(world.disks.write(&handle, bytes), "volume {handle} has no disk");
            Ok(())
        })
    }

    async fn read(&self, namespace: &str, claim: &str) -> Result<Vec<u8>> {
        self.sandbox.with(|world| {
            let handle = handle(world, namespace, claim)?;
            Ok(world.disks.read(&handle).with_context(|| format!("volume {handle} has no disk"))?.to_vec())
        })
    }
}
