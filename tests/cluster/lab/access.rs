//! Kubeconfig files: for the lab's own clients, for controllers, and for the users that tests make up.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use super::Lab;
use super::certificates::Identity;

/// Longer than any lab lives.
const TEN_YEARS: i64 = 10 * 365 * 24 * 3600;

/// What a client shows to the server.
pub enum Credentials {
    Certificate(Identity),
    Token(String),
}

/// Writes a kubeconfig file that only its owner can read.
pub fn write_kubeconfig(path: &Path, server: &str, ca: &str, credentials: &Credentials) -> Result<()> {
    use std::io::Write;
    let user = match credentials {
        Credentials::Certificate(identity) => json!({
            "client-certificate-data": STANDARD.encode(&identity.certificate),
            "client-key-data": STANDARD.encode(&identity.key),
        }),
        Credentials::Token(token) => json!({ "token": token }),
    };
    // JSON is YAML.
    let config: Value = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": {"server": server, "certificate-authority-data": STANDARD.encode(ca)}}],
        "users": [{"name": "lab", "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
        "current-context": "lab",
    });
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    Ok(file.write_all(&serde_json::to_vec_pretty(&config)?)?)
}

/// A client for a kubeconfig file.
pub async fn client(kubeconfig: &Path) -> Result<kube::Client> {
    let file = Kubeconfig::read_from(kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    Ok(kube::Client::try_from(config)?)
}

impl Lab {
    /// A kubeconfig of a user with a certificate of its own. What the user may do is up to the roles that the test binds;
    /// group `system:masters` may do everything.
    pub fn kubeconfig_for_user(&self, name: &str, group: Option<&str>) -> Result<PathBuf> {
        let identity = self.certificates.user(name, group)?;
        self.write(&format!("user-{name}"), &Credentials::Certificate(identity))
    }

    /// A kubeconfig with a token of a service account that exists.
    pub async fn kubeconfig_for_account(&self, namespace: &str, account: &str) -> Result<PathBuf> {
        let token = self.token(namespace, account).await?;
        self.write(&format!("account-{namespace}-{account}"), &Credentials::Token(token))
    }

    /// A token of a service account that exists.
    pub async fn token(&self, namespace: &str, account: &str) -> Result<String> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let spec = TokenRequestSpec { expiration_seconds: Some(TEN_YEARS), ..Default::default() };
        let ask = TokenRequest { spec, ..Default::default() };
        let answer = accounts
            .create_token_request(account, &PostParams::default(), &ask)
            .await
            .with_context(|| format!("no token for service account {namespace}/{account}"))?;
        Ok(answer.status.context("a token request without an answer")?.token)
    }

    fn write(&self, who: &str, credentials: &Credentials) -> Result<PathBuf> {
        let path = self.layout.kubeconfig(who);
        write_kubeconfig(&path, &self.layout.server(), self.certificates.cluster_ca(), credentials)?;
        Ok(path)
    }
}
