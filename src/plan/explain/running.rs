//! Texts about what a move meets while it runs: E.

use super::Text;

pub const TEXTS: &[Text] = &[Text {
    topic: "E001",
    title: "what the move made is not as it left it",
    text: "The ledger says that a step of this move was done, but the cluster does not show it any more: somebody removed or changed \
           the object since. The tool does not silently do the step again, because what changed it may have had a reason, and other \
           steps were built on it. Look at what happened to the object; then go back with 'rollback', or put the object back as it \
           was and 'resume'.",
}];
