//! Values of flags that are one of a few words, or a pair of names.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

/// One word that a flag takes, what it stands for, and what help and completion say about it.
pub type Word<T> = (&'static str, T, &'static str);

/// Takes one of these words and nothing else.
pub fn one_of<T: Copy + Send + Sync + 'static>(words: &'static [Word<T>]) -> impl TypedValueParser<Value = T> {
    let values = words.iter().map(|(word, _, help)| PossibleValue::new(*word).help(*help));
    PossibleValuesParser::new(values).try_map(|given| {
        words.iter().find(|(word, _, _)| *word == given).map(|(_, value, _)| *value).ok_or_else(|| format!("no meaning for {given}"))
    })
}

/// Takes `A=B`, both sides not empty.
///
/// # Errors
/// A clause that says what is expected.
pub fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((from, to)) if !from.is_empty() && !to.is_empty() => Ok((from.to_owned(), to.to_owned())),
        _ => Err("two names are needed, as in OLD=NEW".to_owned()),
    }
}
