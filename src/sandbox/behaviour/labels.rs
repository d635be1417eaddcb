//! Selectors: which labels an object must have.
//! Source: kubernetes 1.36 apimachinery `pkg/labels/selector.go`, component-helpers `scheduling/corev1/nodeaffinity`.
//!
//! Cases: `lists/labels-select`.

use serde_json::Value;

use crate::sandbox::store::text;

/// Whether a label selector chooses an object with these labels; nothing asked for chooses everything.
pub fn selected(selector: &Value, labels: &Value) -> bool {
    let exact = selector.get("matchLabels").and_then(Value::as_object);
    let exact = exact.is_none_or(|wanted| wanted.iter().all(|(name, value)| labels.get(name) == Some(value)));
    exact && all(&selector["matchExpressions"], labels)
}

/// Whether labels meet every one of these expressions.
pub fn all(expressions: &Value, labels: &Value) -> bool {
    expressions.as_array().is_none_or(|expressions| expressions.iter().all(|expression| meets(expression, labels)))
}

fn meets(expression: &Value, labels: &Value) -> bool {
    let label = labels.get(text(expression, "/key")).and_then(Value::as_str);
    let values: Vec<&str> = expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let number = |text: &str| text.parse::<i64>().ok();
    let compared = |wanted: fn(i64, i64) -> bool| {
        let sides = label.and_then(number).zip(values.first().copied().and_then(number));
        sides.is_some_and(|(label, value)| wanted(label, value))
    };
    match text(expression, "/operator") {
        "In" => label.is_some_and(|label| values.contains(&label)),
        "NotIn" => label.is_none_or(|label| !values.contains(&label)),
        "Exists" => label.is_some(),
        "DoesNotExist" => label.is_none(),
        "Gt" => compared(|label, value| label > value),
        "Lt" => compared(|label, value| label < value),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_that_is_asked_for_must_be_met() {
        let labels = json!({"tier": "db", "size": "10"});
        let expression = |key, operator, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        assert!(selected(&Value::Null, &labels));
        assert!(selected(&json!({"matchLabels": {"tier": "db"}}), &labels));
        assert!(!selected(&json!({"matchLabels": {"tier": "web"}}), &labels));
        for (key, operator, values, met) in [
            ("tier", "In", &["db", "web"][..], true),
            ("tier", "NotIn", &["db"], false),
            ("zone", "NotIn", &["a"], true),
            ("zone", "Exists", &[], false),
            ("zone", "DoesNotExist", &[], true),
            ("size", "Gt", &["9"], true),
            ("size", "Lt", &["9"], false),
            ("tier", "Resembles", &["db"], false),
        ] {
            assert_eq!(selected(&expression(key, operator, values), &labels), met, "{key} {operator}");
        }
    }
}
