//! What a shell is answered, word by word: names with what they are, from the cluster that the flags typed so far lead to. When anything is
//! wrong there are no names, and never a message: it would stand in the middle of what somebody is typing.

use crate::desk::Desk;
use crate::server::Api;

/// What is answered to a line that ends at the cursor.
fn answered(desk: &Desk, line: &str) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kubectl-vmmove"));
    command.arg("__complete").args(line.split(' '));
    let seen = desk.runs(command, line, crate::desk::Stdout::Read);
    assert!(seen.code == 0 && seen.stderr.is_empty(), "{}", seen.text);
    let (_, said) = seen.text.split_once('\n').unwrap();
    said.split_once("-- stderr").unwrap().0.to_owned()
}

/// A desk at which a slow answer is waited for.
fn patient() -> Desk {
    let mut desk = Desk::new();
    desk.with("VMMOVE_COMPLETION_TIMEOUT", "60s");
    desk
}

#[test]
fn names_come_with_what_they_are() {
    let desk = patient();
    for (line, answer) in [
        ("plan -n shop ", "db-1\tRunning\nold-7\tStopped\nweb-1\tRunning\n:36\n"),
        ("plan -n shop vm/d", "vm/db-1\tRunning\n:36\n"),
        ("plan db-1 -n shop --to p", "prod\tActive, 41d\n:36\n"),
        ("plan db-1 --storage-class=o", "other\tother.vmmove.io\n:36\n"),
        (
            "plan db-1 --map-storage-class k",
            "keep=fast\tlab.vmmove.io\nkeep=keep\tlab.vmmove.io\nkeep=other\tother.vmmove.io\nkeep=wait\tlab.vmmove.io\n:36\n",
        ),
        ("plan db-1 --map-storage-class fast=o", "fast=other\tother.vmmove.io\n:36\n"),
        ("plan db-1 -n shop --map-network ", "vlan10=\t41d\n:38\n"),
        ("plan db-1 -n shop --to prod --map-network vlan10=", "vlan10=vlan10\t41d\n:36\n"),
        ("plan db-1 -n shop --rename w", "web-1=\tRunning\n:38\n"),
        ("plan db-1 -n shop --rename web-1=", ":36\n"),
        ("plan db-1 -n shop --strategy d", "db-1-data=\t100Gi, fast\ndb-1-root=\t20Gi, fast\n:38\n"),
        ("stop -n shop --vm=w", "web-1\tRunning\n:36\n"),
        ("--context ", "lab\tlab\n:36\n"),
        ("--cluster ", "lab\thttp://SERVER\n:36\n"),
        ("--user ", "me\n:36\n"),
        ("explain V004", "V004\tthe guest is paused\n:36\n"),
    ] {
        assert_eq!(answered(&desk, line), answer, "{line}");
    }
    assert!(desk.api.writes().is_empty());
}

#[test]
fn moves_are_known_by_their_names() {
    let desk = patient();
    assert_eq!(desk.types("run old-7 -n shop --to prod --yes").code, 0);
    for verb in ["status", "pause", "resume", "rollback", "stop", "cleanup"] {
        let answer = answered(&desk, &format!("{verb} -n shop s"));
        assert!(answer.starts_with("shop-to-prod-") && answer.contains("\tbegun ") && answer.lines().count() == 2, "{verb}: {answer}");
        assert!(answered(&desk, &format!("{verb} -n shop move/s")).starts_with("move/shop-to-prod-"), "{verb}");
    }
}

#[test]
fn flags_that_are_typed_lead_to_another_cluster() {
    let (other, mut desk) = (Api::of("multi-network"), patient());
    let elsewhere = format!("-n shop --server {} ", other.url);
    assert_ne!(answered(&desk, &format!("plan {elsewhere}")), answered(&desk, "plan -n shop "));
    assert!(!other.asked().is_empty());
    desk.without_environment();
    assert_eq!(answered(&desk, "plan -n shop d"), ":36\n", "there is no kubeconfig");
    desk.with("VMMOVE_COMPLETION_TIMEOUT", "60");
    assert_eq!(answered(&desk, "plan --kubeconfig config -n shop d"), "db-1\tRunning\n:36\n");
    assert_eq!(answered(&desk, "--kubeconfig=config plan --as bob -n shop d"), ":36\n", "bob may not look");
}

/// What is wrong, and what makes it so.
type Wrong = (&'static str, fn(&mut Desk));

#[test]
fn whatever_is_wrong_is_not_told_in_the_middle_of_a_line() {
    let wrong: [Wrong; 8] = [
        ("a server that is silent", |desk| desk.api.fall_silent()),
        ("a server that is gone", |desk| desk.write_kubeconfig("http://127.0.0.1:1")),
        ("a server that is not known", |desk| desk.write_kubeconfig("https://api.invalid:6443")),
        ("an address that is none", |desk| desk.write_kubeconfig("http://[:")),
        ("a token that has expired", |desk| desk.api.expire_token()),
        ("a kubeconfig that is none", |desk| desk.write("config", "apiVersion: v1\nusers: [{\n")),
        ("no kubeconfig", Desk::without_environment),
        ("a certificate that is not trusted", |desk| *desk = Desk::at(Api::start_tls())),
    ];
    for (what, happens) in wrong {
        let mut desk = Desk::new();
        happens(&mut desk);
        for line in ["plan -n shop ", "status ", "plan --strategy db="] {
            let answer = answered(&desk, line);
            assert!(if line.ends_with('=') { answer.starts_with("db=CloneRebind") } else { answer == ":36\n" }, "{what}, {line}: {answer}");
        }
    }
}

/// Who types is not asked for a password, nor told that a login has expired.
#[cfg(unix)]
#[test]
fn a_login_program_that_asks_gets_no_terminal() {
    let desk = Desk::new();
    let config = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: lab\nclusters: [{{name: lab, cluster: {{server: \"{}\"}}}}]\n\
         contexts: [{{name: lab, context: {{cluster: lab, user: me}}}}]\nusers: [{{name: me, user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, \
         command: sh, args: [-c, \"echo Password: >&2; read -r word; echo expired >&2; exit 1\"], interactiveMode: IfAvailable}}}}}}]\n",
        desk.api.url
    );
    desk.write("config", &config);
    assert_eq!(answered(&desk, "plan -n shop "), ":36\n");
}
