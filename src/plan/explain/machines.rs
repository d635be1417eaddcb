//! Texts about virtual machines, their nodes and owners: V, H, O.

use super::Text;

pub const TEXTS: &[Text] = &[
    Text {
        topic: "V001",
        title: "there is no such virtual machine",
        text: "No virtual machine of this name is in the source namespace. The finding names the nearest one there is. Instances \
               without a virtual machine, and members of replica sets, cannot be moved.",
    },
    Text {
        topic: "V002",
        title: "the virtual machine is being deleted",
        text: "Its deletion has begun and cannot be taken back; KubeVirt removes its disks with it. If that is not wanted, save the \
               disks now: a claim's deletion waits while a pod uses it.",
    },
    Text {
        topic: "V003",
        title: "another move holds the virtual machine",
        text: "The machine carries a fence: the mark of a move, with a node affinity that no node meets, which keeps it from running \
               while its disks are elsewhere. Only that move may lift it. Look at it with 'status', then let it go on ('resume') or \
               back ('rollback'); 'doctor' helps when its ledger is gone.",
    },
    Text {
        topic: "V004",
        title: "the guest is paused",
        text: "A paused guest cannot react to the request to shut down: it is cut off when its grace period ends, and what it has not \
               written is lost. Let it run first. A guest that was paused by an I/O error needs its storage repaired first.",
    },
    Text {
        topic: "V005",
        title: "the guest is being migrated",
        text: "During a live migration two pods work on the same disks. Stopping in the middle leaves it open which of them wrote \
               last. Wait until the migration has ended, or cancel it by deleting the VirtualMachineInstanceMigration.",
    },
    Text {
        topic: "V006",
        title: "a snapshot or restore is under way",
        text: "While KubeVirt takes or restores a snapshot, it freezes the machine's run state and volumes and refuses to stop it. It \
               ends by itself; delete the VirtualMachineSnapshot or VirtualMachineRestore if it is stuck.",
    },
    Text {
        topic: "V007",
        title: "an export is open",
        text: "A VirtualMachineExport of the machine is open: its server pod mounts the disks as soon as the guest is gone, and the \
               move would wait for it. Delete the export when its download is done.",
    },
    Text {
        topic: "V008",
        title: "a clone is under way",
        text: "A VirtualMachineClone reads from the machine or writes to it. Moving either side now would tear the clone apart. Wait \
               until its phase is Succeeded.",
    },
    Text {
        topic: "V009",
        title: "volumes are changing",
        text: "A volume is being plugged in or out, or KubeVirt is migrating the guest's volumes to other claims. Which claims are \
               the machine's disks is not settled until that has ended.",
    },
    Text {
        topic: "V010",
        title: "a memory dump is under way",
        text: "The guest's memory is being written to a claim that is plugged in for the purpose. Wait until status.memoryDumpRequest \
               says Completed.",
    },
    Text {
        topic: "V011",
        title: "a start or stop is queued",
        text: "A request to start or stop the machine is recorded in status.stateChangeRequests and not carried out yet. What the \
               machine's state was before the move would be a guess.",
    },
    Text {
        topic: "V012",
        title: "the guest runs with an older specification",
        text: "The specification was changed after the guest started and the change waits for a restart. In the target the guest \
               starts from the specification, so the change takes effect there: more memory, another CPU model, a new disk. Restart \
               the machine in the source first if you want to see that separately from the move.",
    },
    Text {
        topic: "V013",
        title: "manual recovery is due",
        text: "A volume migration failed half way and KubeVirt asks for its volumes to be put right by hand (condition \
               ManualRecoveryRequired). Until then the specification may name the wrong claims.",
    },
    Text {
        topic: "V014",
        title: "a finished machine stays finished",
        text: "With run strategy Once, or RerunOnFailure after the guest shut itself down, the machine is done. KubeVirt cannot be \
               told so when a machine is made: it would run it again. So the target is made with Halted, and the finding says it. Set \
               the strategy yourself when another run is wanted.",
    },
    Text {
        topic: "V015",
        title: "snapshots stay behind",
        text: "VirtualMachineSnapshots belong to their namespace and to the source's volumes. They stay usable there until cleanup \
               removes the source's disks; they cannot be restored in the target.",
    },
    Text {
        topic: "V016",
        title: "a backup is under way",
        text: "KubeVirt is writing a backup of the guest's changed blocks. Wait until it has finished. The first backup in the target \
               is a full one: checkpoints do not travel.",
    },
    Text {
        topic: "V017",
        title: "the machine waits for a live migration",
        text: "Run strategy WaitAsReceiver means that the machine is the receiving end of a migration from elsewhere. Its disks are \
               being written by that migration and it cannot be stopped like others.",
    },
    Text {
        topic: "V018",
        title: "volumes are plugged into the instance only",
        text: "A volume was plugged into the running instance without being kept in the virtual machine. It is gone as soon as the \
               guest stops, and the target would come up without it. Keep it ('virtctl addvolume --persist') or take it out before \
               the move.",
    },
    Text {
        topic: "V019",
        title: "networks are plugged into the instance only",
        text: "A network interface exists in the running instance but not in the virtual machine's template. It is gone as soon as \
               the guest stops. Add it to the template or unplug it before the move.",
    },
    Text {
        topic: "H001",
        title: "the node under a guest does not answer",
        text: "The node is NotReady or gone. Kubernetes cannot tell whether the guest still runs there and writes to its disks; \
               copying or handing over a disk now could leave two writers. The tool never strips finalizers or forces pods away. \
               Bring the node back, or make sure that it is powered off and mark it out of service, so that Kubernetes itself lets \
               go.",
    },
    Text {
        topic: "H002",
        title: "the guest's state is unknown",
        text: "KubeVirt lost contact with the guest's node (phase Unknown). See H001: until the node answers, nobody knows whether \
               the guest runs.",
    },
    Text {
        topic: "O001",
        title: "the machine belongs to a pool",
        text: "A VirtualMachinePool makes, scales and replaces its machines. It would make another in the place of the one that is \
               moved away, and may delete the one that stays. Detach the machine from the pool first; --force does not help here.",
    },
    Text {
        topic: "O002",
        title: "a GitOps tool manages the machine",
        text: "Argo CD, Flux, Helm or Advanced Cluster Management keeps the machine as its repository says. It may start the source \
               again in the middle, or, after cleanup, make it anew with freshly imported disks. Take it out of there first and put \
               the target in ('plan --emit-manifests' writes it); --force turns this into a warning. The tool's marks are not carried \
               to the target.",
    },
    Text {
        topic: "O003",
        title: "another controller owns the machine",
        text: "An owner reference says that a controller made the machine, such as a cluster-api provider or a node pool. It may make \
               another in its place. --force turns this into a warning.",
    },
];
