//! Plans of thousands of machines, read on all processors.

use std::ops::Range;

use serde_json::Value;

use crate::plan::share::shared_out;

/// From so many bytes on it is worth it.
const LONG: usize = 1 << 20;
/// About how many bytes are read at a time.
const PART: usize = 1 << 18;
/// What comes before the machines of a document of ours.
const LIST: &str = "\n  machines:\n";
/// Where the list is then.
const PLACE: &str = "/spec/machines";

/// One long document, of JSON or of ours, if this is one and nothing is wrong with it; `read` reads YAML.
///
/// In a list, nothing but its items begins at their column, whatever they hold: it can be cut there. What cannot be read in parts may be
/// readable as a whole, where an alias names something of another part.
pub fn read(text: &str, read: impl Fn(&str) -> Option<Value> + Sync) -> Option<Value> {
    if text.len() < LONG {
        return None;
    }
    // JSON is YAML, too, but is read much faster as what it is.
    if text.starts_with('{') {
        return serde_json::from_str(text).ok();
    }
    let begin = text.find(LIST)? + LIST.len();
    let cuts = cut(text, begin);
    let end = cuts.last()?.end;
    let mut whole = read(&(text[..begin].to_owned() + &text[end..]))?;
    let list = whole.pointer_mut(PLACE).filter(|list| list.is_null())?;
    let mut items = Vec::new();
    for part in shared_out(&cuts, true, |part| read(&text[part.clone()])) {
        let Some(Value::Array(part)) = part else { return None };
        items.extend(part);
    }
    *list = items.into();
    Some(whole)
}

/// Whole items each, one part after the other, from `begin` to the end of the list.
fn cut(text: &str, begin: usize) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut at = begin;
    for line in text[begin..].split_inclusive('\n') {
        let item = line.starts_with("  - ");
        if !item && !line.starts_with("   ") && !line.trim().is_empty() {
            break;
        }
        match parts.last_mut() {
            Some(part) if !item || part.len() < PART => part.end += line.len(),
            _ => parts.push(at..at + line.len()),
        }
        at += line.len();
    }
    parts
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fmt::Write;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::json;

    use super::*;

    /// A plan of many machines that say awkward things, and how often YAML was read for it in parts.
    fn parts(odd: &str) -> (Option<Value>, Value, usize) {
        let mut text = "kind: MovePlan\nspec:\n  source: a\n  machines:\n".to_owned();
        for number in 0..20_000 {
            let _ = write!(text, "  - name: vm-{number}\n    why: |\n      one\n\n      - two\n    list:\n    - \"  - x\"\n{odd}");
        }
        text += "  zones: [b]\nlast: yes\n";
        let whole: Value = serde_saphyr::from_str_with_options(&text, crate::output::yaml::reading()).unwrap();
        let times = AtomicUsize::new(0);
        let read = read(&text, |part| {
            times.fetch_add(1, Ordering::Relaxed);
            serde_saphyr::from_str_with_options(part, crate::output::yaml::reading()).ok()
        });
        (read, whole, times.into_inner())
    }

    #[test]
    fn parts_make_the_same_document() {
        let (read, whole, times) = parts("    more: {a: [\n     1]}\n");
        assert_eq!(read, Some(whole));
        assert!(times > 4, "{times}");
    }

    #[test]
    fn what_cannot_be_cut_is_left_to_be_read_as_a_whole() {
        let (read, whole, _) = parts("# a remark\n");
        assert_eq!((read, &whole["spec"]["machines"][7]["name"]), (None, &json!("vm-7")));
        assert_eq!(super::read("spec:\n  machines:\n  - a: b\n", |_| None), None, "it is short");
    }
}
