//! What to say when a request got no answer: refused, not found by name, not trusted, no credentials, lost on the way.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use super::error::{ApiError, Reason};

const ADDRESS: &str = "see whether kubectl reaches it with the same context ('kubectl version'); --context chooses another one";
const NAME: &str = "the name is that of the server in the kubeconfig's cluster; away from its network it may need a VPN or a proxy";
const PROXY: &str = "the proxy is that of proxy-url in the kubeconfig, or of HTTPS_PROXY; NO_PROXY names the hosts that need none";
const LIMIT: &str = "--request-timeout says how long to wait for one request";
const AUTHORITY: &str =
    "was the cluster made anew? Then get its kubeconfig again; --certificate-authority names the authority that signed the server's certificate";
const CLOCK: &str = "the server's certificate must be renewed, or the clock of this computer is wrong";
const OTHER_NAME: &str = "does the kubeconfig name the right server? --tls-server-name says which name its certificate should have";
const NO_TLS: &str = "does the port speak TLS? The address is that of the server in the kubeconfig's cluster";

impl ApiError {
    /// Reads what the client says when there was no answer from `server`.
    pub(super) fn of_client(error: &kube::Error, server: &str) -> Self {
        if let kube::Error::Api(status) = error {
            return Self::of_status(status, status.code, None);
        }
        if let Some(auth) = find::<kube::client::AuthError>(error) {
            return Self::new(Reason::Unauthorized, 0, format!("Unable to connect to the server: {}", credentials_in_words(auth)));
        }
        if let Some(tls) = find::<rustls::Error>(error) {
            let (words, hint) = tls_in_words(tls, server);
            return Self::new(Reason::Unreachable, 0, format!("Unable to connect to the server: {words}")).hinting(hint);
        }
        let connecting = find::<hyper_util::client::legacy::Error>(error).is_some_and(hyper_util::client::legacy::Error::is_connect);
        if connecting && mentions(error, "tunnel error") {
            return Self::new(Reason::Unreachable, 0, format!("Unable to connect to the server: proxyconnect: {}", innermost(error))).hinting(PROXY);
        }
        let kind = find::<io::Error>(error).map(io::Error::kind);
        match kind {
            Some(io::ErrorKind::ConnectionRefused) if connecting => {
                let text = format!("The connection to the server {server} was refused - did you specify the right host or port?");
                Self::new(Reason::Unreachable, 0, text).hinting(ADDRESS)
            }
            Some(io::ErrorKind::TimedOut) if connecting => {
                Self::new(Reason::Unreachable, 0, format!("Unable to connect to the server: {server} did not answer: the connection timed out"))
                    .hinting(ADDRESS)
            }
            _ if connecting => {
                let (words, hint) = connecting_in_words(error, server);
                Self::new(Reason::Unreachable, 0, format!("Unable to connect to the server: {words}")).hinting(hint)
            }
            _ => Self::new(Reason::Timeout, 0, format!("The connection to the server {server} was lost before it answered: {}", innermost(error))),
        }
    }

    /// No answer within the time allowed for a request.
    pub(super) fn no_answer(server: &str, after: Duration) -> Self {
        let text = format!("Unable to connect to the server: {server} did not answer within {}", crate::model::age::took(after));
        Self::new(Reason::Timeout, 0, text).hinting(LIMIT)
    }
}

/// The first error of a type in a chain of causes, also where an `io::Error` wraps it.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        if let Some(found) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref).and_then(|inner| find::<E>(inner)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Whether an error in the chain has these words; for errors whose type is private.
fn mentions(error: &(dyn StdError + 'static), words: &str) -> bool {
    error.to_string().contains(words) || error.source().is_some_and(|cause| mentions(cause, words))
}

/// The words of the last cause.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// The words, and what to look at.
fn connecting_in_words(error: &kube::Error, server: &str) -> (String, &'static str) {
    if mentions(error, "dns error") {
        let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
        return (format!("lookup {host}: no such host"), NAME);
    }
    (format!("{server}: {}", innermost(error)), ADDRESS)
}

/// What a certificate problem is called in Go's crypto/x509, which administrators search for; and what to look at.
fn tls_in_words(error: &rustls::Error, server: &str) -> (String, &'static str) {
    use rustls::{CertificateError as Bad, Error};
    let (why, hint) = match error {
        // A bad signature is what a cluster made anew under the same name of authority shows.
        Error::InvalidCertificate(Bad::UnknownIssuer | Bad::BadSignature) => ("certificate signed by unknown authority".to_owned(), AUTHORITY),
        Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. }) => {
            ("certificate has expired or is not yet valid".to_owned(), CLOCK)
        }
        Error::InvalidCertificate(Bad::NotValidForNameContext { expected, .. }) => {
            (format!("certificate is not valid for {}", expected.to_str()), OTHER_NAME)
        }
        Error::InvalidCertificate(Bad::NotValidForName) => {
            (format!("certificate is not valid for {}", server.rsplit_once(':').map_or(server, |(host, _)| host)), OTHER_NAME)
        }
        other => return (format!("tls: {other}"), NO_TLS),
    };
    (format!("tls: failed to verify certificate: x509: {why}"), hint)
}

/// What a credential plugin or token file did wrong; never its output, which may be a token.
fn credentials_in_words(error: &kube::client::AuthError) -> String {
    use kube::client::AuthError;
    match error {
        AuthError::AuthExecStart(cause) if cause.kind() == io::ErrorKind::NotFound => {
            "getting credentials: exec: the command of the kubeconfig's user was not found".to_owned()
        }
        // `cmd` would show the command's environment, which may hold secrets.
        AuthError::AuthExecRun { out, .. } => {
            let code = out.status.code().map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
            format!("getting credentials: exec: the command of the kubeconfig's user failed with {code}")
        }
        AuthError::AuthExecParse(_) => "getting credentials: exec: the command did not print an ExecCredential".to_owned(),
        AuthError::ExecPluginFailed => "getting credentials: exec: the command printed an ExecCredential without a status".to_owned(),
        AuthError::UnrefreshableTokenResponse => "getting credentials: exec: the command gave no token to renew the last one with".to_owned(),
        AuthError::AuthExecStart(cause) => format!("getting credentials: exec: {cause}"),
        AuthError::ReadTokenFile(cause, path) => format!("getting credentials: open {}: {cause}", path.display()),
        AuthError::InvalidBearerToken(_) => "getting credentials: the token holds characters that no token may hold".to_owned(),
        AuthError::MissingCommand => "getting credentials: exec: the kubeconfig's user names no command".to_owned(),
        AuthError::ExecMissingClusterInfo => "getting credentials: exec: the command asks for cluster information that is not there".to_owned(),
        AuthError::Oidc(_) => "getting credentials: oidc: the identity token could not be renewed".to_owned(),
        other => format!("getting credentials: {}", other.to_string().lines().next().unwrap_or_default()),
    }
}
