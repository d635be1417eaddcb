//! A request as a value.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request};
use serde_json::Value;

use super::error::{ApiError, Reason};

pub(super) const JSON: &str = "application/json";
/// Whatever it is: KubeVirt's lifecycle requests answer nothing and refuse who asks for JSON (kubevirt/kubevirt 1.8 `pkg/virt-api/api.go`).
pub(super) const ANYTHING: &str = "*/*";
pub(super) const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
/// A list as kubectl prints it: a row of cells for each object, and its metadata.
pub(super) const TABLE: &str = "application/json;as=Table;g=meta.k8s.io;v=v1";
pub(super) const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// What is sent.
pub(super) struct Call {
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// Content type and body.
    pub content: Option<(&'static str, Value)>,
    pub accept: &'static str,
    /// Whether it changes nothing, and so may be sent again.
    pub is_read: bool,
}

impl Call {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { is_read: method == Method::GET, method, path: path.into(), content: None, accept: JSON }
    }

    pub(super) fn content(mut self, content_type: &'static str, body: Value) -> Self {
        self.content = Some((content_type, body));
        self
    }

    pub(super) fn accept(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }

    /// Says that this is a question, though it is no GET.
    pub(super) fn question(mut self) -> Self {
        self.is_read = true;
        self
    }

    pub(super) fn request<B: From<Vec<u8>>>(&self) -> Result<Request<B>, ApiError> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.path).header(ACCEPT, self.accept);
        let mut bytes = Vec::new();
        if let Some((content_type, body)) = &self.content {
            request = request.header(CONTENT_TYPE, *content_type);
            bytes = body.to_string().into_bytes();
        }
        request.body(B::from(bytes)).map_err(|error| ApiError::new(Reason::Other, 0, format!("the request {} cannot be made: {error}", self.path)))
    }
}
