//! Connects to a cluster as kubectl would with the same flags.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::USER_AGENT;
use kube::config::{Context, ExecConfig, ExecInteractiveMode};

use super::call::Cluster;
use super::error::ApiError;
use super::kubeconfig::{self, Surroundings, configure};
use super::stack;
use crate::engine::clock::{Clock, System, SystemRng};
use crate::model::failure::Failure;

/// What kubectl's connection flags say. Holds a token, so there is no `Debug`.
#[derive(Clone, Default)]
pub struct Connect {
    pub kubeconfig: Option<PathBuf>,
    pub context: Option<String>,
    pub cluster: Option<String>,
    pub user: Option<String>,
    pub namespace: Option<String>,
    pub server: Option<String>,
    pub token: Option<String>,
    pub certificate_authority: Option<PathBuf>,
    pub client_certificate: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
    pub tls_server_name: Option<String>,
    pub impersonate: Option<String>,
    pub impersonate_groups: Vec<String>,
    pub impersonate_uid: Option<String>,
    pub insecure: bool,
    /// The time limit of one request; zero for none, absent for the default (70 s). Watches have no limit.
    pub request_timeout: Option<Duration>,
    /// Absent: the tool's name and version.
    pub user_agent: Option<String>,
    /// Nobody is there to be asked for a password: a credential plugin gets no terminal.
    pub unattended: bool,
}

/// Connects with the computer's clock. Sends no request; a credential plugin runs here.
///
/// # Errors
/// What is wrong with the kubeconfig, the flags or the credentials, in kubectl's words.
pub async fn connect(ask: &Connect) -> Result<Cluster, Failure> {
    connect_with(ask, Arc::new(System::new())).await
}

/// As [`connect`], with a clock for time limits, pauses and watches.
///
/// # Errors
/// As [`connect`].
pub async fn connect_with(ask: &Connect, clock: Arc<dyn Clock>) -> Result<Cluster, Failure> {
    open(ask, &Surroundings::of_process(), clock).await
}

/// Names that the kubeconfig files have, in their order.
pub struct Names {
    /// Each with the name of its cluster.
    pub contexts: Vec<(String, String)>,
    /// Each with the address of its server.
    pub clusters: Vec<(String, String)>,
    pub users: Vec<String>,
}

/// The names that `--context`, `--cluster` and `--user` take.
///
/// # Errors
/// A file that cannot be read.
pub fn names(ask: &Connect) -> Result<Names, Failure> {
    let files = kubeconfig::load(ask, &Surroundings::of_process())?;
    let cluster_of = |context: Option<Context>| context.map(|context| context.cluster).unwrap_or_default();
    let server_of = |cluster: Option<kube::config::Cluster>| cluster.and_then(|cluster| cluster.server).unwrap_or_default();
    Ok(Names {
        contexts: files.contexts.into_iter().map(|each| (each.name, cluster_of(each.context))).collect(),
        clusters: files.clusters.into_iter().map(|each| (each.name, server_of(each.cluster))).collect(),
        users: files.auth_infos.into_iter().map(|each| each.name).collect(),
    })
}

async fn open(ask: &Connect, around: &Surroundings, clock: Arc<dyn Clock>) -> Result<Cluster, Failure> {
    let mut config = configure(ask, around)?;
    let agent = ask.user_agent.as_deref().unwrap_or(concat!("kubectl-vmmove/", env!("CARGO_PKG_VERSION")));
    config.headers.extend(HeaderValue::from_str(agent).ok().map(|agent| (USER_AGENT, agent)));
    if let Some(plugin) = config.auth_info.exec.as_mut().filter(|_| ask.unattended) {
        plugin.interactive_mode = Some(ExecInteractiveMode::Never);
    }
    let server = address(&config.cluster_url);
    let plugin = config.auth_info.exec.clone();
    // A credential plugin may ask its user for a password: minutes, on a thread of its own.
    let timer = clock.clone();
    let client = tokio::task::spawn_blocking(move || {
        let _ = rustls::crypto::ring::default_provider().install_default(); // Already there when connecting to a second cluster.
        stack::client(&config, &timer)
    });
    match client.await {
        Ok(Ok(client)) => Ok(Cluster::new(client, server, ask.request_timeout, clock, Arc::new(SystemRng))),
        Ok(Err(error)) => Err(not_set_up(&error, &server, plugin.as_ref())),
        Err(_) => Err(Failure::error("Unable to connect to the server: getting credentials was broken off")),
    }
}

/// `host:port`, as kubectl's messages name a server.
fn address(url: &http::Uri) -> String {
    let host = url.host().unwrap_or_default();
    let port = url.port_u16().unwrap_or(if url.scheme_str() == Some("http") { 80 } else { 443 });
    format!("{host}:{port}")
}

fn not_set_up(error: &kube::Error, server: &str, plugin: Option<&ExecConfig>) -> Failure {
    match error {
        kube::Error::Auth(_) => {
            let mut failure = Failure::error(ApiError::of_client(error, server).message);
            if let Some(command) = plugin.and_then(|plugin| plugin.command.as_ref()) {
                failure = failure.hint(format!("the user of this context logs in by running {command}: see that it works by itself"));
            }
            plugin.and_then(|plugin| plugin.install_hint.clone()).into_iter().fold(failure, Failure::hint)
        }
        kube::Error::ProxyProtocolUnsupported { .. } => {
            Failure::error("the proxy's protocol is not known").hint("a proxy's address begins with http://, https:// or socks5://")
        }
        kube::Error::RustlsTls(cause) => Failure::error(format!("the certificates or the key of the kubeconfig cannot be used: {cause}")),
        kube::Error::InferKubeconfig(cause) => Failure::error(format!("the kubeconfig cannot be used: {cause}")),
        _ => Failure::error("the connection cannot be set up from this kubeconfig: a value in it is no valid HTTP header"),
    }
}

#[cfg(test)]
#[path = "connect_tests.rs"]
mod tests;
