//! Both ends of a move, connected.

use crate::cluster::Cluster;
use crate::model::names::End;

/// One end: a connection and a namespace.
#[derive(Clone)]
pub struct Site {
    pub cluster: Cluster,
    pub namespace: String,
}

/// Both ends, even when they are the same cluster.
#[derive(Clone)]
pub struct Sites {
    pub source: Site,
    pub target: Site,
}

impl Sites {
    pub fn at(&self, end: End) -> &Site {
        match end {
            End::Source => &self.source,
            End::Target => &self.target,
        }
    }
}
