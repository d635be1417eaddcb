//! Writes down which fields the kinds of the sandbox have, as a laboratory's API server tells it: `KUBECONFIG=... cargo run --example fields`
//! makes `src/sandbox/fields.txt` anew.
#![allow(clippy::print_stdout, reason = "this is a program to be read on a terminal")]

mod shapes;

use std::path::Path;

use anyhow::Result;
use kube::Client;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let (text, missing) = shapes::of_server(&Client::try_default().await?).await?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sandbox/fields.txt");
    std::fs::write(&path, &text)?;
    println!("{} lines, {} bytes; not served there: {missing:?}", text.lines().count(), text.len());
    Ok(())
}
