//! Groups of manifests that are there several times, with a number or a word filled in. What they look like stands in [`super::reading`].

use serde::Deserialize;
use serde_json::Value;

/// A group of manifests that is there several times.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    count: Option<usize>,
    values: Option<Vec<String>>,
    #[serde(default = "usual_name", rename = "as")]
    name: String,
    templates: Vec<Value>,
}

fn usual_name() -> String {
    "i".to_owned()
}

impl Repeat {
    /// What is filled in, each time.
    ///
    /// # Errors
    /// Why that cannot be said.
    pub fn words(&self) -> Result<Box<dyn Iterator<Item = String> + '_>, String> {
        match (self.count, &self.values) {
            (Some(count), None) => Ok(Box::new((1..=count).map(|number| number.to_string()))),
            (None, Some(values)) => Ok(Box::new(values.iter().cloned())),
            _ => Err("it needs either count or values".to_owned()),
        }
    }

    pub fn templates(&self) -> &[Value] {
        &self.templates
    }

    /// A template of this group with a word filled in.
    pub fn filled(&self, template: &Value, word: &str) -> Value {
        filled(template, &self.name, word)
    }
}

/// A template with a number or word filled in.
fn filled(template: &Value, name: &str, word: &str) -> Value {
    match template {
        Value::String(text) => fill(text, name, word).into(),
        Value::Array(all) => all.iter().map(|one| filled(one, name, word)).collect(),
        Value::Object(fields) => fields.iter().map(|(field, value)| (fill(field, name, word), filled(value, name, word))).collect(),
        other => other.clone(),
    }
}

/// `{i}` and `{i:04}`; any other braces stay.
fn fill(text: &str, name: &str, word: &str) -> String {
    let (mut filled, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let found = after.split_once('}').and_then(|(inside, behind)| {
            let width = match inside.strip_prefix(name)? {
                "" => 0,
                form => form.strip_prefix(":0")?.parse::<usize>().ok().filter(|width| *width < 100)?,
            };
            Some((width, behind))
        });
        rest = if let Some((width, behind)) = found {
            filled.extend(std::iter::repeat_n('0', width.saturating_sub(word.len())));
            filled.push_str(word);
            behind
        } else {
            filled.push('{');
            after
        };
    }
    filled + rest
}
