//! What the sandbox is held to, held by the real control plane: the cases of `tests/conformance`, each a trial of its own.

use std::path::Path;

use anyhow::Result;

use crate::lab::Lab;
use crate::real::Real;
use crate::runner::{Book, Case, play};

/// All cases.
pub fn book() -> Result<Book> {
    Book::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance"))
}

/// Plays one of them, in namespaces whose names begin with this tag.
pub async fn holds(lab: &Lab, book: &Book, case: &Case, tag: &str) -> Result<()> {
    let real = Real::connect(lab.kubeconfig(), &lab.drivers()).await?;
    play(case, &book.objects, &real, tag).await
}
