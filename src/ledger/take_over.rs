//! Takes a move over from a holder that is gone: a higher number in the header, then on every chain, so that whoever comes back late
//! finds the number changed at the next append.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config_map::write_header;
use super::open::read_chain;
use super::{ConfigMaps, Header, Opened, described, open, surely};
use crate::cluster::{Cluster, Reason};
use crate::engine::clock::Clock;
use crate::engine::{Ledger, StepError};
use crate::model::failure::{Failure, FailureKind};
use crate::model::journal::{Entry, Holder};

/// A holder that still writes is overtaken within so many tries per chain.
const TRIES: usize = 20;

/// Makes `me` the holder of an opened move. Gives the move back as it stands now: the holder before may have written until just now.
///
/// # Errors
/// When somebody else took it over meanwhile, or the server refuses a write. Cut short, it can be repeated.
pub async fn take_over(cluster: &Cluster, opened: &Opened, me: &str, clock: Arc<dyn Clock>) -> Result<(Opened, ConfigMaps), Failure> {
    let header = claim_header(cluster, opened, me, &*clock).await?;
    for group in header.groups() {
        seize(cluster, &header, group, &clock).await?;
    }
    let opened = open(cluster, &header.source_namespace, &header.move_id.0).await?;
    if opened.header.holder != header.holder {
        return Err(taken(&opened.header));
    }
    let ledger = ConfigMaps::hold(cluster, &opened, clock);
    Ok((opened, ledger))
}

/// Raises the number in the header, unless somebody else did.
async fn claim_header(cluster: &Cluster, opened: &Opened, me: &str, clock: &dyn Clock) -> Result<Header, Failure> {
    let (mut header, mut manifest) = (opened.header.clone(), opened.kept.header.clone());
    header.holder = Holder { number: header.holder.number + 1, name: me.to_owned() };
    header.held_since = clock.now().to_string();
    for _ in 0..TRIES {
        write_header(&mut manifest, &header);
        match surely::write(cluster, clock, &manifest, surely::same_data).await {
            Ok(_) => return Ok(header),
            Err(error) if error.reason == Reason::Conflict => {}
            Err(error) => return Err(error.into()),
        }
        let found = open(cluster, &header.source_namespace, &header.move_id.0).await?;
        if found.header != opened.header {
            return Err(taken(&found.header));
        }
        // Only something beside the header changed, such as an annotation.
        manifest = found.kept.header;
    }
    Err(busy(&header))
}

/// Writes our number on one group's chain, creating it where there is none: the holder before can then not create it either.
async fn seize(cluster: &Cluster, header: &Header, group: &str, clock: &Arc<dyn Clock>) -> Result<(), Failure> {
    for _ in 0..TRIES {
        let (entries, chain) = read_chain(cluster, header, group).await?;
        let entry = Entry::TakenOver { holder: header.holder.clone(), at: clock.now().to_string() };
        if entries.iter().any(|entry| matches!(entry, Entry::TakenOver { holder, .. } if holder.number > header.holder.number)) {
            return Err(busy(header));
        }
        let ledger = ConfigMaps::with(cluster, clock.clone(), header.clone(), BTreeMap::from([(group.to_owned(), chain)]));
        match ledger.append(group, &[entry]).await {
            Ok(()) => return Ok(()),
            Err(StepError::Lost(_)) => {}
            Err(StepError::Transient(cause) | StepError::Permanent(cause)) => return Err(Failure::new(FailureKind::Resumable, cause.0)),
            Err(StepError::Stale(why)) => return Err(Failure::new(FailureKind::Resumable, why)),
            Err(StepError::Blocked(finding)) => return Err(Failure::new(FailureKind::Resumable, finding.message)),
        }
    }
    Err(busy(header))
}

fn taken(header: &Header) -> Failure {
    Failure::new(FailureKind::Resumable, format!("move {} is carried by {} now", header.move_id, header.holder.name))
        .hint(format!("look how it stands with 'kubectl vmmove status {} -n {}', or ask them", header.move_id, header.source_namespace))
}

fn busy(header: &Header) -> Failure {
    let what = described(&header.source_namespace, &super::object_name(&header.move_id));
    Failure::new(FailureKind::Resumable, format!("move {} could not be taken over: somebody else keeps writing to {what}", header.move_id))
        .hint(format!("look who carries it with 'kubectl vmmove status {} -n {}', and take it over again", header.move_id, header.source_namespace))
}
