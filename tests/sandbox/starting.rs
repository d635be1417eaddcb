//! Starting and stopping: what is printed, what is left behind, what goes wrong.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::serving::{Said, Serving, program};

fn files(serving_home: &tempfile::TempDir) -> usize {
    fs::read_dir(serving_home.path().join(".cache/kubectl-vmmove")).map_or(0, Iterator::count)
}

fn port(serving: &Serving) -> String {
    let name = serving.kubeconfig.file_stem().unwrap().to_str().unwrap();
    name.strip_prefix("sandbox-").unwrap().to_owned()
}

fn types(home: &tempfile::TempDir, line: &str) -> Said {
    program(home, line).output().unwrap().into()
}

#[test]
fn a_whole_move_is_carried_out_over_the_socket() {
    let sandbox = Serving::start("--speed 20");
    assert!(sandbox.page.contains("# plain: a database with two disks"), "{}", sandbox.page);
    assert!(sandbox.does("assess -n shop").contains("db-1"));
    assert!(sandbox.does("plan db-1 -n shop --to prod").contains("CloneRebind"));
    let moved = sandbox.does("run db-1 -n shop --to prod --yes");
    assert!(moved.contains("1 moved, 0 failed"), "{moved}");
    assert!(sandbox.does("version").contains("Server Version: v1.36"));
}

#[test]
fn a_signal_ends_it_with_its_code_and_nothing_is_left() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        let mut sandbox = Serving::start("");
        assert_eq!(sandbox.kubeconfig.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        kill(Pid::from_raw(sandbox.child.id().try_into().unwrap()), signal).unwrap();
        assert_eq!(sandbox.child.wait().unwrap().code(), Some(code));
        assert_eq!(files(&sandbox.home), 0);
    }
}

#[test]
fn two_serve_at_once_and_are_stopped_from_elsewhere() {
    let mut one = Serving::start("");
    let home = tempfile::tempdir().unwrap();
    let none = types(&home, "sandbox stop");
    assert_eq!((none.code, none.stderr.lines().next().unwrap()), (1, "error: no sandbox of yours runs"));
    let other = types(&one.home, "sandbox start --scenario paused --background");
    assert_eq!((other.code, files(&one.home)), (0, 2), "{other:?}");
    assert!(other.stdout.starts_with("export KUBECONFIG="), "{other:?}");
    let which = types(&one.home, "sandbox stop");
    assert!(which.code == 1 && which.stderr.starts_with("error: 2 sandboxes run, on the ports "), "{which:?}");
    let stopped = types(&one.home, &format!("sandbox stop --port {}", port(&one)));
    assert_eq!((stopped.code, stopped.stdout), (0, format!("sandbox on port {} stopped\n", port(&one))));
    assert_eq!(one.child.wait().unwrap().code(), Some(0));
    let stopped = types(&one.home, "sandbox stop");
    assert!(stopped.code == 0 && stopped.stdout.ends_with(" stopped\n") && files(&one.home) == 0, "{stopped:?}");
}

#[test]
fn what_was_killed_is_tidied_up_after() {
    let mut sandbox = Serving::start("");
    sandbox.child.kill().unwrap();
    sandbox.child.wait().unwrap();
    assert_eq!(files(&sandbox.home), 1);
    let stopped = types(&sandbox.home, "sandbox stop");
    assert!(stopped.code == 0 && stopped.stdout.contains("had ended already"), "{stopped:?}");
    assert_eq!(files(&sandbox.home), 0);
}

