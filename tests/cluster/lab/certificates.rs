//! The certificate authorities, certificates and keys of a lab.
//!
//! Elliptic curves wherever the programs allow: they are made in no time. KubeVirt's exporter insists on them, and CDI's
//! upload authorities and the token keys have to be RSA, which `openssl` makes because ring cannot.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, SanType};

use super::build::output;
use super::layout::Layout;

/// An authority that signs, and its own certificate.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its private key, both PEM.
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

/// What is needed after the start: new users, the proxy's certificate, bundles for webhooks.
pub struct Certificates {
    cluster: Authority,
    webhooks: Authority,
}

impl Certificates {
    /// Makes everything and writes it into the lab's `pki` folder.
    pub fn make(layout: &Layout) -> Result<Self> {
        let write = |name: &str, text: &str| fs::write(layout.pki(name), text);
        let pair = |name: &str, identity: Identity| {
            write(&format!("{name}.crt"), &identity.certificate)?;
            write(&format!("{name}.key"), &identity.key)
        };
        let authority = |name: &str, key: KeyPair| -> Result<Authority> {
            let made = Authority::new(name, key)?;
            pair(name, Identity { certificate: made.pem.clone(), key: made.issuer.key().serialize_pem() })?;
            Ok(made)
        };
        let cluster = authority("ca", KeyPair::generate()?)?;
        let webhooks = authority("webhook-ca", KeyPair::generate()?)?;
        let front = authority("front-proxy-ca", KeyPair::generate()?)?;
        for name in ["upload-server-ca", "upload-client-ca"] {
            authority(name, rsa()?)?;
        }
        pair("apiserver", cluster.sign("kube-apiserver", None, &["localhost", "kubernetes.default.svc"])?)?;
        for name in ["kube-controller-manager", "kube-scheduler"] {
            pair(name, cluster.sign(&format!("system:{name}"), None, &["localhost"])?)?;
        }
        pair("front-proxy-client", front.sign("front-proxy-client", None, &[])?)?;
        pair("virt-api", webhooks.sign("virt-api", None, &["virt-api.kubevirt.svc", "localhost"])?)?;
        pair("cdi-api", webhooks.sign("cdi-api", None, &["cdi-api.cdi.svc", "localhost"])?)?;

        let (accounts, tokens) = (rsa()?, rsa()?);
        write("sa.key", &accounts.serialize_pem())?;
        write("sa.pub", &accounts.public_key_pem())?;
        write("pkcs8.key", &tokens.serialize_pem())?;
        // CDI reads its token key in the older form only.
        let older = output(Command::new("openssl").args(["rsa", "-traditional", "-in"]).arg(layout.pki("pkcs8.key")))?;
        write("id_rsa", &older)?;
        write("id_rsa.pub", &tokens.public_key_pem())?;
        Ok(Self { cluster, webhooks })
    }

    /// A client certificate of the cluster for a user and, if any, its group.
    pub fn user(&self, name: &str, group: Option<&str>) -> Result<Identity> {
        self.cluster.sign(name, group, &[])
    }

    /// A certificate for a server on loopback that the cluster's clients trust.
    pub fn server(&self, name: &str) -> Result<Identity> {
        self.cluster.sign(name, None, &["localhost"])
    }

    /// The authority that clients of the API server trust.
    pub fn cluster_ca(&self) -> &str {
        &self.cluster.pem
    }

    /// The authority that the API server trusts when it calls webhooks and aggregated APIs.
    pub fn webhook_ca(&self) -> &str {
        &self.webhooks.pem
    }
}

impl Authority {
    fn new(name: &str, key: KeyPair) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// Signs a certificate that serves as client's and, on loopback and `hosts`, as server's.
    fn sign(&self, name: &str, group: Option<&str>, hosts: &[&str]) -> Result<Identity> {
        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(hosts)?;
        params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        params.distinguished_name.push(DnType::CommonName, name);
        if let Some(group) = group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Identity { certificate, key: key.serialize_pem() })
    }
}

fn rsa() -> Result<KeyPair> {
    let pem = output(Command::new("openssl").args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]))?;
    Ok(KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &PKCS_RSA_SHA256)?)
}
