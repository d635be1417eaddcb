//! Flags that decide: where to, how each disk travels, what changes on the way, what happens when something fails.
//!
//! They go into the plan. With a plan that is already made they are refused, for it has decided.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use clap_complete::ArgValueCompleter;

use super::duration::parse;
use super::words::{Word, one_of, pair};
use crate::model::failure::Failure;
use crate::plan::request::{MoveRequest, OnFailure, Options, StartPolicy, Strategy, VerifyDepth, Volumes};
use crate::verbs::completion::values;

const VOLUMES: &[Word<Volumes>] =
    &[("copy", Volumes::Copy, "the source keeps its own disks until cleanup"), ("move", Volumes::Move, "the volumes themselves change hands")];
const STARTS: &[Word<StartPolicy>] = &[
    ("as-before", StartPolicy::AsBefore, "running if it was running"),
    ("always", StartPolicy::Always, "running"),
    ("never", StartPolicy::Never, "stopped"),
];
const ON_FAILURE: &[Word<OnFailure>] = &[
    ("stop", OnFailure::Stop, "keep the machine as it is for a look, begin no others"),
    ("undo", OnFailure::Undo, "put the machine back (never across its start), begin no others"),
    ("continue", OnFailure::Continue, "keep it as it is, go on with the others"),
];
const DEPTHS: &[Word<VerifyDepth>] = &[
    ("none", VerifyDepth::None, "do not look"),
    ("objects", VerifyDepth::Objects, "compare the objects"),
    ("boot", VerifyDepth::Boot, "wait until the guest is up with its addresses"),
];

/// `--strategy NAME` for all disks, or `CLAIM=NAME` for one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StrategyChoice {
    pub claim: Option<String>,
    pub strategy: Strategy,
}

impl FromStr for StrategyChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (claim, name) = text.split_once('=').map_or((None, text), |(claim, name)| (Some(claim.to_owned()), name));
        let known = || Strategy::ALL.map(Strategy::name).join(", ");
        let strategy = Strategy::from_name(name).ok_or_else(|| format!("the strategies are {}", known()))?;
        Ok(Self { claim, strategy })
    }
}

/// What a plan is made from, besides what is seen.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Flags that decide")]
pub struct Decisions {
    /// Namespace of the target
    #[arg(long, value_name = "NAMESPACE", add = ArgValueCompleter::new(values::namespaces))]
    pub to: Option<String>,
    /// Make the target namespace as the first step
    #[arg(long)]
    pub create_namespace: bool,
    /// What becomes of the volumes: 'copy' leaves the source its own, untouched, until cleanup; with 'move' they change hands
    /// in about a second, nothing is copied, and they can be handed back [default: copy]
    #[arg(long, value_name = "HOW", value_parser = one_of(VOLUMES), hide_possible_values = true)]
    pub volumes: Option<Volumes>,
    /// Force a strategy for all disks, or with CLAIM=NAME for one; refused with the reason when impossible; can be repeated
    #[arg(long, value_name = "[CLAIM=]NAME", add = ArgValueCompleter::new(values::strategies))]
    pub strategy: Vec<StrategyChoice>,
    /// Storage class of all disks in the target
    #[arg(long, value_name = "NAME", add = ArgValueCompleter::new(values::storage_classes))]
    pub storage_class: Option<String>,
    /// Storage class in the target for disks that are on another; can be repeated
    #[arg(long, value_name = "OLD=NEW", value_parser = pair, add = ArgValueCompleter::new(values::class_pairs))]
    pub map_storage_class: Vec<(String, String)>,
    /// Name of a virtual machine in the target; can be repeated
    #[arg(long, value_name = "OLD=NEW", value_parser = pair, add = ArgValueCompleter::new(values::renames))]
    pub rename: Vec<(String, String)>,
    /// Network in the target for one of the source; can be repeated
    #[arg(long, value_name = "OLD=NEW", value_parser = pair, add = ArgValueCompleter::new(values::network_pairs))]
    pub map_network: Vec<(String, String)>,
    /// Choose strategies that are estimated to stay under it, or refuse; and put a virtual machine back that has not come up
    /// in the target by then (such as 90s or 10m)
    #[arg(long, value_name = "DURATION", value_parser = parse)]
    pub max_downtime: Option<Duration>,
    /// Power state in the target: as-before, always or never [default: as-before]
    #[arg(long, value_name = "WHEN", value_parser = one_of(STARTS), hide_possible_values = true)]
    pub start: Option<StartPolicy>,
    /// Also move what something else manages, such as GitOps
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub running: Running,
}

