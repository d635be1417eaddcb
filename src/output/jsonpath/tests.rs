//! kubectl's behaviour, expression by expression.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::parse;

fn machine() -> Value {
    json!({
        "kind": "VirtualMachine",
        "metadata": {"name": "db-1", "namespace": "shop", "annotations": {"kubevirt.io/x": "y"}},
        "spec": {
            "running": true, "n": null, "f": 1.5, "list": ["a", "b", "c"], "empty": [],
            "ports": [{"name": "http", "port": 80}, {"name": "ssh", "port": 22}],
        },
    })
}

fn run(template: &str) -> Result<String, String> {
    parse(template)?.text(&machine())
}

/// The corpus that kubectl judges is `tests/sandbox/jsonpath.txt`; these are the forms that people use most.
#[test]
fn prints_what_kubectl_prints() {
    for (template, expected) in [
        (".metadata.name", ".metadata.name"),
        ("{.metadata.name}", "db-1"),
        ("{ .metadata.name }", "db-1"),
        ("{$.metadata.name}", "db-1"),
        ("{.metadata.name}}", "db-1}"),
        ("{.metadata.name}{\"\\t\"}{.spec.f}{\"\\n\"}", "db-1\t1.5\n"),
        ("{'a\\tb'}", "a\tb"),
        ("{.spec.n}", "null"),
        ("{.spec.n.x}", ""),
        ("{.nothing}", ""),
        ("{.}", ""),
        ("{.spec.list.a}", ""),
        ("{1}{true}", "1true"),
        ("{.metadata.annotations.kubevirt\\.io/x}", "y"),
        ("{.metadata.annotations['kubevirt\\.io/x']}", "y"),
        ("{.metadata['name','namespace']}", "db-1 shop"),
        ("{.spec.list}", "[\"a\",\"b\",\"c\"]"),
        ("{.spec.list[]}", "a"),
        ("{.spec.list[-1]}", "c"),
        ("{.spec.list[-1:]}", "c"),
        ("{.spec.list[0:2]}", "a b"),
        ("{.spec.list[::2]}", "a c"),
        ("{.spec.list[0,2]}", "a c"),
        ("{.spec.list[1:1]}", ""),
        ("{.spec.list[3:]}", ""),
        ("{.spec.empty[*]}", ""),
        ("{.spec.list[?(@==\"b\")]}", "b"),
        ("{.spec.ports[*]}", "{\"name\":\"http\",\"port\":80} {\"name\":\"ssh\",\"port\":22}"),
        ("{.spec.ports[0].name} {.spec.ports[1].name}", "http ssh"),
        ("{.spec.ports[?(@.port==80)].name}", "http"),
        ("{.spec.ports[?(@.port!=80)].name}", "ssh"),
        ("{.spec.ports[?(@.port>=22)].name}", "http ssh"),
        ("{.spec.ports[?(@.name==\"ssh\")].port}", "22"),
        ("{.spec.ports[?(@.nope)].name}", ""),
        ("{.spec.ports[?(@.nope==\"x\")].name}", ""),
        ("{..port}", "80 22"),
        ("{.metadata..name}", "db-1"),
        ("{.metadata.annotations.*}", "y"),
        ("{range .spec.ports[*]}{.name}={.port}{\"\\n\"}{end}after", "http=80\nssh=22\nafter"),
        ("{range .spec.none[*]}x{end}after", "after"),
        ("{range .spec.ports[*]}{range .name}[{@}]{end};{end}", "[http];[ssh];"),
        ("{range .spec.ports[*].name}{@}{\",\"}{end}", "http,ssh,"),
    ] {
        assert_eq!(run(template).as_deref(), Ok(expected), "{template}");
    }
    assert_eq!(run("{}").unwrap(), machine().to_string());
}

/// The reasons are kubectl's, without its copy of the whole object behind them.
#[test]
fn refuses_what_kubectl_refuses() {
    for (template, reason) in [
        ("{end}", "not in range, nothing to end"),
        ("{.metadata.name", "unclosed action"),
        ("{metadata.name}", "unrecognized identifier metadata"),
        ("{.spec.list[a]}", "invalid array index a"),
        ("{.spec.list[0", "unterminated array"),
        ("{.spec.list[?(@.a}", "unterminated filter"),
        ("{.spec.list[?(@.a)", "unclosed array expect ]"),
        ("{\"a}", "unterminated quoted string"),
        ("{.spec.ports[?(@.name==\"http\"&&@.port==80)]}", "unrecognized character in action: U+0026 '&'"),
        ("{.spec.ports[?(@.name=~\"h\")]}", "unrecognized character in action: U+007E '~'"),
        ("{.spec.list[5]}", "array index out of bounds: index 5, length 3"),
        ("{.spec.list[0:9]}", "array index out of bounds: index 8, length 3"),
        ("{.spec.list[2:1]}", "starting index 2 is greater than ending index 1"),
        ("{.spec.list[0:3:0]}", "step must be > 0"),
        ("{.spec.ports[?(@.port==\"80\")].name}", "incompatible types for comparison"),
        ("{.metadata.name[0]}", "string is not array or slice"),
        ("{.metadata[*]}", "map[string]interface {} is not array or slice"),
    ] {
        let error = run(template).unwrap_err();
        assert!(error.ends_with(reason), "{template}: {error}");
        assert!(error.starts_with("error parsing jsonpath ") || error.starts_with("error executing jsonpath "), "{error}");
    }
}

/// Odd ends, half characters, signs in every place: an error or a text, never a panic.
#[test]
fn survives_any_template() {
    let signs = ["{", "}", "[", "]", "?(", ")", ".", "..", "*", "'", "\"", "\\", "-", ":", ",", "é", "range ", "end", "@", "1", "\n"];
    for first in signs {
        for second in signs {
            for third in signs {
                let _ = run(&format!("{{{first}{second}{third}"));
                let _ = run(&format!("{{.spec{first}{second}{third}}}"));
            }
        }
    }
}
