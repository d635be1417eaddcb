//! `-o custom-columns=NAME:.metadata.name,...`: titles of the user's own, each with a path.
//!
//! Source of the format: kubernetes/kubectl `pkg/cmd/get/customcolumn.go`. Cells with several values join them by commas.

use serde_json::Value;

use super::go;
use super::jsonpath::{Template, relaxed};
use super::table;

/// Columns in the user's order: title and path.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomColumns(Vec<(String, Template)>);

impl CustomColumns {
    /// From `TITLE:PATH,TITLE:PATH`.
    pub fn parse(spec: &str) -> Result<Self, String> {
        if spec.is_empty() {
            return Err("custom-columns format specified but no custom columns given".to_owned());
        }
        let wrong = |part| format!("unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>");
        let columns = spec.split(',').map(|part| part.split_once(':').ok_or_else(|| wrong(part))).collect::<Result<Vec<_>, _>>()?;
        columns.into_iter().map(|(title, path)| Ok((title.to_owned(), relaxed(path)?))).collect::<Result<_, _>>().map(Self)
    }

    /// From a file of two lines: titles, and below each its path.
    pub fn parse_file(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let (titles, paths) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        if titles.is_empty() {
            return Err("custom-columns format specified but no custom columns given".to_owned());
        }
        if titles.len() != paths.len() {
            return Err(format!("number of headers ({}) and field specifications ({}) don't match", titles.len(), paths.len()));
        }
        titles.iter().zip(paths).map(|(title, path)| Ok(((*title).to_owned(), relaxed(path)?))).collect::<Result<_, _>>().map(Self)
    }

    /// The table of these objects.
    pub fn render(&self, objects: &[&Value], headers: bool) -> Result<String, String> {
        let titles: Vec<&str> = self.0.iter().map(|(title, _)| title.as_str()).collect();
        let row = |object: &&Value| self.0.iter().map(|(_, path)| cell(path, object)).collect::<Result<Vec<_>, _>>();
        let cells = objects.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        Ok(table::render_dynamic(&titles, cells, headers))
    }
}

fn cell(path: &Template, object: &Value) -> Result<String, String> {
    let values: Vec<String> = path.found(object)?.into_iter().flatten().map(as_go).collect();
    Ok(if values.is_empty() { "<none>".to_owned() } else { values.join(",") })
}

/// A value as Go's `%v` shows it, which is what scripts over kubectl expect: `map[app:db]`, `[a b]`.
fn as_go(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(as_go).collect::<Vec<_>>().join(" ")),
        Value::Object(fields) => {
            format!("map[{}]", fields.iter().map(|(key, value)| format!("{key}:{}", as_go(value))).collect::<Vec<_>>().join(" "))
        }
        other => go::plain(other),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_look_as_with_kubectl() {
        let object = json!({"metadata": {"name": "db-1", "labels": {"app": "db"}}, "spec": {"list": ["a", "b"], "n": null}});
        let columns =
            CustomColumns::parse("NAME:.metadata.name,L:metadata.labels,LIST:{.spec.list},EACH:{spec.list[*]},N:.spec.n,M:.spec.m").unwrap();
        insta::assert_snapshot!(columns.render(&[&object], true).unwrap(), @r#"
        NAME   L             LIST    EACH   N       M
        db-1   map[app:db]   [a b]   a,b    <nil>   <none>
        "#);
        assert_eq!(CustomColumns::parse_file("A     B\n.a.b  {.c}\n").unwrap().render(&[&object], false).unwrap(), "<none>   <none>\n");
    }

    #[test]
    fn a_wrong_column_is_named() {
        assert_eq!(CustomColumns::parse("NAME"), Err("unexpected custom-columns spec: NAME, expected <header>:<json-path-expr>".to_owned()));
        assert!(CustomColumns::parse("").is_err());
        assert!(CustomColumns::parse("A:.a}").is_err());
        assert!(CustomColumns::parse_file("A B\n.a\n").is_err());
    }
}
