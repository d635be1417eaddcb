//! Texts about the cluster, rights, quotas and what the server answers: K, R, Q, D.

use super::Text;

pub const TEXTS: &[Text] = &[
    Text {
        topic: "K001",
        title: "KubeVirt is not installed",
        text: "The server does not serve virtual machines at all, so there is nothing to move. Usually the kubeconfig's current \
               context points at another cluster than you think: compare 'kubectl config get-contexts' and give --context.",
    },
    Text {
        topic: "K002",
        title: "CDI is not installed",
        text: "Without the Containerized Data Importer there are no DataVolumes, and nobody in the cluster can copy a disk from one \
               namespace to another on your behalf. Disks can still travel with CloneRebind (a clone by the storage system) or Rebind \
               (the volume itself changes hands); both need the right to patch PersistentVolumes.",
    },
    Text {
        topic: "R001",
        title: "a right that the plan needs is missing",
        text: "Every request that the plan's steps will make was asked of the server as an access review. This one it would refuse, \
               so the move would stop half way; therefore it does not begin. The finding names the rule to add and who can add it. \
               'kubectl vmmove plan ... --print-rbac' prints roles with exactly the rules that this plan needs.",
    },
    Text {
        topic: "R002",
        title: "something that safety depends on cannot be read",
        text: "You may not list a kind of object that must be seen to know that the move is safe: who uses a disk, whether a guest \
               runs, whether a name is taken. Not seeing an object proves nothing, so the move does not begin. Ask for 'list' on that \
               kind in that namespace.",
    },
    Text {
        topic: "R003",
        title: "something that warnings depend on cannot be read",
        text: "You may not list a kind of object that would let the plan say more: a quota, a snapshot, a node. The move can go on; \
               what the finding names is simply not checked.",
    },
    Text {
        topic: "R004",
        title: "a right that only cleanup needs is missing",
        text: "The move itself runs and its result is complete, but 'kubectl vmmove cleanup' would be refused. The source stays, \
               stopped and fenced, until somebody with the right cleans up; any user with enough rights can do it later.",
    },
    Text {
        topic: "R005",
        title: "a right that makes the move say more is missing",
        text: "Without this right the move runs, but says less: it writes no Events on the virtual machine, or does not see \
               attachments of volumes. Grant it if you want to follow the move with kubectl.",
    },
    Text {
        topic: "R006",
        title: "rights in a namespace that is still to be made",
        text: "The target namespace does not exist yet, so the server's answer about rights in it may change once it does: on \
               OpenShift, who requests a project becomes its administrator. Everything is asked again when the namespace is there, \
               before the first virtual machine is stopped.",
    },
    Text {
        topic: "Q001",
        title: "the target's quota is too small",
        text: "The claims, machines and other objects of the whole batch were added up and compared with what each ResourceQuota of \
               the target namespace still has. A dry run would not notice this, because it looks at one object at a time. Raise the \
               quota or move fewer machines at once.",
    },
    Text {
        topic: "Q002",
        title: "the source's quota has no room for copies",
        text: "CloneRebind makes its clone beside the source before the volume is handed over, and CDI does the same (tmp-pvc). For a \
               while the source namespace holds each disk of the machines in flight twice. Raise the quota for the time of the move, \
               lower --parallel, or use --volumes move, which copies nothing.",
    },
    Text {
        topic: "Q003",
        title: "a limit range refuses a disk",
        text: "A LimitRange of the namespace sets a smallest or largest size for claims, and this disk's claim is outside. The server \
               would refuse it when it is made. Change the limit range; the size of a disk cannot change on the way.",
    },
    Text {
        topic: "Q004",
        title: "the target's quota has no room for the guests' pods",
        text: "The pods in which the guests run would exceed a quota on pods, CPU or memory. Objects would be made and disks would \
               travel, but a guest would not start. The figures are those of the pods in the source, or the guest's memory where it \
               does not run, so they are close but not exact.",
    },
    Text {
        topic: "Q005",
        title: "containers get less memory than the guest has",
        text: "A LimitRange of the target gives containers without a limit of their own a default memory limit below the guest's \
               memory. The guest's pod is then refused, or killed when the guest uses its memory.",
    },
    Text {
        topic: "D001",
        title: "the server would refuse an object",
        text: "Every object of the target was sent to the server as a dry run, through all its defaults, webhooks and policies. This \
               one it would refuse; the finding quotes its words. Typical reasons are a feature gate that was switched off since the \
               machine was made, a removed network binding, or a policy on the target namespace.",
    },
    Text {
        topic: "D002",
        title: "the server would silently drop fields",
        text: "In a dry run the server accepted the object but its answer lacks fields that were asked for. That happens when the \
               server is older than the object, or a webhook removes what it does not know. The result would not be the same object, \
               so the move does not begin.",
    },
    Text {
        topic: "D003",
        title: "the server would change fields",
        text: "In a dry run the server accepted the object but set fields otherwise than asked. Where the guest would see it \
               (firmware, MAC address, machine type, PCI layout) and for every object but the virtual machine this is blocking; \
               elsewhere it is a warning.",
    },
    Text {
        topic: "D004",
        title: "the MAC pool refuses the guest's address",
        text: "kubemacpool up to 0.50 keeps one map of MAC addresses for the cluster and refuses an address that another virtual \
               machine holds, also when that one is stopped. The source holds it until it is deleted, so the target cannot be made \
               beside it. kubemacpool 0.51 and later allow it; or the target namespace can be exempted.",
    },
    Text {
        topic: "D005",
        title: "a quota refuses an object",
        text: "The server's quota admission refused the dry run of a single object. See Q001: the sum of the batch may be larger still.",
    },
    Text {
        topic: "D006",
        title: "Pod Security refuses an object",
        text: "The target namespace enforces a Pod Security level that the object does not meet. Give it the level of the source \
               namespace (label pod-security.kubernetes.io/enforce).",
    },
    Text {
        topic: "D008",
        title: "the server could not try an object beforehand",
        text: "Before a move every object of the target is sent to the server as a dry run. This one could not be: its namespace or an \
               instance type that it needs is made by the move itself, or a webhook of the cluster takes no dry runs. What the server \
               thinks of it shows only when the move makes it.",
    },
    Text {
        topic: "D007",
        title: "a webhook does not answer",
        text: "The server must ask an admission webhook before it makes the object, and the webhook did not answer. Virtual machines \
               cannot be changed while KubeVirt's webhooks are down, so the move does not begin.",
    },
];
