//! Stories on the sandbox: a scenario, and what somebody types there one after the other. What is printed is in `golden/story-NAME.snap`.
//!
//! Time is virtual and chance is seeded, so each story is told in the same words each time. `MOVE` stands for the name of the move that was begun;
//! `a | b` gives to b what a prints.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use vmmove::engine::clock::{Clock, System};
use vmmove::sandbox::catalog::VM;
use vmmove::sandbox::reading::{self, Reading};
use vmmove::sandbox::scenario;
use vmmove::sandbox::scenarios::Scenario;
use vmmove::sandbox::store::Key;
use vmmove::verbs::sandbox::inside::{Inside, Said, in_virtual_time};

use crate::Seen;
use crate::screen::Screen;

const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);
const PREFIX: &str = "kubectl vmmove";

struct Story {
    name: &'static str,
    scenario: &'static str,
    lines: &'static [&'static str],
    /// Whether standard output is a terminal that shows colours.
    colours: bool,
}

const fn story(name: &'static str, scenario: &'static str, lines: &'static [&'static str]) -> Story {
    Story { name, scenario, lines, colours: false }
}

const STORIES: &[Story] = &[
    story(
        "assess",
        "plain",
        &[
            "assess -n shop",
            "assess -n shop -o wide",
            "assess -n shop -o name",
            "assess db-1 -n shop -o yaml",
            "assess db-1 -n shop -o json",
            "assess -n shop --no-headers --sort-by=.summary.size",
            "assess -n shop --sort-by=.summary.sizes",
            "assess -n shop -L app,tier --show-labels",
            "assess -n shop -o custom-columns=NAME:.metadata.name,STATUS:.summary.status --sort-by .metadata.labels.app",
            "assess -n shop -o jsonpath={.machines[*].metadata.name}",
            "assess -n prod",
            "assess nobody -n shop",
            "assess 'x*' -n shop",
            "assess -n nowhere",
        ],
    ),
    Story { colours: true, ..story("assess-in-colours", "gitops-owned", &["assess -n shop", "plan --all -n shop --to prod"]) },
    story("select", "plain", &["select db-1 web-1 -n shop --to prod", "select --all -n shop", "select -n shop"]),
    story(
        "plan",
        "plain",
        &[
            "plan db-1 -n shop --to prod",
            "plan db-1 -n shop --to prod -o wide",
            "plan db-1 -n shop --to prod -o name",
            "plan db-1 -n shop --to prod --volumes move",
            "plan db-1 -n shop --to prod --strategy CdiClone",
            "plan db-1 -n shop --to prod --diff",
            "plan db-1 -n shop --to prod --print-rbac",
            "plan --all -n shop --to prod --detailed-exitcode",
            "plan db-1 -n shop --to shop",
            "plan db-1 -n shop --to nowhere",
            "plan db-1 -n shop",
            "plan db-1 -n shop --to prod -o go-template={{.}}",
        ],
    ),
    story("plan-as-a-document", "plain", &["plan db-1 -n shop --to prod -o yaml"]),
    story("rehearse", "plain", &["plan --all -n shop --to prod --rehearse"]),
    story(
        "run",
        "plain",
        &[
            "run db-1 -n shop --to prod --dry-run=client",
            "run db-1 -n shop --to prod",
            "run db-1 -n shop --to prod --yes",
            "status -n shop",
            "status -n shop --sort-by=.status.state -o name",
            "status MOVE -n shop",
            "status MOVE -n shop -o wide",
            "status MOVE -n shop -o name",
            "run db-1 -n shop --to prod --yes",
            "resume MOVE -n shop",
            "verify MOVE -n shop",
            "rollback MOVE -n shop --yes",
            "cleanup MOVE -n shop --yes",
            "status MOVE -n shop",
            "rollback MOVE -n shop --yes",
        ],
    ),
    story("run-handing-disks-over", "plain", &["run --all -n shop --to prod --volumes move --yes", "rollback MOVE -n shop --yes", "assess -n shop"]),
    story(
        "phase-by-phase",
        "plain",
        &[
            "clone nothing-yet -n shop",
            "stop web-1 -n shop",
            "run web-1 -n shop --to prod --start never --yes",
            "status MOVE -n shop",
            "start MOVE -n shop --yes",
            "pause MOVE -n shop",
        ],
    ),
    story(
        "from-a-plan",
        "plain",
        &[
            "plan db-1 -n shop --to prod -o yaml | validate -f -",
            "plan db-1 -n shop --to prod -o json | stop -f - --dry-run=client",
            "plan db-1 -n shop --to prod -o yaml | stop -f - --yes",
            "recreate MOVE -n shop",
            "clone MOVE -n shop",
            "start MOVE -n shop",
            "copy MOVE -n shop",
            "recreate MOVE -n shop",
            "status MOVE -n shop -o wide",
            "start MOVE -n shop",
            "verify MOVE -n shop",
            "cleanup MOVE -n shop --yes",
            "status MOVE -n shop -o json",
        ],
    ),
    story("no-kubevirt", "bare", &["version", "assess -n shop", "plan --all -n shop --to prod"]),
    story("no-rights", "no-rights", &["assess -n shop", "plan --all -n shop --to prod"]),
    story(
        "sandbox",
        "plain",
        &["sandbox scenarios", "sandbox scenarios quota-tight", "sandbox scenarios nothing", "sandbox start --scenario nothing"],
    ),
    story("completion", "plain", &["completion bash", "completion fish", "completion tcsh", "completion"]),
    story("version", "plain", &["version", "version -o yaml", "version -o json"]),
    story("events", "plain", &["run web-1 -n shop --to prod --yes -o json"]),
    story("dv-template", "dv-template", &["assess -n shop", "run --all -n shop --to prod --yes", "cleanup MOVE -n shop --yes"]),
    story("vtpm", "vtpm", &["plan --all -n shop --to prod"]),
    story("shared-disk", "shared-disk", &["plan --all -n shop --to prod"]),
    story("instancetype", "instancetype", &["plan --all -n shop --to prod -o wide", "run --all -n shop --to prod --yes"]),
    story("multi-network", "multi-network", &["plan --all -n shop --to prod"]),
    story("quota-tight", "quota-tight", &["plan --all -n shop --to prod"]),
    story("no-snapshots", "no-snapshots", &["run --all -n shop --to prod --yes"]),
    story("wait-for-consumer", "wait-for-consumer", &["plan --all -n shop --to prod", "run --all -n shop --to prod --yes"]),
    story("pool-owned", "pool-owned", &["plan --all -n shop --to prod"]),
    story("guarded", "guarded", &["assess -n shop", "plan --all -n shop --to prod", "explain C046"]),
    story("paused", "paused", &["plan --all -n shop --to prod"]),
    story("hot-plugged", "hot-plugged", &["plan --all -n shop --to prod"]),
];

