//! How the webhooks of KubeVirt and CDI refuse. Sources: kubevirt 1.8 `pkg/util/webhooks/utils.go`, containerized-data-importer 1.65
//! `pkg/apiserver/webhooks/handler.go`, kubernetes 1.36 `staging/src/k8s.io/apiserver/pkg/admission/plugin/webhook/errors/statuserror.go`.
//!
//! Cases: `virtualmachines/a-network-has-an-interface`, `datavolumes/a-disk-of-an-unknown-data-source-is-refused`.

use serde_json::{Value, json};

use crate::sandbox::status::{Cause, Status};

/// A cause in the webhooks' words, which say no reason before the message.
pub fn cause(reason: &'static str, field: &str, message: impl Into<String>) -> Cause {
    Cause { reason, message: message.into(), field: field.to_owned() }
}

pub fn invalid(field: &str, message: impl Into<String>) -> Cause {
    cause("FieldValueInvalid", field, message)
}

/// What a webhook of KubeVirt says about these causes; nothing when there are none.
///
/// # Errors
/// The refusal.
pub fn kubevirt(webhook: &str, causes: &[Cause]) -> Result<(), Status> {
    const SHOWN: usize = 10;
    let mut words = causes.iter().take(SHOWN).map(|cause| cause.message.as_str()).collect::<Vec<_>>().join(", ");
    if causes.len() > SHOWN {
        words = format!("{words}, and {} more validation errors", causes.len() - SHOWN);
    }
    denied(webhook, "Invalid", &words, &causes[..causes.len().min(SHOWN)])
}

/// What a webhook of CDI says about these causes; it begins every cause with a space and names no reason.
///
/// # Errors
/// The refusal.
pub fn cdi(webhook: &str, causes: &[Cause]) -> Result<(), Status> {
    let words: Vec<&str> = causes.iter().map(|cause| cause.message.as_str()).collect();
    denied(webhook, "", &format!(" {}", words.join(" ")), causes)
}

fn denied(webhook: &str, reason: &str, words: &str, causes: &[Cause]) -> Result<(), Status> {
    if causes.is_empty() {
        return Ok(());
    }
    let mut status = Status::new(422, reason, format!("admission webhook \"{webhook}\" denied the request: {words}"));
    let said = |cause: &Cause| {
        let mut said = json!({"reason": cause.reason, "message": cause.message});
        if !cause.field.is_empty() {
            said["field"] = cause.field.as_str().into();
        }
        said
    };
    status.0["details"] = json!({"causes": causes.iter().map(said).collect::<Vec<Value>>()});
    Err(status)
}

/// A webhook that could not decide.
pub fn failed(webhook: &str, words: &str) -> Status {
    Status::new(400, "", format!("admission webhook \"{webhook}\" denied the request: {words}"))
}
