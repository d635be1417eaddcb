//! Texts about plans that no longer hold: P.

use super::Text;

pub const TEXTS: &[Text] = &[
    Text {
        topic: "P001",
        title: "the plan is of another cluster",
        text: "A plan names its cluster by the UID of namespace kube-system. The one that the command reached has another, so names and \
               UIDs in the plan mean nothing there. Choose the right cluster with --context or --kubeconfig.",
    },
    Text {
        topic: "P002",
        title: "the virtual machine was made again",
        text: "A virtual machine of the planned name exists, but its UID is not the one in the plan: it was deleted and made again. It may \
               have other disks and another guest, so nothing that was decided about the old one holds. Make the plan again.",
    },
    Text {
        topic: "P003",
        title: "the virtual machine changed",
        text: "The specification of the virtual machine, or what its guest takes for its identity, is no longer what the plan was made \
               from. Stopping and starting it by its run strategy counts too. Make the plan again and review what differs.",
    },
    Text {
        topic: "P004",
        title: "a disk changed",
        text: "A claim was made again, bound to another volume, resized, or changed its class, modes or owner since the plan was made. How \
               a disk travels was decided from these, so the plan no longer holds. Make it again.",
    },
    Text {
        topic: "P005",
        title: "the guest was started or stopped",
        text: "The guest is up where it was down when the plan was made, or the other way. The plan can be carried out; the power state \
               in the target is what the plan says. Make the plan again if it should follow the present state.",
    },
    Text {
        topic: "P006",
        title: "what the machines refer to is not the same",
        text: "An object that the machines refer to came, went, or appeared in the target since the plan was made. The plan would copy too \
               much or too little. Make it again.",
    },
    Text {
        topic: "P007",
        title: "an object that is copied changed",
        text: "A Secret, ConfigMap, Service or other object that is copied with the machines was changed since the plan was made. It is \
               copied as it is when the move comes to it.",
    },
];
