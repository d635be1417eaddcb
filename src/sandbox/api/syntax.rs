//! What is wrong with a body that is no JSON, in the words of the library by which the server reads it (Go's `encoding/json`).

use serde_json::error::Category;

use crate::sandbox::status::Status;

/// What our reader says, and what the server says after naming the character.
const WORDS: &[(&str, &str)] = &[
    ("key must be a string", "looking for beginning of object key string"),
    ("trailing comma", "looking for beginning of object key string"),
    ("expected `:`", "after object key"),
    ("expected `,` or `}`", "after object key:value pair"),
    ("expected `,` or `]`", "after array element"),
    ("trailing characters", "after top-level value"),
    ("control character", "in string literal"),
    ("invalid escape", "in string escape code"),
];
/// So much of a body is shown.
const SHOWN: usize = 64;

/// The refusal of a body in which something of a kind was expected.
pub fn refusal(body: &[u8], kind: &str, error: &serde_json::Error) -> Status {
    let hex: Vec<String> = body.iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect();
    let hex = hex.concat();
    let rest = if body.len() > SHOWN { "..." } else { "" };
    let words = words(body, error);
    Status::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {words} ({hex}{rest})"
    ))
}

fn words(body: &[u8], error: &serde_json::Error) -> String {
    if error.classify() == Category::Eof {
        return "unexpected end of JSON input".to_owned();
    }
    let said = error.to_string();
    let after = WORDS.iter().find(|(ours, _)| said.starts_with(ours)).map_or("looking for beginning of value", |(_, theirs)| theirs);
    let line = body.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let found = line.get(error.column().saturating_sub(1)).map_or('\n', |byte| char::from(*byte));
    format!("invalid character {found:?} {after}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_is_wrong_is_said_in_the_words_of_the_server() {
        for (body, said) in [
            ("{not json", "invalid character 'n' looking for beginning of object key string"),
            ("hello", "invalid character 'h' looking for beginning of value"),
            ("{\"a\": 1", "unexpected end of JSON input"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("[1 2]", "invalid character '2' after array element"),
            ("{} x", "invalid character 'x' after top-level value"),
        ] {
            let error = serde_json::from_str::<Value>(body).unwrap_err();
            assert_eq!(words(body.as_bytes(), &error), said, "{body}");
        }
    }
}
