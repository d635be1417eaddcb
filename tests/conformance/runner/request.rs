//! Steps as HTTP requests, and replies to them as they are compared and told.

use std::fmt::{self, Display, Formatter};

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::header::{ACCEPT, CONTENT_TYPE, WARNING};
use http::{Method, Request, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::case::{Expect, Step};
use super::{kinds, pattern, words};

/// Of a reply in a report this much is shown.
const EXCERPT: usize = 1500;

/// The request of a step that makes one.
pub fn request(step: &Step, objects: &Map<String, Value>, namespace: &str) -> Result<Request<Vec<u8>>> {
    let namespace = step.r#in.as_deref().unwrap_or(namespace);
    let body = match (&step.create, &step.body) {
        (Some(short), _) => Some(words::manifest(short, objects, namespace)?),
        (None, Some(body)) if is_manifest(body) => Some(words::manifest(body, objects, namespace)?),
        (None, body) => body.clone(),
    };
    let body = body.or_else(|| step.json.clone()).or_else(|| step.merge.clone());
    let (method, path) = target(step, body.as_ref(), namespace)?;
    let content = match () {
        () if step.json.is_some() => "application/json-patch+json",
        () if step.merge.is_some() => "application/merge-patch+json",
        () => "application/json",
    };
    let accept = step.accept.as_deref().unwrap_or("*/*");
    let mut request = Request::builder().method(method).uri(path + &query(step)).header(ACCEPT, accept);
    let binary = step.base64.as_ref().map(|text| STANDARD.decode(text)).transpose()?;
    let bytes = binary.or_else(|| step.text.clone().map(String::into_bytes)).or_else(|| Some(body?.to_string().into_bytes()));
    if bytes.is_some() && !step.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
        request = request.header(CONTENT_TYPE, content);
    }
    for (name, value) in &step.headers {
        request = request.header(name, value);
    }
    if let Some(user) = &step.r#as {
        request = request.header("Impersonate-User", &user.user);
        for group in &user.groups {
            request = request.header("Impersonate-Group", group);
        }
    }
    Ok(request.body(bytes.unwrap_or_default())?)
}

fn is_manifest(body: &Value) -> bool {
    body.get("like").is_some() || body["kind"].as_str().is_some_and(|kind| kinds::named(kind).is_some())
}

fn target(step: &Step, body: Option<&Value>, namespace: &str) -> Result<(Method, String)> {
    let address = |address: &Option<String>| kinds::path(address.as_deref().unwrap_or_default(), namespace);
    Ok(match step {
        Step { create: Some(_), .. } => {
            let body = body.context("a manifest")?;
            let kind = body["kind"].as_str().and_then(kinds::named).with_context(|| format!("the runner does not know the kind of {body}"))?;
            (Method::POST, kinds::path(kind.plural, step.r#in.as_deref().or(body["metadata"]["namespace"].as_str()).unwrap_or(namespace))?)
        }
        Step { put: Some(_), .. } => (Method::PUT, address(&step.put)?),
        Step { patch: Some(_), .. } => (Method::PATCH, address(&step.patch)?),
        Step { delete: Some(_), .. } => (Method::DELETE, address(&step.delete)?),
        Step { raw: Some(raw), .. } => {
            let (method, path) = raw.split_once(' ').context("raw is a method and a path")?;
            (method.parse()?, kinds::path(path, namespace)?)
        }
        Step { watch: Some(_), .. } => (Method::GET, address(&step.watch)?),
        Step { wait: Some(_), .. } => (Method::GET, address(&step.wait)?),
        Step { never: Some(_), .. } => (Method::GET, address(&step.never)?),
        _ => (Method::GET, address(&step.get)?),
    })
}

fn query(step: &Step) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), String::from);
    let mut pairs: Vec<String> = step.query.iter().map(|(key, value)| format!("{key}={}", encoded(&plain(value)))).collect();
    if step.watch.is_some() {
        pairs.insert(0, "watch=true".into());
    }
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// A reply as cases look at it.
pub struct Reply {
    pub code: u16,
    pub warnings: Vec<String>,
    /// A text if it is no JSON, null if there is none.
    pub body: Value,
}

impl Reply {
    pub fn of(response: &Response<Vec<u8>>) -> Self {
        let body = response.body();
        let text = || if body.is_empty() { Value::Null } else { String::from_utf8_lossy(body).into() };
        let warnings = response.headers().get_all(WARNING).iter().filter_map(|value| warning(value.to_str().ok()?));
        Self { code: response.status().as_u16(), warnings: warnings.collect(), body: serde_json::from_slice(body).unwrap_or_else(|_| text()) }
    }

    /// Whether it is what a step expects.
    pub fn meets(&self, expect: &Expect) -> Result<()> {
        let good = expect.code.map_or((200..300).contains(&self.code), |code| code == self.code);
        ensure!(good, "expected code {}", expect.code.map_or("2xx".into(), |code| code.to_string()));
        for (name, wanted) in [("reason", &expect.reason), ("message", &expect.message)] {
            let seen = self.body[name].as_str().unwrap_or_default();
            let met = wanted.as_ref().is_none_or(|wanted| pattern::says(wanted, seen));
            ensure!(met, "expected the {name} {:?}\n           saw {seen:?}", wanted.as_deref().unwrap_or_default());
        }
        if let Some(wanted) = &expect.body {
            pattern::check(wanted, &self.body)?;
        }
        if let Some(wanted) = &expect.warnings {
            let met = wanted.len() == self.warnings.len() && wanted.iter().zip(&self.warnings).all(|(wanted, seen)| pattern::says(wanted, seen));
            ensure!(met, "expected the warnings {wanted:?}");
        }
        Ok(())
    }
}

impl Display for Reply {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let mut body = self.body.clone();
        if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        let text = body.to_string();
        let shown: String = text.chars().take(EXCERPT).collect();
        write!(f, "{} {shown}", self.code)?;
        if self.warnings.is_empty() { Ok(()) } else { write!(f, "\nwarnings: {:?}", self.warnings) }
    }
}

/// The text of a header like `299 - "unknown field \"spec.x\""`.
fn warning(header: &str) -> Option<String> {
    let text = header.splitn(3, ' ').nth(2)?;
    serde_json::from_str(text).ok()
}