/// How a move behaves while it runs. Part of the plan, so that every resume behaves alike.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Flags for the way there")]
pub struct Running {
    /// When a virtual machine fails: 'stop' keeps it as it is for a look, 'undo' puts it back, never across its start;
    /// 'continue' goes on with the others [default: stop]
    #[arg(long, value_name = "WHAT", value_parser = one_of(ON_FAILURE), hide_possible_values = true)]
    pub on_failure: Option<OnFailure>,
    /// Virtual machines in flight [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub parallel: Option<u16>,
    /// How long a guest may take to shut down (such as 90s or 10m) [default: its own grace period and a minute]
    #[arg(long, value_name = "DURATION", value_parser = parse)]
    pub shutdown_timeout: Option<Duration>,
    /// Cut the power of a guest that does not shut down in time
    #[arg(long)]
    pub force_stop: bool,
    /// Go on with the disks of a guest whose power was cut
    #[arg(long)]
    pub accept_unclean: bool,
    /// How deep to look after the start: none, objects or boot [default: boot]
    #[arg(long, value_name = "DEPTH", value_parser = one_of(DEPTHS), hide_possible_values = true)]
    pub verify: Option<VerifyDepth>,
}

impl Decisions {
    /// The request for these machines.
    ///
    /// # Errors
    /// No target was named.
    pub fn request(&self, machines: Vec<String>) -> Result<MoveRequest, Failure> {
        self.over(MoveRequest { machines, ..MoveRequest::default() })
    }

    /// What a document asks for with these flags laid over it: the flag wins.
    ///
    /// # Errors
    /// Neither names a target.
    pub fn over(&self, base: MoveRequest) -> Result<MoveRequest, Failure> {
        let target = self.to.clone().unwrap_or(base.target_namespace);
        if target.is_empty() {
            return Err(Failure::usage("required flag(s) \"to\" not set"));
        }
        let forced = self.strategy.iter().rev().find(|choice| choice.claim.is_none()).map(|choice| choice.strategy);
        let per_claim = self.strategy.iter().filter_map(|choice| Some((choice.claim.clone()?, choice.strategy)));
        // What a flag says of all disks wins over what the document says of some.
        let of_document = base.claim_strategies.into_iter().filter(|_| forced.is_none());
        let class_map = base.class_map.into_iter().filter(|_| self.storage_class.is_none());
        Ok(MoveRequest {
            machines: base.machines,
            target_namespace: target,
            create_namespace: self.create_namespace || base.create_namespace,
            options: self.options(&base.options),
            strategy: forced.or(base.strategy),
            claim_strategies: of_document.chain(per_claim).collect(),
            storage_class: self.storage_class.clone().or(base.storage_class),
            claim_classes: base.claim_classes.into_iter().filter(|_| self.storage_class.is_none()).collect(),
            class_map: class_map.chain(self.map_storage_class.iter().cloned()).collect(),
            rename: base.rename.into_iter().chain(self.rename.iter().cloned()).collect(),
            network_map: base.network_map.into_iter().chain(self.map_network.iter().cloned()).collect(),
            force: self.force || base.force,
        })
    }

    fn options(&self, base: &Options) -> Options {
        let running = &self.running;
        Options {
            volumes: self.volumes.unwrap_or(base.volumes),
            start: self.start.unwrap_or(base.start),
            on_failure: running.on_failure.unwrap_or(base.on_failure),
            verify: running.verify.unwrap_or(base.verify),
            parallel: running.parallel.map_or(base.parallel, usize::from),
            shutdown_timeout_seconds: running.shutdown_timeout.map(seconds).or(base.shutdown_timeout_seconds),
            force_stop: running.force_stop || base.force_stop,
            accept_unclean: running.accept_unclean || base.accept_unclean,
            max_downtime_seconds: self.max_downtime.map(seconds).or(base.max_downtime_seconds),
        }
    }

    /// Refuses every flag of this group, for a plan that has decided.
    ///
    /// # Errors
    /// The flags that were given, all of them.
    pub fn refuse_beside_a_plan(&self) -> Result<(), Failure> {
        let given: Vec<&str> = self.given().into_iter().filter(|(_, given)| *given).map(|(flag, _)| flag).collect();
        if given.is_empty() {
            return Ok(());
        }
        let failure = Failure::usage(format!("{} cannot be used with a plan: the plan has decided", given.join(", ")));
        Err(failure.hint("make another plan with these flags, or leave them out"))
    }

