//! A real control plane as a backend: requests through `kube`'s client as they are, volumes as the files of the tests' CSI drivers.

#![allow(clippy::disallowed_methods, reason = "a real control plane goes by the real clock")]

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::{Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;

use super::runner::{Backend, Lines};

/// As much as is read of a disk.
const BEGINNING: u64 = 4096;

/// A control plane that runs.
pub struct Real {
    client: Client,
    /// Holds a folder `<driver>/data/<handle>` for each volume.
    drivers: PathBuf,
    begun: Instant,
}

impl Real {
    /// Connects as the user of a kubeconfig. Each request is sent just once.
    pub async fn connect(kubeconfig: &Path, drivers: &Path) -> Result<Self> {
        let file = Kubeconfig::read_from(kubeconfig)?;
        let mut config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        config.default_retry = false;
        Ok(Self { client: Client::try_from(config)?, drivers: drivers.to_owned(), begun: Instant::now() })
    }

    async fn open(&self, request: Request<Vec<u8>>) -> Result<Response<Body>> {
        Ok(self.client.send(request.map(Body::from)).await?)
    }

    async fn object(&self, path: String) -> Result<Value> {
        let reply = self.send(Request::get(&path).body(Vec::new())?).await?;
        serde_json::from_slice(reply.body()).with_context(|| path)
    }

    async fn disk(&self, namespace: &str, claim: &str) -> Result<PathBuf> {
        let claim = self.object(format!("/api/v1/namespaces/{namespace}/persistentvolumeclaims/{claim}")).await?;
        let volume = claim["spec"]["volumeName"].as_str().context("the claim has no volume")?;
        let volume = self.object(format!("/api/v1/persistentvolumes/{volume}")).await?;
        let text = |field: &str| volume["spec"]["csi"][field].as_str().with_context(|| format!("a volume without {field}"));
        Ok(self.drivers.join(text("driver")?).join("data").join(text("volumeHandle")?).join("disk.img"))
    }
}

impl Backend for Real {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>> {
        let (head, body) = self.open(request).await?.into_parts();
        let bytes = body.collect().await?.to_bytes();
        Ok(Response::from_parts(head, bytes.to_vec()))
    }

    async fn watch(&self, request: Request<Vec<u8>>) -> Result<Response<Lines>> {
        let (head, body) = self.open(request).await?.into_parts();
        let chunks = body.into_data_stream().map(|chunk| Ok(chunk?));
        Ok(Response::from_parts(head, lines(chunks).boxed_local()))
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    async fn write(&self, namespace: &str, claim: &str, bytes: &[u8]) -> Result<()> {
        let path = self.disk(namespace, claim).await?;
        let mut file = OpenOptions::new().write(true).open(&path).with_context(|| path.display().to_string())?;
        Ok(file.write_all(bytes)?)
    }

    async fn read(&self, namespace: &str, claim: &str) -> Result<Vec<u8>> {
        let path = self.disk(namespace, claim).await?;
        let mut bytes = Vec::new();
        File::open(&path).with_context(|| path.display().to_string())?.take(BEGINNING).read_to_end(&mut bytes)?;
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(end);
        Ok(bytes)
    }
}

/// Whole lines of a stream of pieces.
fn lines(chunks: impl Stream<Item = Result<Bytes>> + Unpin) -> impl Stream<Item = Result<String>> {
    stream::unfold((chunks, Vec::new()), async |(mut chunks, mut held): (_, Vec<u8>)| {
        loop {
            if let Some(end) = held.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = held.drain(..=end).collect();
                return Some((Ok(String::from_utf8_lossy(&line).trim_end().to_owned()), (chunks, held)));
            }
            match chunks.next().await {
                Some(Ok(chunk)) => held.extend_from_slice(&chunk),
                Some(Err(error)) => return Some((Err(error), (chunks, Vec::new()))),
                None if held.is_empty() => return None,
                None => return Some((Ok(String::from_utf8_lossy(&held).into_owned()), (chunks, Vec::new()))),
            }
        }
    })
}
