//! A cluster in this process, time that stands still while anything is to be done, and somebody who types commands.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use vmmove::sandbox::server::Sandbox;
use vmmove::sandbox::time::Time;
use vmmove::sandbox::world::World;
use vmmove::sandbox::write::User;
use vmmove::verbs::sandbox::inside::{Inside, in_virtual_time};

use crate::rivals::Act;
use crate::scenes;
use crate::tales::Tale;

/// When every story begins.
const BEGIN: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// Who takes longer than this waits for something that never comes.
const LONGEST: Duration = Duration::from_secs(7200);

/// One story.
pub struct Stage {
    pub sandbox: Sandbox,
    inside: Inside,
    /// Whoever does something again and again has had enough.
    peace: Arc<AtomicBool>,
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Seen {
    pub code: u8,
    pub stdout: String,
    pub stderr: String,
}

/// Plays a story from the beginning of a scenario, on a runtime of its own.
pub fn play<T, F: Future<Output = T>>(seed: u64, scenario: &str, story: impl FnOnce(Stage) -> F) -> T {
    play_from(&scenes::world(seed, scenario, BEGIN), scenes::user(scenario), seed, story)
}

/// Plays a story that begins where another had come to; its commands are typed by this user, or by an administrator.
pub fn play_from<T, F: Future<Output = T>>(world: &World, user: Option<User>, seed: u64, story: impl FnOnce(Stage) -> F) -> T {
    let begun = async |mut inside: Inside| {
        let sandbox = inside.sandbox.clone();
        if let Some(user) = user {
            inside.sandbox = sandbox.spoken_to_by(user);
        }
        story(Stage { sandbox, inside, peace: Arc::default() }).await
    };
    in_virtual_time(world.clone(), seed, begun).unwrap()
}

impl Stage {
    /// Types `kubectl vmmove ...` and waits for the end; `a | b` gives to b what a prints.
    pub async fn types(&self, line: &str) -> Seen {
        let typed = async {
            let (first, last) = line.rsplit_once(" | ").unwrap_or(("", line));
            let stdin = if first.is_empty() { String::new() } else { self.inside.types("kubectl vmmove", first, String::new()).await.stdout };
            self.inside.types("kubectl vmmove", last, stdin).await
        };
        tokio::select! {
            said = typed => {
                Seen { code: said.code.0, stdout: said.stdout, stderr: said.stderr }
            }
            () = self.inside.time.sleep(LONGEST) => Seen { code: 124, stdout: String::new(), stderr: "it never ended".to_owned() },
        }
    }

    /// As [`Stage::types`], by a process that may die on the way, and who acts while one of its requests is held. Nothing is seen of one that died.
    pub async fn may_die_at(&self, line: &str, act: Option<Act<'_>>, beside: bool) -> Option<Seen> {
        let (mut crashes, mut held) = (self.sandbox.misfortune().crashes.subscribe(), self.sandbox.misfortune().held.subscribe());
        crashes.mark_unchanged();
        held.mark_unchanged();
        let mut typing = std::pin::pin!(self.types(line));
        let Some(act) = act else {
            return tokio::select! {
                biased;
                _ = crashes.changed() => None,
                seen = typing => Some(seen),
            };
        };
        tokio::select! {
            biased;
            seen = &mut typing => return Some(seen),
            _ = held.changed() => {}
        }
        if beside {
            let acting = async {
                self.sandbox.misfortune().release();
                act.await;
            };
            return Some(tokio::join!(typing, acting).0);
        }
        act.await;
        self.sandbox.misfortune().release();
        Some(typing.await)
    }

    /// Does something at once and then again and again, until [`Stage::be_quiet`].
    pub fn again_and_again(&self, pause: Duration, act: impl Fn(&mut World) + Send + 'static) {
        let (sandbox, time, peace) = (self.sandbox.clone(), self.inside.time, self.peace.clone());
        tokio::spawn(async move {
            while !peace.load(Ordering::Relaxed) {
                sandbox.with(&act);
                time.sleep(pause).await;
            }
        });
    }

    pub fn be_quiet(&self) {
        self.peace.store(true, Ordering::Relaxed);
    }

    /// Lets time pass.
    pub async fn pass(&self, time: Duration) {
        self.inside.time.sleep(time).await;
    }

    /// The names of the moves whose ledgers are in namespace shop, the oldest first.
    pub fn moves(&self) -> Vec<String> {
        self.inside.moves("shop")
    }

    /// What is typed after a mover's death or failure, one line after the other.
    pub fn again(&self, tale: &Tale) -> Vec<String> {
        let moves = self.moves();
        let resume = moves.iter().map(|name| format!("resume {name} -n shop --yes --take-over"));
        // A verb that had not come to its first entry is not gone on with: it is typed again.
        let line = (moves.is_empty() || !tale.row.first.is_empty()).then(|| tale.line.clone());
        resume.chain(line).collect()
    }

    /// What is typed by somebody who wants everything as it was.
    pub fn back(&self) -> Vec<String> {
        self.moves().iter().map(|name| format!("rollback {name} -n shop --yes --discard-target-writes")).collect()
    }

    /// A line with the name of the first move in its place.
    pub fn filled_in(&self, line: &str) -> String {
        self.moves().first().map_or_else(|| line.to_owned(), |name| line.replace("{move}", name))
    }

    /// As [`Stage::types`], for a command that has to succeed.
    pub async fn does(&self, line: &str) -> Seen {
        let seen = self.types(line).await;
        assert_eq!(seen.code, 0, "{line}\n--- stdout\n{}--- stderr\n{}", seen.stdout, seen.stderr);
        seen
    }
}
