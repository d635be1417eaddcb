//! As of when a list is asked for.
//!
//! Cases: `lists/a-list-is-of-the-version-that-is-asked-for`, `lists/how-a-version-is-meant-is-said-in-full`.

use serde_json::json;

use super::path::Query;
use crate::sandbox::catalog::Resource;
use crate::sandbox::status::{Cause, Status};
use crate::sandbox::world::World;

const MATCH: &str = "resourceVersionMatch";
/// What the words about wrong options are about.
static OPTIONS: Resource = Resource::named(4, "meta.k8s.io", &["v1"], "ListOptions");

/// The version that a list has to be of; `None` for any that is new enough.
///
/// # Errors
/// 400 for one that is no number, 422 for options that contradict each other (kubernetes/apimachinery
/// `pkg/apis/meta/internalversion/validation/validation.go`), 504 for one that has not been reached.
pub fn asked(world: &World, query: &Query) -> Result<Option<u64>, Status> {
    let given = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let (version, how) = (given("resourceVersion"), given(MATCH));
    let wrong = contradictions(version, how, given("continue"));
    if !wrong.is_empty() {
        return Err(Status::invalid(&OPTIONS, "", &wrong));
    }
    if version.is_empty() {
        return Ok(None);
    }
    let wanted = version.parse::<u64>().map_err(|_| {
        let words = "invalid resource version: resourceVersion: Invalid value";
        Status::bad_request(format!("{words}: \"{version}\": strconv.ParseUint: parsing \"{version}\": invalid syntax"))
    })?;
    if wanted > world.store.version() {
        return Err(to_come(wanted, world.store.version()));
    }
    Ok((how == "Exact").then_some(wanted))
}

fn contradictions(version: &str, how: &str, token: &str) -> Vec<Cause> {
    let mut wrong = Vec::new();
    if how.is_empty() {
        return wrong;
    }
    if version.is_empty() {
        wrong.push(Cause::forbidden(MATCH, "resourceVersionMatch is forbidden unless resourceVersion is provided"));
    }
    if !token.is_empty() {
        wrong.push(Cause::forbidden(MATCH, "resourceVersionMatch is forbidden when continue is provided"));
    }
    if !matches!(how, "Exact" | "NotOlderThan") {
        let message = format!("Unsupported value: \"{how}\": supported values: \"Exact\", \"NotOlderThan\", \"\"");
        wrong.push(Cause { reason: "FieldValueNotSupported", message, field: MATCH.to_owned() });
    }
    if how == "Exact" && version == "0" {
        wrong.push(Cause::forbidden(MATCH, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
    }
    wrong
}

fn to_come(wanted: u64, now: u64) -> Status {
    let mut status = Status::new(504, "Timeout", format!("Timeout: Too large resource version: {wanted}, current: {now}"));
    status.0["details"] = json!({"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}], "retryAfterSeconds": 1});
    status
}

/// A version that is forgotten, whether a page or the list itself was asked for.
pub fn expired(page: bool) -> Status {
    let message = if page {
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter."
    } else {
        "The resourceVersion for the provided list is too old."
    };
    Status::new(410, "Expired", message)
}
