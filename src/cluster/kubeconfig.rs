//! Where the API is and who the user is: kubeconfig files, flags over them, or the pod this runs in.
//!
//! Rules: kubernetes/client-go `tools/clientcmd/{loader,client_config,overrides}.go`.

use std::path::{Path, PathBuf};

use kube::config::{AuthInfo, Cluster, Config, Context, Kubeconfig, KubeconfigError};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::connect::Connect;
use super::proxy::{ProxySettings, choose};
use crate::model::failure::Failure;

/// What of the process's surroundings decides how to connect.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    /// The files of `KUBECONFIG`, in order; empty when it is not set.
    pub files: Vec<PathBuf>,
    pub home: Option<PathBuf>,
    pub in_pod: bool,
    pub proxy: ProxySettings,
}

impl Surroundings {
    pub(super) fn of_process() -> Self {
        let files = std::env::var_os("KUBECONFIG").map(|list| std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect());
        Self {
            files: files.unwrap_or_default(),
            home: std::env::home_dir(),
            in_pod: std::env::var_os("KUBERNETES_SERVICE_HOST").is_some_and(|host| !host.is_empty()),
            proxy: ProxySettings::of_process(),
        }
    }
}

/// What kube needs to know, from flags, files and surroundings.
pub(super) fn configure(ask: &Connect, around: &Surroundings) -> Result<Config, Failure> {
    let files = load(ask, around)?;
    let is_empty = files.contexts.is_empty() && files.clusters.is_empty();
    if is_empty && ask.server.is_none() && ask.context.is_none() && ask.cluster.is_none() {
        return if around.in_pod { in_pod(ask) } else { Err(nothing_to_go_by(ask, around)) };
    }
    let context = context_of(&files, ask)?;
    let cluster = cluster_of(&files, &context, ask)?;
    let user = user_of(&files, &context, &cluster, ask)?;
    let server = cluster.server.clone().unwrap_or_default();
    let address = if server.contains("://") { server.clone() } else { format!("https://{server}") };
    let url: http::Uri = address.parse().map_err(|error| Failure::error(format!("the server's address {server:?} is not a URL: {error}")))?;
    let mut config = Config::new(url);
    let namespace = ask.namespace.clone().or_else(|| context.namespace.clone());
    config.default_namespace = namespace.filter(|namespace| !namespace.is_empty()).unwrap_or_else(|| "default".to_owned());
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
    config.disable_compression = cluster.disable_compression.unwrap_or(false);
    config.tls_server_name.clone_from(&cluster.tls_server_name);
    config.root_cert = if config.accept_invalid_certs { None } else { authority(&cluster)? };
    config.proxy_url = match choose(cluster.proxy_url.as_deref(), &around.proxy, &config.cluster_url) {
        Some(proxy) => Some(proxy.parse().map_err(|error| Failure::error(format!("the proxy's address is not a URL: {error}")))?),
        None => None,
    };
    config.auth_info = user;
    Ok(config)
}

/// All files as one: the first to say something wins. Files of `KUBECONFIG` may be missing, a file named by flag may not.
pub(super) fn load(ask: &Connect, around: &Surroundings) -> Result<Kubeconfig, Failure> {
    if let Some(path) = &ask.kubeconfig {
        if !path.exists() {
            return Err(Failure::error(format!("stat {}: no such file or directory", path.display()))
                .hint("give --kubeconfig the path of a file that is there, or leave it out for KUBECONFIG and ~/.kube/config"));
        }
        return read(path);
    }
    let default: Vec<PathBuf> = around.home.iter().map(|home| home.join(".kube").join("config")).collect();
    let paths = if around.files.is_empty() { &default } else { &around.files };
    let mut merged = Kubeconfig::default();
    for path in paths.iter().filter(|path| path.exists()) {
        let next = read(path)?;
        merged = merged.merge(next).map_err(|error| Failure::error(format!("error loading config file {}: {error}", path.display())))?;
    }
    Ok(merged)
}