#[test]
fn what_cannot_be_served_is_said_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let stranger = "{kind: Deployment, apiVersion: apps/v1, metadata: {name: a}}";
    for (file, text) in
        [("bad.yaml", "a: ["), ("pot.yaml", stranger), ("binary.yaml", "\u{0}"), ("vm.yaml", "{kind: VirtualMachin, apiVersion: kubevirt.io/v1}")]
    {
        fs::write(home.path().join(file), text).unwrap();
    }
    for (flags, words) in [
        (format!("--port {port}"), format!("error: port {port} of 127.0.0.1 is in use\n")),
        ("--scenario plian".to_owned(), "error: there is neither a scenario nor a file \"plian\"\n  hint: did you mean \"plain\"?\n".to_owned()),
        ("--scenario ./nowhere.yaml".to_owned(), "error: cannot read ./nowhere.yaml: No such file".to_owned()),
        ("--scenario bad.yaml".to_owned(), "error: bad.yaml: line 1: it is no YAML: ".to_owned()),
        ("--scenario binary.yaml".to_owned(), "error: binary.yaml: ".to_owned()),
        (
            "--scenario vm.yaml".to_owned(),
            "error: vm.yaml: document 1: kind \"VirtualMachin\" of version \"kubevirt.io/v1\" is not served here".to_owned(),
        ),
        ("--scenario pot.yaml".to_owned(), "error: pot.yaml: document 1: kind \"Deployment\" of version \"apps/v1\" is not served here".to_owned()),
        ("--speed 0".to_owned(), "error: invalid argument \"0\" for \"--speed\" flag".to_owned()),
    ] {
        for flags in [flags.clone(), format!("{flags} --background")] {
            let said = types(&home, &format!("sandbox start {flags}"));
            assert!(said.code == 1 && said.stderr.starts_with(&words) && said.stdout.is_empty(), "{flags}: {said:?}");
            assert_eq!(files(&home), 0, "{flags}");
        }
    }
    let skipped = types(&home, "sandbox start --scenario pot.yaml --skip-unknown --background");
    assert!(skipped.code == 0, "{skipped:?}");
    assert_eq!(types(&home, "sandbox stop --all").code, 0);
}

#[test]
fn whoever_may_little_is_taken_for_who_he_is() {
    let sandbox = Serving::start("--scenario no-rights");
    let said = sandbox.types("plan web-1 -n shop --to prod");
    assert_eq!(said.code, 4, "{said:?}");
    let said = sandbox.types("assess -n shop --as admin --as-group system:masters");
    assert!(said.code == 4 && said.stderr.contains("cannot impersonate"), "{said:?}");
    assert!(sandbox.does("assess -n shop --context sandbox-admin").contains("web-1"));
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn one_serves_at_the_port_that_is_asked_for_what_comes_in_at_standard_input() {
    let home = tempfile::tempdir().unwrap();
    let port = free_port();
    let scenario = types(&home, "sandbox scenarios paused").stdout;
    let mut start = program(&home, &format!("sandbox start --background --scenario - --port {port}"));
    let mut child = start.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(scenario.as_bytes()).unwrap();
    let said = Said::from(child.wait_with_output().unwrap());
    assert!(said.code == 0 && said.stdout.contains(&format!("sandbox stop --port {port}\n")), "{said:?}");
    let kubeconfig = said.stdout.lines().next().and_then(|line| line.strip_prefix("export KUBECONFIG=")).unwrap();
    let assessed = types(&home, &format!("assess -n shop --kubeconfig {kubeconfig}"));
    assert!(assessed.code == 0 && assessed.stdout.contains("Paused"), "{assessed:?}");
    assert_eq!(types(&home, &format!("sandbox stop --port {port}")).code, 0);
}

#[test]
fn without_certificates_whoever_names_this_computer_is_let_in() {
    let sandbox = Serving::start("--plain --speed 20");
    assert!(fs::read_to_string(&sandbox.kubeconfig).unwrap().contains("server: http://127.0.0.1:"));
    assert!(sandbox.does("run db-1 -n shop --to prod --yes").contains("1 moved, 0 failed"));
    let answer = |host: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port(&sandbox).parse().unwrap())).unwrap();
        write!(stream, "GET /version HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    assert!(answer(&format!("localhost:{}", port(&sandbox))).starts_with("HTTP/1.1 200"));
    assert!(answer("rebound.example.org").starts_with("HTTP/1.1 421"));
    assert_eq!(types(&sandbox.home, "sandbox stop").code, 0);
}
