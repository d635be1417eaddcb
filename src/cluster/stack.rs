//! The layers between a request and the wire, built by hand: the kube crate's own stack leaves TCP_NODELAY off (40 ms for the
//! first request of each connection) and repeats writes.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connect as Connector, HttpConnector};
use hyper_util::rt::TokioExecutor;
use kube::client::middleware::AuthLayer;
use kube::client::{Body, Client, ConfigExt};
use kube::{Config, Error};
use tower::{BoxError, ServiceBuilder};
use tower_http::decompression::DecompressionLayer;

use super::log::Tell;
use crate::engine::clock::Clock;

/// How long a connection may take to be accepted, as in client-go's default transport.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

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
    let Some(proxy) = config.proxy_url.clone() else { return over(config, clock, auth, tls.rustls_https_connector_with_connector(plain())?) };
    match proxy.scheme_str() {
        Some("socks5" | "socks5h") => over(config, clock, auth, tls.rustls_https_connector_with_connector(SocksV5::new(proxy, plain()))?),
        Some("http") => {
            let tunnel = with_credentials(Tunnel::new(proxy.clone(), plain()), &proxy);
            over(config, clock, auth, tls.rustls_https_connector_with_connector(tunnel)?)
        }
        Some("https") => {
            let secure = without_plugin(config).rustls_https_connector_with_connector(plain())?;
            let tunnel = with_credentials(Tunnel::new(proxy.clone(), secure), &proxy);
            over(config, clock, auth, tls.rustls_https_connector_with_connector(tunnel)?)
        }
        _ => Err(Error::ProxyProtocolUnsupported { proxy_url: Box::new(proxy) }),
    }
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
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(DecompressionLayer::new().gzip(!config.disable_compression))
        .option_layer(auth)
        .layer(config.extra_headers_layer()?)
        .layer(Tell(clock.clone()))
        .map_err(BoxError::from)
        .service(Hyper::builder(TokioExecutor::new()).build::<_, Body>(https));
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