/// Plays on a scenario in virtual time.
fn on<T>(scenario: &str, play: impl AsyncFnOnce(Inside) -> T) -> T {
    on_what(Scenario::named(scenario).unwrap().read().unwrap(), play)
}

fn on_what<T>(reading: Reading, play: impl AsyncFnOnce(Inside) -> T) -> T {
    let user = reading.header.user();
    let world = scenario::play(1, NOW, reading).unwrap();
    let as_its_user = async |mut inside: Inside| {
        if let Some(user) = user {
            inside.sandbox = inside.sandbox.spoken_to_by(user);
        }
        play(inside).await
    };
    in_virtual_time(world, 1, as_its_user).unwrap()
}

/// Tells a story, each command with what it printed and how it ended.
fn told(story: &Story) -> String {
    on(story.scenario, async |mut inside| {
        inside.colours = story.colours;
        let mut text = format!("scenario {}\n", story.scenario);
        for line in story.lines {
            text += "\n";
            text += &typed(&inside, line).await;
        }
        text
    })
}

async fn typed(inside: &Inside, line: &str) -> String {
    let line = line.replace("MOVE", &inside.moves("shop").pop().unwrap_or_default());
    let (first, last) = line.rsplit_once(" | ").unwrap_or(("", &line));
    let stdin = if first.is_empty() { String::new() } else { inside.types(PREFIX, first, String::new()).await.stdout };
    let Said { code, stdout, stderr } = inside.types(PREFIX, last, stdin).await;
    let printed = |name: &str, text: String| if text.is_empty() { String::new() } else { format!("-- {name}\n{text}") };
    // Escape sequences are made visible.
    let (stdout, stderr) = (stdout.replace('\u{1b}', "\\e"), stderr.replace('\u{1b}', "\\e"));
    let line = line.replace(" | ", &format!(" | {PREFIX} "));
    format!("$ {PREFIX} {line}\n{stdout}{}-- exit code {}\n", printed("stderr", stderr), code.0)
}

