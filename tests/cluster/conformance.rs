//! What the sandbox is held to, held by the real control plane: the cases of `tests/conformance`, each a trial of its own.

use std::path::Path;

use anyhow::{Result, ensure};
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::lab::Lab;
use crate::real::Real;
use crate::runner::{Book, Case, play};
use crate::shapes;

/// All cases.
pub fn book() -> Result<Book> {
    Book::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance"))
}

/// Plays one of them, in namespaces whose names begin with this tag.
pub async fn holds(lab: &Lab, book: &Book, case: &Case, tag: &str) -> Result<()> {
    let real = Real::connect(lab.kubeconfig(), &lab.drivers()).await?;
    play(case, &book.objects, &real, tag).await
}

/// The fields that the sandbox knows of each kind are those that the API server tells of.
pub async fn the_sandbox_knows_the_fields_of_the_server(lab: &Lab) -> Result<()> {
    let file = Kubeconfig::read_from(lab.kubeconfig())?;
    let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    let (seen, missing) = shapes::of_server(&Client::try_from(config)?).await?;
    let known = include_str!("../../src/sandbox/fields.txt");
    let differ = known.lines().zip(seen.lines()).enumerate().find(|(_, (known, seen))| known != seen);
    let told = "'cargo run --example fields' makes src/sandbox/fields.txt anew";
    ensure!(differ.is_none(), "{told}: the first line that differs is {differ:?}");
    ensure!(known.lines().count() == seen.lines().count(), "{told}: it has {} lines, not {}", seen.lines().count(), known.lines().count());
    ensure!(missing == ["network-attachment-definitions.k8s.cni.cncf.io"], "the laboratory does not serve {missing:?}");
    Ok(())
}
