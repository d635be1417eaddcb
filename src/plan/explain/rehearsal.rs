//! Texts about what a rehearsal found: G.

use super::Text;

pub const TEXTS: &[Text] = &[
    Text {
        topic: "G001",
        title: "the rehearsal did not reach its end",
        text: "With --rehearse the plan was carried out in a sandbox inside this program, which was filled with what was seen of your \
               cluster. There it stopped short, at what the lines above the finding say last. Your cluster heard nothing of it. Look at the \
               object that is named: what stands in the way in the sandbox usually stands in the way in the cluster too. The sandbox plays \
               Kubernetes, KubeVirt and CDI as their own controllers behave, but no webhooks and operators that you have added; if you are \
               sure that yours behaves differently there, plan without --rehearse.",
    },
    Text {
        topic: "G002",
        title: "going back did not restore the source in the rehearsal",
        text: "After the move, the rehearsal goes back, and compares each source with what it was before: specification, labels and \
               annotations. Something was left different, or going back got stuck. A move of this plan could therefore not be taken back \
               completely. Please report it with the plan: this should not happen.",
    },
];
