//! Scenarios: what is done to a network, and what must hold.

use std::time::Duration;

use crate::disks::Disks;
use crate::faults::Faults;
use crate::malice::Malice;
use crate::operations::Expect;
use crate::ratio::Ratio;
use crate::shards::{Count, Layout};
use crate::upkeep::Measure;
use crate::violation::Wrong;
use crate::world::Configure;

/// A network's story, told by its steps.
#[derive(Clone)]
pub(crate) struct Scenario {
    /// By which it is chosen and reproduced.
    pub(crate) name: String,
    /// What it shows to hold.
    pub(crate) proves: &'static str,
    /// What a seed has drawn of it beside its faults and layout, for people to read.
    pub(crate) drawn: String,
    /// What every node is told when it is made.
    pub(crate) configure: Configure,
    /// How many shards each node has.
    pub(crate) layout: Layout,
    /// What the network does from the start.
    pub(crate) faults: Faults,
    pub(crate) script: Vec<Step>,
    /// Datagrams that a run may send in all.
    pub(crate) datagrams_max: u64,
    pub(crate) verdict: Verdict,
}

impl Scenario {
    /// The same with nodes of so many shards each, where that is asked for.
    pub(crate) fn with_shards(&self, shards: Option<u8>) -> Self {
        let mut scenario = self.clone();
        if let Some(shards) = shards {
            scenario.layout.shards = Count::Fixed(shards.into());
        }
        scenario
    }
}

/// What the run of a scenario must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No violation.
    Holds,
    /// Violations, all of this kind: the scenario shows that the checks see it.
    Violated(Wrong),
}

/// One step of a script. Each starts when the one before it has ended.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Nodes join, evenly spread; ends when every node has.
    Join {
        count: usize,
        over: Duration,
    },
    /// Attackers appear.
    Attack {
        count: usize,
        malice: Malice,
    },
    /// Every attacker disappears.
    Relieve,
    /// Nothing is asked of the network.
    Run(Duration),
    /// Fresh values are put at random nodes, evenly spread; ends with the last
    /// answer.
    Put {
        count: usize,
        bytes: usize,
        over: Duration,
    },
    /// The same at one node.
    PutAtOne {
        count: usize,
        bytes: usize,
        over: Duration,
    },
    /// So many nodes are replaced, evenly spread, and nothing is asked: what the network sends
    /// is measured.
    Measure {
        measure: Measure,
        period: Duration,
        churn: usize,
    },
    /// Values are put at random nodes after so many hosts of one subnet have each taken so
    /// many ids, close to their keys; ends with the last answer.
    PutSurrounded {
        values: usize,
        hosts: u32,
        ids: u32,
    },
    /// Random stored values are got at random nodes, evenly spread; ends with
    /// the last answer.
    Get {
        count: usize,
        over: Duration,
        expect: Expect,
    },
    /// Every stored value is got once, at a random node.
    GetEach {
        over: Duration,
        expect: Expect,
    },
    /// Every stored value is got once, all at the same moment, and so many random honest nodes
    /// crash a while later.
    GetEachAndCrash {
        share: Ratio,
        later: Duration,
    },
    /// Random honest nodes crash at the same moment.
    Crash {
        share: Ratio,
    },
    /// Random honest nodes go for good, evenly spread; ends when they are gone.
    Shrink {
        share: Ratio,
        over: Duration,
        going: Going,
    },
    /// Every node that put a value crashes.
    CrashOrigins,
    /// Every node that holds any value crashes.
    CrashHolders,
    /// Random honest nodes restart with nothing but their addresses and, or not,
    /// their ids.
    Restart {
        share: Ratio,
        identity: Identity,
    },
    /// Every honest node copies its disk.
    BackUp,
    /// So often, ten nodes put a value each, and power fails when the first of the puts has
    /// ended: every node that has said that it holds a value holds it.
    PutAndCutPower {
        rounds: usize,
        bytes: usize,
    },
    /// Every honest node crashes at the same moment, and comes back with its disk.
    PowerCut {
        disks: Disks,
    },
    /// Every node stops republishing what was put there.
    ForgetEach,
    /// One after another, evenly spread, a random node crashes and a new one
    /// joins.
    Churn {
        count: usize,
        over: Duration,
    },
    /// From here on the network has these faults.
    Faults(Faults),
    /// The network falls into parts between which nothing passes; 1 heals it.
    Divide {
        parts: u64,
    },
    Check(Check),
}

/// How a node goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Going {
    /// It is told to leave, and is stopped when it says that it has.
    Politely,
    Crashing,
}

/// Whether a node that restarts keeps its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    Kept,
    Fresh,
}

/// What must hold at a moment. That every value hashes to its key, that every
/// operation ends and that no node exceeds its limits is checked all the time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Check {
    /// Every stored value lives on at least so many of its K closest live nodes, or
    /// on [`ALL`].
    Placed { least: usize },
    /// Every stored value lives on its K closest live nodes. Where there are more than K, the
    /// farthest of them may lack it: it lies in a full bucket of some holders, which do not
    /// all know it.
    PlacedButFarthest,
    /// The closest contacts that a node gives, whichever of its shards is asked,
    /// are those that a sort gives.
    ClosestIsExact { targets: usize },
    /// Every honest node knows at least so many contacts.
    Acquainted { least: u64 },
    /// Nodes know at least this share of their K nearest neighbours.
    Neighbours { least: Ratio },
    /// Values whose every holder has crashed are not owed to any get; at most so
    /// many were lost that way.
    Lost { most: usize },
    /// Every honest node has had to evict values.
    StoresFull,
    /// No honest node holds any value.
    NothingHeld,
    /// No honest node pulls a large value.
    NothingPulled,
    /// Puts took at most as many hops as buckets of `k` contacts let expect.
    Hops { k: usize },
    /// No get took longer.
    GetsTake { most: Duration },
    /// No put took longer.
    PutsTake { most: Duration },
    /// Each honest node sends at most so many datagrams in the period.
    Quiet { period: Duration, datagrams_max: u64 },
    /// Nodes have noticed the lies of this kind, and no others.
    Noticed(Malice),
    /// The network was once so full that it dropped datagrams.
    Overflowed,
}

/// Every one of a value's K closest live nodes.
pub(crate) const ALL: usize = usize::MAX;
