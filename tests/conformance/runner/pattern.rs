//! Does a reply look as expected? A pattern names what matters and leaves the rest open.
//!
//! - A mapping: each of its keys matches; `null` stands for "absent".
//! - A list: as many items, each matches. `{$has: pattern}` matches a list with such an item, `{$lacks: pattern}` one without,
//!   `{$size: n}` one of n items.
//! - `{$any: true}`: there, whatever it is; `{$not: pattern}`: there, but not so; `{$or: [pattern, …]}`: one of these.
//! - A text in slashes is a regular expression that must match the whole text.

use anyhow::{Context, Result, ensure};
use regex::Regex;
use serde_json::Value;

/// Checks a value against a pattern. The error says where they differ.
pub fn check(pattern: &Value, seen: &Value) -> Result<()> {
    compare(pattern, seen, "")
}

/// Whether a value is as the pattern says.
pub fn matches(pattern: &Value, seen: &Value) -> bool {
    check(pattern, seen).is_ok()
}

fn compare(pattern: &Value, seen: &Value, at: &str) -> Result<()> {
    let differ = || format!("{}: expected {pattern}, saw {seen}", if at.is_empty() { "/" } else { at });
    match pattern {
        Value::Object(keys) => match keys.iter().next() {
            Some((operator, operand)) if keys.len() == 1 && operator.starts_with('$') => {
                ensure!(operate(operator, operand, seen)?, differ());
            }
            _ => {
                ensure!(seen.is_object(), differ());
                for (key, pattern) in keys {
                    compare(pattern, &seen[key], &format!("{at}/{key}"))?;
                }
            }
        },
        Value::Array(patterns) => {
            let items = seen.as_array().with_context(differ)?;
            ensure!(patterns.len() == items.len(), differ());
            for (index, (pattern, item)) in patterns.iter().zip(items).enumerate() {
                compare(pattern, item, &format!("{at}/{index}"))?;
            }
        }
        Value::String(text) => ensure!(seen.as_str().is_some_and(|seen| says(text, seen)), differ()),
        Value::Null => ensure!(seen.is_null(), differ()),
        Value::Bool(_) | Value::Number(_) => ensure!(pattern == seen, differ()),
    }
    Ok(())
}

fn operate(operator: &str, operand: &Value, seen: &Value) -> Result<bool> {
    let none = Vec::new();
    let items = seen.as_array().unwrap_or(&none);
    Ok(match operator {
        "$has" => items.iter().any(|item| matches(operand, item)),
        "$lacks" => !items.iter().any(|item| matches(operand, item)),
        "$size" => operand.as_u64() == u64::try_from(items.len()).ok(),
        "$any" => !seen.is_null(),
        "$or" => operand.as_array().is_some_and(|all| all.iter().any(|one| matches(one, seen))),
        "$not" => !seen.is_null() && !matches(operand, seen),
        _ => anyhow::bail!("there is no operator {operator}"),
    })
}

/// Whether a text is this text or, in slashes, of this form.
pub fn says(pattern: &str, seen: &str) -> bool {
    let form = pattern.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).filter(|form| !form.is_empty());
    match form {
        Some(form) => Regex::new(&format!("(?s)^(?:{form})$")).is_ok_and(|form| form.is_match(seen)),
        None => pattern == seen,
    }
}

pub fn patterns_name_what_matters() -> Result<()> {
    use serde_json::json;
    let seen = json!({"a": 1, "list": [{"type": "Ready", "status": "True"}, {"type": "Paused"}], "uid": "0a-1b"});
    for pattern in [
        json!({"a": 1, "gone": null}),
        json!({"list": {"$has": {"type": "Ready", "status": "True"}}}),
        json!({"list": {"$lacks": {"type": "Failed"}}}),
        json!({"list": {"$size": 2}, "a": {"$any": true}}),
        json!({"uid": "/[0-9a-f-]+/", "a": {"$not": 2}}),
        json!({"gone": {"$or": [null, 1]}, "a": {"$or": [null, 1]}}),
    ] {
        ensure!(matches(&pattern, &seen), "{pattern} does not match");
    }
    for pattern in [json!({"a": "1"}), json!({"a": null}), json!({"list": [{"type": "Ready"}]}), json!({"uid": "/0a/"}), json!({"gone": {"$not": 1}})]
    {
        ensure!(!matches(&pattern, &seen), "{pattern} matches");
    }
    Ok(())
}
