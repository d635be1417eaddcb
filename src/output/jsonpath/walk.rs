//! Runs parsed templates over values.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Node, Part, Slice, Test};
use crate::output::go;

type Found<'a> = Result<Vec<&'a Value>, String>;

/// The results of each action of a template.
pub(super) fn parts<'a>(parts: &'a [Part], current: &'a Value) -> Result<Vec<Vec<&'a Value>>, String> {
    let mut results = Vec::new();
    for part in parts {
        match part {
            Part::Path(path) => results.push(nodes(path, current)?),
            Part::StrayEnd => return Err("not in range, nothing to end".to_owned()),
            Part::Range(path, body) => {
                for item in nodes(path, current)? {
                    results.extend(self::parts(body, item)?);
                }
            }
        }
    }
    Ok(results)
}

fn nodes<'a>(path: &'a [Node], current: &'a Value) -> Found<'a> {
    path.iter().try_fold(vec![current], |values, node| step(node, values))
}

fn step<'a>(node: &'a Node, values: Vec<&'a Value>) -> Found<'a> {
    let each = |one: &dyn Fn(&'a Value) -> Found<'a>| -> Found<'a> {
        let mut found = Vec::new();
        for value in &values {
            found.extend(one(value)?);
        }
        Ok(found)
    };
    match node {
        Node::Literal(value) => Ok(vec![value]),
        Node::Word(word) => Err(format!("unrecognized identifier {word}")),
        Node::Field(name) => Ok(values.iter().filter_map(|value| value.get(name)).collect()),
        Node::Wildcard => Ok(values.iter().flat_map(|value| children(value)).collect()),
        Node::Recursive => Ok(values.iter().flat_map(|value| containers(value)).collect()),
        Node::Slice(range) => each(&|value| slice(*range, value)),
        Node::Filter { left, test, right } => each(&|value| filter(left, test, right, value)),
        Node::Union(paths) => {
            let mut found = Vec::new();
            for path in paths {
                for value in &values {
                    found.extend(nodes(path, value)?);
                }
            }
            Ok(found)
        }
    }
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

/// The value and everything below it that has children, parents first.
fn containers(value: &Value) -> Vec<&Value> {
    let below = children(value);
    if below.is_empty() {
        return Vec::new();
    }
    std::iter::once(value).chain(below.into_iter().flat_map(containers)).collect()
}

fn slice(range: Slice, value: &Value) -> Found<'_> {
    if value.is_null() {
        return Ok(Vec::new());
    }
    let items = list(value, "is not array or slice")?;
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let from_end = |index: i64| if index < 0 { index + length } else { index };
    let outside = |index: i64| Err(format!("array index out of bounds: index {index}, length {length}"));
    let (start, end, step) = match range {
        Slice::Index(index) => (from_end(index), from_end(index) + 1, 1),
        Slice::Between { start, end, step } => (from_end(start.unwrap_or(0)), from_end(end.unwrap_or(length)), step.unwrap_or(1)),
    };
    if start == end {
        return Ok(Vec::new());
    }
    if start < 0 || start >= length {
        return outside(start);
    }
    if end < 0 || end > length {
        return outside(end - 1);
    }
    if start > end {
        return Err(format!("starting index {start} is greater than ending index {end}"));
    }
    let step = usize::try_from(step).ok().filter(|step| *step > 0).ok_or("step must be > 0")?;
    let place = |index: i64| usize::try_from(index).unwrap_or_default();
    Ok(items[place(start)..place(end)].iter().step_by(step).collect())
}

fn filter<'a>(left: &'a [Node], test: &Test, right: &'a [Node], value: &'a Value) -> Found<'a> {
    let items = list(value, "is not array or slice and cannot be filtered")?;
    let mut found = Vec::new();
    for item in items {
        if holds(left, test, right, item)? {
            found.push(item);
        }
    }
    Ok(found)
}

fn holds<'a>(left: &'a [Node], test: &Test, right: &'a [Node], item: &'a Value) -> Result<bool, String> {
    let lefts = nodes(left, item)?;
    if *test == Test::Exists {
        return Ok(!lefts.is_empty());
    }
    let rights = nodes(right, item)?;
    match (lefts.as_slice(), rights.as_slice()) {
        ([left], [right]) => compare(left, test, right),
        ([], _) | (_, []) => Ok(false),
        _ => Err("can only compare one element at a time".to_owned()),
    }
}

fn compare(left: &Value, test: &Test, right: &Value) -> Result<bool, String> {
    let order = match (left, right) {
        (Value::String(left), Value::String(right)) => left.cmp(right),
        // A whole number and a float are of two kinds, whatever they are.
        (Value::Number(left), Value::Number(right)) if left.is_f64() == right.is_f64() => {
            let exact = left.as_i64().zip(right.as_i64()).map(|(left, right)| left.cmp(&right));
            let rough = left.as_f64().zip(right.as_f64()).and_then(|(left, right)| left.partial_cmp(&right));
            exact.or(rough).ok_or("incompatible types for comparison")?
        }
        (Value::Bool(left), Value::Bool(right)) if matches!(test, Test::Equal | Test::NotEqual) => left.cmp(right),
        (Value::Bool(_), Value::Bool(_)) if !matches!(test, Test::Unknown(_)) => return Err("invalid type for comparison".to_owned()),
        _ => return Err("incompatible types for comparison".to_owned()),
    };
    Ok(match test {
        Test::Unknown(sign) => return Err(format!("unrecognized filter operator {sign}")),
        Test::Exists => true,
        Test::Equal => order == Ordering::Equal,
        Test::NotEqual => order != Ordering::Equal,
        Test::Less => order == Ordering::Less,
        Test::LessOrEqual => order != Ordering::Greater,
        Test::Greater => order == Ordering::Greater,
        Test::GreaterOrEqual => order != Ordering::Less,
    })
}

/// The items of a list. kubectl shows the whole value where it is none; only its type is told here, for it may hold what is secret.
fn list<'a>(value: &'a Value, complaint: &str) -> Result<&'a [Value], String> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| format!("{} {complaint}", go::type_name(value)))
}
