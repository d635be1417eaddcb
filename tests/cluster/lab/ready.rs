//! How to tell that a program is ready.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use http::uri::PathAndQuery;
use http::{Request, Uri};

use super::wait::Look;

/// The sign by which a program shows that it is ready.
#[derive(Clone)]
pub enum Ready {
    /// It is enough that it runs: it works off queues.
    Running,
    /// A file (a socket) appears.
    File(PathBuf),
    /// A URL answers 2xx, with this text in it.
    Says(String, &'static str),
}

impl Ready {
    /// Looks for the sign, once.
    pub async fn look(&self) -> Look<()> {
        match self {
            Self::Running => Look::Done(()),
            Self::File(path) if path.exists() => Look::Done(()),
            Self::File(path) => Look::NotYet(format!("no {}", path.display())),
            Self::Says(url, text) => match ask(url).await {
                Ok(body) if body.contains(text) => Look::Done(()),
                Ok(body) => Look::NotYet(body),
                Err(error) => Look::NotYet(format!("{error:#}")),
            },
        }
    }
}

/// Asks without credentials and without a look at the certificate: enough for a health endpoint.
async fn ask(url: &str) -> Result<String> {
    let url: Uri = url.parse()?;
    let request = Request::get(url.path()).body(Vec::new())?;
    let mut server = url.into_parts();
    server.path_and_query = Some(PathAndQuery::from_static("/"));
    let mut config = kube::Config::new(Uri::from_parts(server)?);
    config.accept_invalid_certs = true;
    config.default_retry = false;
    let client = kube::Client::try_from(config)?;
    let answer = tokio::time::timeout(Duration::from_secs(5), client.request_text(request)).await;
    Ok(answer.context("no answer within 5 s")??)
}
