//! Moves KubeVirt virtual machines.