    fn given(&self) -> [(&'static str, bool); 17] {
        let running = &self.running;
        [
            ("--to", self.to.is_some()),
            ("--create-namespace", self.create_namespace),
            ("--volumes", self.volumes.is_some()),
            ("--strategy", !self.strategy.is_empty()),
            ("--storage-class", self.storage_class.is_some()),
            ("--map-storage-class", !self.map_storage_class.is_empty()),
            ("--rename", !self.rename.is_empty()),
            ("--map-network", !self.map_network.is_empty()),
            ("--max-downtime", self.max_downtime.is_some()),
            ("--start", self.start.is_some()),
            ("--force", self.force),
            ("--on-failure", running.on_failure.is_some()),
            ("--parallel", running.parallel.is_some()),
            ("--shutdown-timeout", running.shutdown_timeout.is_some()),
            ("--force-stop", running.force_stop),
            ("--accept-unclean", running.accept_unclean),
            ("--verify", running.verify.is_some()),
        ]
    }
}

/// Whole seconds, rounded up so that a limit is never tighter than what was asked for.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        decisions: Decisions,
    }

    fn typed(flags: &str) -> Decisions {
        Typed::try_parse_from(format!("x {flags}").split_whitespace()).unwrap().decisions
    }

    #[test]
    fn flags_become_a_request() {
        let flags = "--to prod --create-namespace --volumes move --strategy Rebind --strategy db-data=cdiclone --map-storage-class fast=slow \
                     --rename db-1=db-2 --map-network a=b --max-downtime 90s --start never --on-failure undo --parallel 20 \
                     --shutdown-timeout 1500ms --force-stop --accept-unclean --verify objects";
        let request = typed(flags).request(vec!["db-1".to_owned()]).unwrap();
        let pairs = |from: &str, to: &str| [(from.to_owned(), to.to_owned())].into();
        let expected = MoveRequest {
            machines: vec!["db-1".to_owned()],
            target_namespace: "prod".to_owned(),
            create_namespace: true,
            options: Options {
                volumes: Volumes::Move,
                start: StartPolicy::Never,
                on_failure: OnFailure::Undo,
                verify: VerifyDepth::Objects,
                parallel: 20,
                shutdown_timeout_seconds: Some(2),
                force_stop: true,
                accept_unclean: true,
                max_downtime_seconds: Some(90),
            },
            strategy: Some(Strategy::Rebind),
            claim_strategies: [("db-data".to_owned(), Strategy::CdiClone)].into(),
            class_map: pairs("fast", "slow"),
            rename: pairs("db-1", "db-2"),
            network_map: pairs("a", "b"),
            ..MoveRequest::default()
        };
        assert_eq!(request, expected);
    }

    #[test]
    fn without_flags_everything_is_the_default() {
        let request = typed("--to prod").request(Vec::new()).unwrap();
        assert_eq!(request, MoveRequest { target_namespace: "prod".to_owned(), ..MoveRequest::default() });
        assert!(typed("").request(Vec::new()).is_err());
    }

    #[test]
    fn a_flag_wins_over_the_document() {
        let text = str::to_owned;
        let document = MoveRequest {
            target_namespace: text("prod"),
            options: Options { volumes: Volumes::Move, parallel: 7, ..Options::default() },
            claim_strategies: [(text("db-data"), Strategy::CdiClone)].into(),
            claim_classes: [(text("db-data"), text("cheap"))].into(),
            rename: [(text("a"), text("b")), (text("c"), text("d"))].into(),
            ..MoveRequest::default()
        };
        let request = typed("--volumes copy --rename a=z").over(document.clone()).unwrap();
        assert_eq!((request.target_namespace.as_str(), request.options.volumes, request.options.parallel), ("prod", Volumes::Copy, 7));
        assert_eq!(request.rename, [(text("a"), text("z")), (text("c"), text("d"))].into());
        assert_eq!((request.claim_strategies.len(), request.claim_classes.len()), (1, 1));
        let all = typed("--to other --strategy Rebind --storage-class fast").over(document).unwrap();
        assert!(all.claim_strategies.is_empty() && all.claim_classes.is_empty());
    }

    #[test]
    fn beside_a_plan_every_deciding_flag_is_named_and_refused() {
        assert!(typed("").refuse_beside_a_plan().is_ok());
        let failure = typed("--to prod --verify none --force").refuse_beside_a_plan().unwrap_err();
        assert_eq!(failure.message, "--to, --force, --verify cannot be used with a plan: the plan has decided");
        let flags = <Typed as clap::CommandFactory>::command();
        let group = flags.get_arguments().filter_map(clap::Arg::get_long).filter(|flag| *flag != "help").count();
        assert_eq!(group, typed("").given().len(), "a new flag belongs into the list too");
    }
}