fn read(path: &Path) -> Result<Kubeconfig, Failure> {
    Kubeconfig::read_from(path).map_err(|error| {
        let why = match error {
            KubeconfigError::ReadConfig(cause, _) => cause.to_string(),
            // The parser may quote the line it stopped at, and that line may hold a token.
            KubeconfigError::Parse(error) => {
                let line = error.without_snippet().location().map_or_else(String::new, |at| format!(", as line {} shows", at.line()));
                format!("it is not a kubeconfig in YAML{line}")
            }
            other => other.to_string(),
        };
        Failure::error(format!("error loading config file {}: {why}", path.display()))
            .hint(format!("see what kubectl says to it: kubectl config view --kubeconfig {}", path.display()))
    })
}

fn context_of(files: &Kubeconfig, ask: &Connect) -> Result<Context, Failure> {
    let name = ask.context.clone().or_else(|| files.current_context.clone()).unwrap_or_default();
    let names = || files.contexts.iter().map(|known| known.name.as_str());
    match files.contexts.iter().find(|known| known.name == name) {
        Some(known) => Ok(known.context.clone().unwrap_or_default()),
        None if !name.is_empty() => {
            Err(unknown(format!("Error in configuration: context was not found for specified context: {name}"), &name, names()))
        }
        None if ask.cluster.is_some() || ask.server.is_some() => Ok(Context::default()),
        None => Err(Failure::error("no context is chosen: current-context is not set in the kubeconfig")
            .hint(format!("choose one with --context: {}", names().collect::<Vec<_>>().join(", ")))),
    }
}

fn cluster_of(files: &Kubeconfig, context: &Context, ask: &Connect) -> Result<Cluster, Failure> {
    let name = ask.cluster.as_deref().unwrap_or(&context.cluster);
    let known = files.clusters.iter().find(|known| known.name == name);
    if known.is_none() && (ask.cluster.is_some() || ask.server.is_none()) {
        return Err(unknown(format!("no server found for cluster {name:?}"), name, files.clusters.iter().map(|known| known.name.as_str())));
    }
    let mut cluster = known.and_then(|known| known.cluster.clone()).unwrap_or_default();
    cluster.server = ask.server.clone().or(cluster.server).filter(|server| !server.is_empty());
    if cluster.server.is_none() {
        return Err(Failure::error(format!("cluster {name:?} of the kubeconfig has no server")));
    }
    if let Some(path) = &ask.certificate_authority {
        (cluster.certificate_authority, cluster.certificate_authority_data) = (Some(path.display().to_string()), None);
        cluster.insecure_skip_tls_verify = None;
    }
    if ask.insecure {
        (cluster.certificate_authority, cluster.certificate_authority_data) = (None, None);
        cluster.insecure_skip_tls_verify = Some(true);
    }
    cluster.tls_server_name = ask.tls_server_name.clone().or(cluster.tls_server_name);
    Ok(cluster)
}

fn user_of(files: &Kubeconfig, context: &Context, cluster: &Cluster, ask: &Connect) -> Result<AuthInfo, Failure> {
    let name = ask.user.as_deref().or(context.user.as_deref()).unwrap_or_default();
    let known = files.auth_infos.iter().find(|known| known.name == name);
    if known.is_none() && ask.user.is_some() {
        return Err(Failure::error(format!("auth info {name:?} does not exist")));
    }
    let mut user = known.and_then(|known| known.auth_info.clone()).unwrap_or_default();
    if let Some(exec) = user.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
        exec.cluster = Some(cluster.try_into().map_err(|error: KubeconfigError| Failure::error(error.to_string()))?);
    }
    override_user(&mut user, ask);
    read_token_file(&mut user)?;
    Ok(user)
}

