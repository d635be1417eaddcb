//! `--sort-by`: objects in the order of what a path finds in them.
//!
//! Source of the order: kubernetes/kubectl `pkg/cmd/get/sorter.go` (1.36). Quantities go by what they mean, other texts by their letters; what has
//! nothing there comes first. kubectl compares two by two and so runs in circles where only some of the texts are quantities.

use std::cmp::Ordering;

use serde_json::Value;

use super::jsonpath::{self, Template};
use crate::model::failure::Failure;
use crate::model::quantity;

/// A path to sort by.
#[derive(Clone, Debug, PartialEq)]
pub struct SortBy(Template);

impl std::str::FromStr for SortBy {
    type Err = String;

    fn from_str(path: &str) -> Result<Self, String> {
        jsonpath::relaxed(path).map(Self)
    }
}

impl SortBy {
    /// Sorts things by the objects that they are. What is equal keeps its order.
    ///
    /// # Errors
    /// None of them has anything there, or what is there has no order.
    pub fn sort<T>(&self, things: &mut Vec<T>, object: impl Fn(&T) -> Result<Value, Failure>) -> Result<(), Failure> {
        if self.0.source().is_empty() {
            return Ok(());
        }
        let mut keyed = Vec::new();
        for thing in things.drain(..) {
            let key = self.key(&object(&thing)?)?;
            keyed.push((key, thing));
        }
        if !keyed.is_empty() && keyed.iter().all(|(key, _)| key.is_none()) {
            return Err(Failure::error(format!("couldn't find any field with path {:?} in the list of objects", self.0.source())));
        }
        let values: Vec<&Value> = keyed.iter().filter_map(|(key, _)| key.as_ref()).filter(|value| !value.is_null()).collect();
        let Some(scale) = Scale::of(&values) else {
            return Err(Failure::error(format!("field {} cannot be sorted by: it is {}", self.0.source(), what(&values))));
        };
        keyed.sort_by(|(one, _), (other, _)| match (one, other) {
            (Some(one), Some(other)) => scale.compare(one, other),
            (one, other) => one.is_some().cmp(&other.is_some()),
        });
        things.extend(keyed.into_iter().map(|(_, thing)| thing));
        Ok(())
    }

    fn key(&self, object: &Value) -> Result<Option<Value>, Failure> {
        let found = self.0.found(object).map_err(Failure::error)?;
        Ok(found.first().and_then(|values| values.first()).map(|value| (*value).clone()))
    }
}

/// How all values of a field are compared: one way for all of them, for an order that holds.
#[derive(Clone, Copy)]
enum Scale {
    Whole,
    Number,
    Quantity,
    Text,
}

impl Scale {
    fn of(values: &[&Value]) -> Option<Self> {
        let all = |fits: fn(&Value) -> bool| values.iter().all(|value| fits(value));
        [
            (Self::Whole, all(Value::is_i64)),
            (Self::Number, all(Value::is_number)),
            (Self::Quantity, all(|value| milli(value).is_some())),
            (Self::Text, all(Value::is_string)),
        ]
        .into_iter()
        .find_map(|(scale, fits)| fits.then_some(scale))
    }

    /// What is null is less than anything else.
    fn compare(self, one: &Value, other: &Value) -> Ordering {
        match self {
            Self::Whole => one.as_i64().cmp(&other.as_i64()),
            Self::Number => {
                let number = |value: &Value| value.as_f64().unwrap_or(f64::NEG_INFINITY);
                number(one).total_cmp(&number(other))
            }
            Self::Quantity => milli(one).cmp(&milli(other)),
            Self::Text => one.as_str().cmp(&other.as_str()),
        }
    }
}

fn milli(value: &Value) -> Option<i128> {
    quantity::milli(value.as_str()?)
}

fn what(values: &[&Value]) -> &'static str {
    match values.iter().find(|value| !value.is_number() && !value.is_string()) {
        Some(Value::Bool(_)) => "true or false",
        Some(Value::Array(_)) => "a list",
        Some(_) => "an object",
        None => "sometimes a number and sometimes a text",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sorted(path: &str, objects: Vec<Value>) -> Result<Vec<Value>, String> {
        let mut objects = objects;
        path.parse::<SortBy>().unwrap().sort(&mut objects, |object| Ok(object.clone())).map_err(|failure| failure.message)?;
        Ok(objects)
    }

    #[test]
    fn quantities_go_by_what_they_mean_and_what_is_missing_comes_first() {
        let sizes = |sizes: &[&str]| sizes.iter().map(|size| json!({"size": size})).collect::<Vec<_>>();
        let mut all = sizes(&["9Gi", "10Gi", "512Mi"]);
        all.push(json!({}));
        let mut wanted = vec![json!({})];
        wanted.extend(sizes(&["512Mi", "9Gi", "10Gi"]));
        assert_eq!(sorted(".size", all).unwrap(), wanted);
        assert_eq!(sorted("{.size}", sizes(&["vm-9", "vm-10"])).unwrap(), sizes(&["vm-10", "vm-9"]));
        assert_eq!(sorted("n", vec![json!({"n": 10}), json!({"n": 9})]).unwrap(), vec![json!({"n": 9}), json!({"n": 10})]);
    }

    #[test]
    fn what_cannot_be_sorted_by_is_said() {
        assert_eq!(sorted(".nothing", vec![json!({})]).unwrap_err(), "couldn't find any field with path \"{.nothing}\" in the list of objects");
        let mixed = ["9Gi", "10Gi", "2x"].map(|size| json!({"size": size})).to_vec();
        assert_eq!(sorted(".size", mixed).unwrap(), ["10Gi", "2x", "9Gi"].map(|size| json!({"size": size})));
        let said = sorted(".n", vec![json!({"n": 1}), json!({"n": "x"}), json!({"n": 0})]).unwrap_err();
        assert_eq!(said, "field {.n} cannot be sorted by: it is sometimes a number and sometimes a text");
        let said = sorted(".on", vec![json!({"on": true}), json!({"on": false})]).unwrap_err();
        assert_eq!(said, "field {.on} cannot be sorted by: it is true or false");
        assert!("{.a".parse::<SortBy>().unwrap_err().starts_with("unexpected path string"));
        assert_eq!(sorted(".any", Vec::new()).unwrap(), Vec::<Value>::new());
        assert_eq!(sorted("", vec![json!(2), json!(1)]).unwrap(), vec![json!(2), json!(1)]);
    }
}
