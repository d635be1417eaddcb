//! How to reach the cluster: kubectl's flags, before or after the verb.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use clap_complete::ArgValueCompleter;

use super::duration::parse_or_seconds;
use crate::cluster::Connect;
use crate::verbs::completion::values;

/// Flags that every verb has. Names and meanings are kubectl's (cli-runtime `pkg/genericclioptions/config_flags.go`).
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global flags")]
pub struct Connection {
    /// Namespace of the source (default: the context's)
    #[arg(short, long, global = true, value_name = "NAMESPACE", add = ArgValueCompleter::new(values::namespaces))]
    pub namespace: Option<String>,
    /// Path to the kubeconfig file
    #[arg(long, global = true, value_name = "FILE", add = ArgValueCompleter::new(values::files))]
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig context to use
    #[arg(long, global = true, value_name = "NAME", add = ArgValueCompleter::new(values::contexts))]
    pub context: Option<String>,
    /// The kubeconfig cluster to use
    #[arg(long, global = true, value_name = "NAME", add = ArgValueCompleter::new(values::clusters))]
    pub cluster: Option<String>,
    /// The kubeconfig user to use
    #[arg(long, global = true, value_name = "NAME", add = ArgValueCompleter::new(values::users))]
    pub user: Option<String>,
    /// The address and port of the Kubernetes API server
    #[arg(short, long, global = true, value_name = "URL")]
    pub server: Option<String>,
    /// Bearer token for authentication to the API server
    #[arg(long, global = true, value_name = "TOKEN")]
    pub token: Option<Token>,
    /// User to impersonate
    #[arg(long = "as", global = true, value_name = "USER")]
    pub as_user: Option<String>,
    /// Group to impersonate; can be repeated
    #[arg(long = "as-group", global = true, value_name = "GROUP")]
    pub as_group: Vec<String>,
    /// UID to impersonate
    #[arg(long = "as-uid", global = true, value_name = "UID")]
    pub as_uid: Option<String>,
    /// Do not check the server's certificate; this makes the connection insecure
    #[arg(long, global = true)]
    pub insecure_skip_tls_verify: bool,
    /// Path to a certificate file of the authority that signed the server's
    #[arg(long, global = true, value_name = "FILE", add = ArgValueCompleter::new(values::files))]
    pub certificate_authority: Option<PathBuf>,
    /// Path to a client certificate file
    #[arg(long, global = true, value_name = "FILE", add = ArgValueCompleter::new(values::files))]
    pub client_certificate: Option<PathBuf>,
    /// Path to a client key file
    #[arg(long, global = true, value_name = "FILE", add = ArgValueCompleter::new(values::files))]
    pub client_key: Option<PathBuf>,
    /// Server name to check the server's certificate against
    #[arg(long, global = true, value_name = "NAME")]
    pub tls_server_name: Option<String>,
    /// How long to wait for one request (such as 1s, 2m or a number of seconds); 0 means no limit
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse_or_seconds)]
    pub request_timeout: Option<Duration>,
    /// Taken as kubectl takes it; nothing is cached
    #[arg(long, global = true, value_name = "FOLDER", add = ArgValueCompleter::new(values::folders))]
    pub cache_dir: Option<PathBuf>,
    /// How much to log to standard error, 0 to 9: from 4 what is tried again, from 6 each request, from 7 its headers; bodies, tokens and
    /// Secrets are never logged
    #[arg(short, long = "v", global = true, value_name = "LEVEL")]
    pub verbosity: Option<u8>,
}

impl Connection {
    /// The flags that a command printed for the user to type must repeat to reach the same cluster as the same user, each with a space
    /// before it. A token is not repeated: it would stay on the screen and in the shell's history.
    pub fn retyped(&self) -> String {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let valued = [
            ("--kubeconfig", path(&self.kubeconfig)),
            ("--context", self.context.clone()),
            ("--cluster", self.cluster.clone()),
            ("--user", self.user.clone()),
            ("--server", self.server.clone()),
            ("--as", self.as_user.clone()),
            ("--as-uid", self.as_uid.clone()),
            ("--certificate-authority", path(&self.certificate_authority)),
            ("--client-certificate", path(&self.client_certificate)),
            ("--client-key", path(&self.client_key)),
            ("--tls-server-name", self.tls_server_name.clone()),
        ];
        let groups = self.as_group.iter().map(|group| ("--as-group", Some(group.clone())));
        let mut text: String = valued.into_iter().chain(groups).filter_map(|(flag, value)| Some(format!(" {flag} {}", quoted(&value?)))).collect();
        if self.insecure_skip_tls_verify {
            text.push_str(" --insecure-skip-tls-verify");
        }
        text
    }
}

impl From<&Connection> for Connect {
    fn from(typed: &Connection) -> Self {
        Self {
            kubeconfig: typed.kubeconfig.clone(),
            context: typed.context.clone(),
            cluster: typed.cluster.clone(),
            user: typed.user.clone(),
            namespace: typed.namespace.clone(),
            server: typed.server.clone(),
            token: typed.token.clone().map(|token| token.0),
            certificate_authority: typed.certificate_authority.clone(),
            client_certificate: typed.client_certificate.clone(),
            client_key: typed.client_key.clone(),
            tls_server_name: typed.tls_server_name.clone(),
            impersonate: typed.as_user.clone(),
            impersonate_groups: typed.as_group.clone(),
            impersonate_uid: typed.as_uid.clone(),
            insecure: typed.insecure_skip_tls_verify,
            request_timeout: typed.request_timeout,
            user_agent: None,
            unattended: false,
        }
    }
}

/// A word as a POSIX shell must be given it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,~".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// A bearer token: never shown.
#[derive(Clone, Default)]
pub struct Token(pub String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl FromStr for Token {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_commands_reach_the_same_cluster() {
        let typed = Connection { kubeconfig: Some("my files/config".into()), context: Some("prod".to_owned()), ..Connection::default() };
        assert_eq!(typed.retyped(), " --kubeconfig 'my files/config' --context prod");
        let typed = Connection {
            server: Some("https://api.example:6443".to_owned()),
            token: Some(Token("s3cret".to_owned())),
            as_user: Some("system:admin".to_owned()),
            as_group: vec!["a".to_owned(), "b c".to_owned()],
            insecure_skip_tls_verify: true,
            ..Connection::default()
        };
        assert_eq!(typed.retyped(), " --server https://api.example:6443 --as system:admin --as-group a --as-group 'b c' --insecure-skip-tls-verify");
        assert_eq!(Connection::default().retyped(), "");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn a_token_is_never_shown() {
        let typed = Connection { token: Some(Token("s3cret".to_owned())), ..Connection::default() };
        assert!(!format!("{typed:?}").contains("s3cret"));
    }
}
