//! Certificates for a sandbox behind a socket: one of the server, one for each person, signed by an authority that signs nothing else.
//!
//! The authority's key is forgotten as soon as they are made, so there can be no other; a person is known by the certificate itself.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};
use thiserror::Error;

use super::write::User;

/// Certificates could not be made.
#[derive(Debug, Error)]
pub enum IdentityError {
    #[error(transparent)]
    Signing(#[from] rcgen::Error),
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    #[error(transparent)]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    #[error("{0}")]
    Key(&'static str),
}

/// Everybody who is known to a server, and the server itself.
pub struct Identities {
    authority: String,
    people: Vec<Person>,
    pub tls: Arc<ServerConfig>,
}

struct Person {
    /// What kubeconfig calls the context.
    context: String,
    user: User,
    certificate: CertificateDer<'static>,
    pem: String,
    key: String,
}

impl Identities {
    /// New certificates; `people` are users with the names of their contexts.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn make(people: &[(&str, User)]) -> Result<Self, IdentityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "vmmove-sandbox");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let authority = params.self_signed(&key)?;
        let issuer = Issuer::new(params, key);
        let people = people.iter().map(|(context, user)| Person::make(context, user, &issuer)).collect::<Result<Vec<_>, _>>()?;

        let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
        params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let own = params.signed_by(&key, &issuer)?;

        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone())?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).allow_unauthenticated().build()?;
        let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(IdentityError::Key)?;
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut tls = builder.with_client_cert_verifier(verifier).with_single_cert(vec![own.der().clone()], private)?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { authority: authority.pem(), people, tls: Arc::new(tls) })
    }

    /// Who shows these certificates. Nobody in particular without one.
    pub fn who(&self, shown: Option<&[CertificateDer<'_>]>) -> Option<User> {
        let first = shown?.first()?;
        self.people.iter().find(|person| person.certificate == *first).map(|person| person.user.clone())
    }

    /// A kubeconfig with a context for each person, the first being current.
    pub fn kubeconfig(&self, server: &str, namespace: &str) -> Value {
        let context = |person: &Person| {
            let context = json!({"cluster": "sandbox", "user": person.context, "namespace": namespace});
            json!({"name": person.context, "context": context})
        };
        let user = |person: &Person| {
            let user = json!({"client-certificate-data": STANDARD.encode(&person.pem), "client-key-data": STANDARD.encode(&person.key)});
            json!({"name": person.context, "user": user})
        };
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": self.people.first().map(|person| person.context.as_str()),
            "clusters": [{"name": "sandbox", "cluster": {"server": server, "certificate-authority-data": STANDARD.encode(&self.authority)}}],
            "contexts": self.people.iter().map(context).collect::<Vec<_>>(),
            "users": self.people.iter().map(user).collect::<Vec<_>>(),
        })
    }
}

impl Person {
    fn make(context: &str, user: &User, issuer: &Issuer<'_, KeyPair>) -> Result<Self, IdentityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, user.name.as_str());
        if let Some(group) = user.groups.first() {
            params.distinguished_name.push(DnType::OrganizationName, group.as_str());
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let signed = params.signed_by(&key, issuer)?;
        Ok(Self { context: context.to_owned(), user: user.clone(), certificate: signed.der().clone(), pem: signed.pem(), key: key.serialize_pem() })
    }
}