/// Lays the flags over a user. A token or certificate by flag replaces every other way to log in.
fn override_user(user: &mut AuthInfo, ask: &Connect) {
    if let Some(token) = &ask.token {
        let blank = AuthInfo::default();
        *user = AuthInfo { client_certificate: user.client_certificate.take(), client_key: user.client_key.take(), ..blank };
        user.token = Some(token.clone().into());
    }
    if let Some(path) = &ask.client_certificate {
        (user.client_certificate, user.client_certificate_data) = (Some(path.display().to_string()), None);
    }
    if let Some(path) = &ask.client_key {
        (user.client_key, user.client_key_data) = (Some(path.display().to_string()), None);
    }
    user.impersonate = ask.impersonate.clone().or_else(|| user.impersonate.take());
    user.impersonate_uid = ask.impersonate_uid.clone().or_else(|| user.impersonate_uid.take());
    if !ask.impersonate_groups.is_empty() {
        user.impersonate_groups = Some(ask.impersonate_groups.clone());
    }
}

/// A token file that ends in a new line makes an invalid header in the kube crate, which also re-reads it; such a file is
/// read once, here.
fn read_token_file(user: &mut AuthInfo) -> Result<(), Failure> {
    let Some(path) = user.token_file.clone().filter(|_| user.token.is_none()) else { return Ok(()) };
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failure::error(format!("Unable to connect to the server: getting credentials: open {path}: {error}")))?;
    if text.trim() != text {
        user.token = Some(text.trim().to_owned().into());
    }
    Ok(())
}

/// The certificates to trust, as DER; `None` for those of the operating system.
fn authority(cluster: &Cluster) -> Result<Option<Vec<Vec<u8>>>, Failure> {
    use base64::Engine;
    let pem = match (&cluster.certificate_authority_data, &cluster.certificate_authority) {
        (Some(data), _) if !data.is_empty() => base64::engine::general_purpose::STANDARD
            .decode(data)
            .map_err(|_| Failure::error("certificate-authority-data of the kubeconfig's cluster is not base64"))?,
        (_, Some(path)) if !path.is_empty() => {
            std::fs::read(path).map_err(|error| Failure::error(format!("unable to read certificate-authority {path}: {error}")))?
        }
        _ => return Ok(None),
    };
    let certificates: Result<Vec<Vec<u8>>, _> = CertificateDer::pem_slice_iter(&pem).map(|found| found.map(|der| der.to_vec())).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(Some(certificates)),
        _ => Err(Failure::error("the certificate authority of the kubeconfig's cluster holds no certificate in PEM")),
    }
}

fn in_pod(ask: &Connect) -> Result<Config, Failure> {
    let mut config = Config::incluster().map_err(|error| Failure::error(format!("cannot use the service account of this pod: {error}")))?;
    config.default_namespace = ask.namespace.clone().unwrap_or(config.default_namespace);
    override_user(&mut config.auth_info, ask);
    Ok(config)
}

fn nothing_to_go_by(ask: &Connect, around: &Surroundings) -> Failure {
    let looked = match (&ask.kubeconfig, around.files.as_slice(), &around.home) {
        (Some(path), _, _) => path.display().to_string(),
        (None, [], Some(home)) => home.join(".kube").join("config").display().to_string(),
        (None, [], None) => "the home directory".to_owned(),
        (None, files, _) => files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "),
    };
    Failure::error(format!("Missing or incomplete configuration info: no kubeconfig at {looked}"))
        .hint("point to one with --kubeconfig or the KUBECONFIG environment variable, or put it at ~/.kube/config")
}

/// What kubectl says to a name that is not in the kubeconfig (client-go `tools/clientcmd`), with those that come nearest.
fn unknown<'a>(what: String, name: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let mut near: Vec<(usize, &str)> = known.map(|known| (strsim::damerau_levenshtein(known, name), known)).collect();
    near.sort_unstable();
    let names: Vec<&str> = near.iter().take(3).map(|(_, known)| *known).collect();
    let failure = Failure::error(what);
    if names.is_empty() { failure } else { failure.hint(format!("the kubeconfig has {}", names.join(", "))) }
}