#[test]
fn each_is_told_in_the_words_that_were_reviewed() {
    for story in STORIES {
        Seen { text: told(story), stderr: String::new(), code: 0 }.golden(&format!("story-{}", story.name));
    }
}

/// What a terminal of this size shows of a move, picture by picture.
fn drawn(scenario: &str, line: &str, columns: u16, rows: u16) -> String {
    on(scenario, async |mut inside| {
        let screen = Screen::new(columns, rows);
        inside.screen = Some(screen.target());
        let end = typed(&inside, line).await;
        let shown = screen.pictures().join(&format!("\n{}\n", "~".repeat(usize::from(columns))));
        format!("scenario {scenario}, {columns} columns and {rows} rows\n\n{shown}\n{end}")
    })
}

#[test]
fn a_move_is_drawn_on_a_terminal_of_its_size() {
    for (name, scenario, line, columns, rows) in
        [("wide", "plain", "run db-1 -n shop --to prod --yes", 100, 30), ("narrow", "plain", "run db-1 -n shop --to prod --yes", 40, 12)]
    {
        Seen { text: drawn(scenario, line, columns, rows), stderr: String::new(), code: 0 }.golden(&format!("drawn-{name}"));
    }
}

#[test]
fn a_story_is_told_in_the_same_words_each_time() {
    let run = STORIES.iter().find(|story| story.name == "run-handing-disks-over").unwrap();
    assert_eq!(told(run), told(run));
}

#[test]
fn a_guest_that_takes_five_minutes_to_shut_down_is_not_waited_for_on_the_wall() {
    let wall = System::new();
    let usual = Scenario::named("plain").unwrap().text;
    let slow = usual.replace("terminationGracePeriodSeconds: 180", "terminationGracePeriodSeconds: 600");
    let slow = slow.replace("metadata: {labels: {app: db}}", "metadata: {labels: {app: db}, annotations: {sandbox/shutdown-seconds: \"300\"}}");
    on_what(reading::read(&slow).unwrap(), async |inside| {
        let said = typed(&inside, "run db-1 -n shop --to prod --shutdown-timeout 10m --yes").await;
        assert!(said.contains("virtualmachine.kubevirt.io/db-1 stopped ") && said.contains(" 5m"), "{said}");
    });
    assert!(wall.elapsed() < Duration::from_secs(60), "{:?}", wall.elapsed());
}

#[test]
fn what_was_verified_is_looked_at_again_each_time_it_is_asked_for() {
    on("plain", async |inside| {
        typed(&inside, "run web-1 -n shop --to prod --yes").await;
        let well = typed(&inside, "verify MOVE -n shop").await;
        assert!(well.contains("virtualmachine.kubevirt.io/web-1 verified: running") && well.ends_with("exit code 0\n"), "{well}");
        let machine = Key::new(&VM, "prod", "web-1");
        let other = |vm: &mut Value| vm["spec"]["template"]["spec"]["domain"]["firmware"]["serial"] = "x".into();
        inside.sandbox.with(|world| world.change(&machine, other)).unwrap();
        let ill = typed(&inside, "verify MOVE -n shop").await;
        assert!(ill.contains("error: virtualmachine.kubevirt.io/web-1 not verified: ") && ill.ends_with("exit code 4\n"), "{ill}");
        assert!(ill.contains("its serial number is another one") && ill.contains("error: 1 virtual machine is not as it was verified"), "{ill}");
        assert!(ill.contains("kubectl vmmove rollback shop-to-prod-"), "{ill}");
    });
}
