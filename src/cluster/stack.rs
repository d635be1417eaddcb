//! The layers between a request and the wire, built by hand: the kube crate's own stack leaves TCP_NODELAY off (40 ms for the
//! first request of each connection), repeats writes, and speaks HTTP/1.1 only: a connection, and so a TLS handshake, for each watch.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connect as Connector, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::middleware::AuthLayer;
use kube::client::{Body, Client, ConfigExt, RustlsTlsError};
use kube::{Config, Error};
use tower::{BoxError, ServiceBuilder};
use tower_http::decompression::DecompressionLayer;

use super::log::Tell;
use crate::engine::clock::Clock;

/// How long a connection may take to be accepted, as in client-go's default transport.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a connection that all requests share is asked for a sign of life, and how long that may take: client-go's figures
/// (kubernetes/apimachinery 0.36 `pkg/util/net/http.go`, readIdleTimeout and pingTimeout).
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(15));

/// Plain connections with the small writes of HTTP sent at once.
pub(super) fn plain() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_keepalive(Some(CONNECT_TIMEOUT));
    connector
}

/// A client for a configuration; the clock times its requests. Runs a credential plugin, if there is one, and so may block.
pub(super) fn client(config: &Config, clock: &Arc<dyn Clock>) -> Result<Client, Error> {
    // The plugin runs for the token; only one that gave none is run again, for the certificate of the TLS layer.
    let auth = config.auth_layer()?;
    let tls = if auth.is_some() { without_plugin(config) } else { config.clone() };
    let Some(proxy) = config.proxy_url.clone() else { return over(config, clock, auth, secured(&tls, plain())?) };
    match proxy.scheme_str() {
        Some("socks5" | "socks5h") => over(config, clock, auth, secured(&tls, SocksV5::new(proxy, plain()))?),
        Some("http") => {
            let tunnel = with_credentials(Tunnel::new(proxy.clone(), plain()), &proxy);
            over(config, clock, auth, secured(&tls, tunnel)?)
        }
        Some("https") => {
            // The tunnel is asked for in HTTP/1.1.
            let secure = without_plugin(config).rustls_https_connector_with_connector(plain())?;
            let tunnel = with_credentials(Tunnel::new(proxy.clone(), secure), &proxy);
            over(config, clock, auth, secured(&tls, tunnel)?)
        }
        _ => Err(Error::ProxyProtocolUnsupported { proxy_url: Box::new(proxy) }),
    }
}

/// TLS over a connection. HTTP/2 where the server offers it, as API servers do; what stands between may speak HTTP/1.1 only.
fn secured<C>(config: &Config, connector: C) -> Result<HttpsConnector<C>, Error> {
    let builder = HttpsConnectorBuilder::new().with_tls_config(config.rustls_client_config()?).https_or_http();
    let builder = match config.tls_server_name.clone() {
        Some(name) => {
            let name = name.try_into().map_err(RustlsTlsError::InvalidServerName).map_err(Error::RustlsTls)?;
            builder.with_server_name_resolver(FixedServerNameResolver::new(name))
        }
        None => builder,
    };
    Ok(builder.enable_all_versions().wrap_connector(connector))
}

fn without_plugin(config: &Config) -> Config {
    let mut config = config.clone();
    config.auth_info.exec = None;
    config
}

fn over<C>(config: &Config, clock: &Arc<dyn Clock>, auth: Option<AuthLayer>, https: C) -> Result<Client, Error>
where
    C: Connector + Clone + Send + Sync + 'static,
{
    let hyper = Hyper::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .http2_keep_alive_interval(PING.0)
        .http2_keep_alive_timeout(PING.1)
        .http2_keep_alive_while_idle(true)
        .build::<_, Body>(https);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(DecompressionLayer::new().gzip(!config.disable_compression))
        .option_layer(auth)
        .layer(config.extra_headers_layer()?)
        .layer(Tell(clock.clone()))
        .map_err(BoxError::from)
        .service(hyper);
    Ok(Client::new(service, config.default_namespace.clone()))
}

/// Name and password of the proxy's URL, which may be percent-encoded there.
fn with_credentials<C>(tunnel: Tunnel<C>, proxy: &http::Uri) -> Tunnel<C> {
    use base64::Engine;
    let credentials = proxy.authority().and_then(|authority| authority.as_str().rsplit_once('@')).map(|(credentials, _)| credentials);
    let Some(credentials) = credentials else { return tunnel };
    let plain: Vec<u8> = percent_encoding::percent_decode_str(credentials).collect();
    match HeaderValue::from_str(&format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(plain))) {
        Ok(header) => tunnel.with_auth(header),
        Err(_) => tunnel,
    }
}
