//! An open-loop load generator for Kademlia nodes: the parts of the `loadgen`
//! program.
//!
//! ```text
//! mix  deck  value_sizes  corpus  schedule  loss  transaction  in_flight  books  record
//!   <- engine                     what to send and what came of it; no I/O
//!     <- worker                   one thread: link, lookups, clock, and crate `udp`
//!       <- result                 what a run has measured
//!         <- run                  targets, preload, publish, all threads, CPU time; own_target:
//!                                   local_node or network
//!         <- live                 a run in progress  <- progress: a terminal, a log
//!                                   <- http: its page, and its numbers for a collector
//!         <- verdict, summary     <- assertion   <- options
//!           <- search, sweep        <- plan: which runs are made
//!           <- reader, merge        <- report: text, tables, a page with plots
//!                                     <- outputs: where each of them is written
//! ```
#![deny(clippy::print_stderr)] // it panics where standard error cannot be written
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "nanoseconds and counts of a run are below 2^53, and none is negative"
)]

pub mod assertion;
pub mod books;
pub mod clock;
pub mod corpus;
pub mod cpu;
pub mod deck;
pub mod engine;
pub mod http;
pub mod in_flight;
pub mod interruption;
pub mod link;
pub mod live;
pub mod local_node;
pub mod lookups;
pub mod loss;
pub mod machine;
pub mod membership;
pub mod memory;
pub mod merge;
pub mod mix;
pub mod network;
pub mod options;
pub mod output_file;
pub mod outputs;
pub mod own_target;
pub mod parameters;
pub mod plan;
pub mod preload;
pub mod progress;
pub mod publish;
pub mod quantity;
pub mod reader;
pub mod record;
pub mod report;
pub mod result;
pub mod run;
#[cfg(test)]
mod samples;
pub mod say;
pub mod schedule;
pub mod search;
pub mod setup;
pub mod summary;
pub mod sweep;
pub mod target_drops;
pub mod targets;
pub mod transaction;
pub mod value_sizes;
pub mod verdict;
pub mod worker;
