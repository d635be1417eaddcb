//! Which proxy a connection to the API takes, decided as kubectl decides it: a pure function of settings.
//!
//! Rules: golang.org/x/net `http/httpproxy/proxy.go`; a kubeconfig's `proxy-url` is taken whatever `NO_PROXY` says
//! (kubernetes/client-go `rest/transport.go`). The kube crate compares `NO_PROXY` with the proxy instead of the API's host
//! and refuses lists with an odd entry, so it is not asked.

use std::net::IpAddr;

use http::Uri;

/// The environment's proxy settings; empty and absent are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct ProxySettings {
    pub https: String,
    pub http: String,
    pub no_proxy: String,
}

impl ProxySettings {
    /// Reads the variables, of which the upper-case one counts first.
    pub(super) fn of_process() -> Self {
        let read = |upper: &str, lower: &str| {
            [upper, lower].iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty())).unwrap_or_default()
        };
        Self { https: read("HTTPS_PROXY", "https_proxy"), http: read("HTTP_PROXY", "http_proxy"), no_proxy: read("NO_PROXY", "no_proxy") }
    }
}

/// The proxy for `api`, as the user wrote it but with a scheme; `None` for a direct connection.
pub(super) fn choose(from_kubeconfig: Option<&str>, settings: &ProxySettings, api: &Uri) -> Option<String> {
    if let Some(proxy) = from_kubeconfig.filter(|proxy| !proxy.is_empty()) {
        return Some(with_scheme(proxy));
    }
    let secure = api.scheme_str() != Some("http");
    let proxy = if secure { &settings.https } else { &settings.http };
    let host = api.host().unwrap_or_default().trim_matches(['[', ']']).to_lowercase();
    let port = api.port_u16().unwrap_or(if secure { 443 } else { 80 });
    (!proxy.is_empty() && !is_exempt(&host, port, &settings.no_proxy)).then(|| with_scheme(proxy))
}

fn with_scheme(proxy: &str) -> String {
    if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") }
}

/// Whether `NO_PROXY` or being on this computer exempts a host. Entries that make no sense exempt nothing.
fn is_exempt(host: &str, port: u16, no_proxy: &str) -> bool {
    let address = host.parse::<IpAddr>().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    no_proxy.split(',').map(|entry| entry.trim().to_lowercase()).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let Some((network, bits)) = entry.split_once('/') {
            return address.is_some_and(|address| contains(network, bits, address));
        }
        let (name, only_port) = split_port(&entry);
        if only_port.is_some_and(|only| only != port) {
            return false;
        }
        match (name.parse::<IpAddr>(), address) {
            (Ok(exempt), Some(address)) => exempt == address,
            (Ok(_), None) | (Err(_), Some(_)) => false,
            (Err(_), None) => is_in_domain(host, name),
        }
    })
}

/// `example.com` stands for itself and what is below it; `.example.com` and `*.example.com` only for what is below.
fn is_in_domain(host: &str, entry: &str) -> bool {
    let domain = entry.strip_prefix('*').unwrap_or(entry);
    let (domain, itself) = domain.strip_prefix('.').map_or((domain, true), |domain| (domain, false));
    if domain.is_empty() {
        return false;
    }
    (itself && host == domain) || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

fn split_port(entry: &str) -> (&str, Option<u16>) {
    if let Some(bracketed) = entry.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']').unwrap_or((bracketed, ""));
        return (address, rest.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (name, None),
        },
        _ => (entry, None),
    }
}

fn contains(network: &str, bits: &str, address: IpAddr) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    let differing = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) if bits <= 32 => (network.to_bits() ^ address.to_bits()).leading_zeros(),
        (IpAddr::V6(network), IpAddr::V6(address)) if bits <= 128 => (network.to_bits() ^ address.to_bits()).leading_zeros(),
        _ => return false,
    };
    differing >= bits
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn chosen(kubeconfig: Option<&str>, no_proxy: &str, api: &str) -> Option<String> {
        let settings = ProxySettings { https: "proxy.corp:3128".to_owned(), http: String::new(), no_proxy: no_proxy.to_owned() };
        choose(kubeconfig, &settings, &api.parse().unwrap())
    }

    #[test]
    fn no_proxy_is_about_the_api_and_not_about_the_proxy() {
        assert_eq!(chosen(None, "", "https://api.corp.example:6443").unwrap(), "http://proxy.corp:3128");
        assert_eq!(chosen(None, "api.corp.example", "https://api.corp.example:6443"), None);
        assert_eq!(chosen(None, "proxy.corp", "https://api.corp.example:6443").unwrap(), "http://proxy.corp:3128");
        assert_eq!(chosen(None, "", "http://api.corp.example"), None, "there is no HTTP_PROXY");
    }

    #[test]
    fn each_form_of_an_entry_means_what_it_means_in_go() {
        let api = "https://api.corp.example:6443";
        for exempting in ["*", "corp.example", ".corp.example", "*.corp.example", "API.corp.example", "x, api.corp.example:6443", "example"] {
            assert_eq!(chosen(None, exempting, api), None, "{exempting}");
        }
        for other in ["api.corp.example:443", ".api.corp.example", "rp.example", "10.0.0.0/8", "corp.example.org"] {
            assert!(chosen(None, other, api).is_some(), "{other}");
        }
        assert_eq!(chosen(None, "10.0.0.0/8", "https://10.2.3.4:6443"), None);
        assert!(chosen(None, "10.0.0.0/8", "https://11.2.3.4:6443").is_some());
        assert_eq!(chosen(None, "fd00::/8", "https://[fd00::1]:6443"), None);
        assert_eq!(chosen(None, "[fd00::1]:6443", "https://[fd00::1]:6443"), None);
        assert_eq!(chosen(None, "", "https://127.0.0.1:6443"), None, "this computer needs no proxy");
    }

    #[test]
    fn a_malformed_list_exempts_what_it_still_names() {
        for malformed in ["api.corp.example,", ",,api.corp.example", "10.0.0.0/8:443, api.corp.example", "[::1, api.corp.example"] {
            assert_eq!(chosen(None, malformed, "https://api.corp.example:6443"), None, "{malformed}");
        }
        assert!(chosen(None, ", /, [, :, 1.2.3.4/x", "https://api.corp.example:6443").is_some());
    }

    #[test]
    fn the_kubeconfigs_own_proxy_is_kept_whatever_no_proxy_says() {
        assert_eq!(chosen(Some("socks5://bastion:1080"), "*", "https://api.corp.example").unwrap(), "socks5://bastion:1080");
    }
}
