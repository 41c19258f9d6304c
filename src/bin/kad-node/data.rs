//! The folder of `--data`: opened, reported, checked.

use std::io::Write as _;
use std::time::Duration;

use kad_durable::{Checked, Down};
use kad_node::driver::Data;
use kad_node::id::Id;
use nix::sys::signal::{SigSet, Signal};
use serde_json::{Value, json};

use crate::args::{CheckArgs, DataArgs, Format};
use crate::failure::Failure;
use crate::output::{print, print_json};

/// Makes a write beyond the limit of file sizes (`RLIMIT_FSIZE`) fail, which the node
/// survives, instead of ending the process. Applies to this thread and those started after
/// it.
pub(crate) fn survive_file_limit() {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGXFSZ);
    signals.thread_block().expect("this signal may be blocked");
}

/// Opens the folder, where one is asked for, and reports what is in it. No value in it
/// lives longer than `expire`.
pub(crate) fn open(args: &DataArgs, expire: Duration) -> Result<Option<Data>, Failure> {
    let Some(path) = &args.data else { return Ok(None) };
    let data = Data::open(path, args.sync, expire);
    let data = data.map_err(|error| Failure::Failed(error.to_string()))?;
    let ((published, held), contacts) = (data.values(), data.contacts().len());
    let (path, down) = (path.display(), data.down());
    tracing::info!(%path, put_here = published, held, contacts, "data: {down}");
    if matches!(down, Down::Back(_) | Down::Ahead(_)) {
        tracing::warn!("{down}");
    }
    let damage = data.damage();
    if damage.damaged + damage.mismatched > 0 {
        tracing::warn!("some of {path} cannot be read and was dropped: {damage}");
    }
    Ok(Some(data))
}

/// The id of the node whose folder it is. A new folder becomes that of `asked`, or of `random`.
pub(crate) fn claim(data: &Data, asked: Option<Id>, random: Id) -> Result<Id, Failure> {
    match (data.id(), asked) {
        (Some(id), Some(asked)) if id != asked => Err(Failure::Usage(format!(
            "--id {asked} is not the id of the node in --data, {id}: leave --id out, or give \
             another folder"
        ))),
        (Some(id), _) => Ok(id),
        (None, asked) => {
            let id = asked.unwrap_or(random);
            data.set_id(id).map_err(|error| Failure::Failed(error.to_string()))?;
            Ok(id)
        }
    }
}

/// Verifies a folder that no node uses, and prints what is in it.
pub(crate) fn check(args: &CheckArgs) -> Result<(), Failure> {
    let path = args.dir.display();
    let checked = kad_durable::check(&args.dir);
    let checked = checked.map_err(|error| Failure::Failed(error.to_string()))?;
    match args.output.output {
        Format::Text => print(|out, _| writeln!(out, "{checked}"))?,
        Format::Json => print_json(&view(&checked))?,
    }
    if checked.is_good() {
        Ok(())
    } else {
        let text =
            format!("{path}: some of it cannot be read; a node drops that and serves the rest");
        Err(Failure::Failed(text))
    }
}

fn view(checked: &Checked) -> Value {
    let (damage, identity) = (&checked.damage, checked.identity.as_ref());
    json!({
        "id": identity.map(|identity| Id::new(identity.id).to_string()),
        "is_good": checked.is_good(),
        "contacts": checked.contacts,
        "values_put_here": checked.published,
        "replicas": checked.replicas,
        "cached_copies": checked.cached,
        "value_bytes": checked.value_bytes,
        "segments": checked.segments,
        "records": checked.records,
        "disk_bytes": checked.disk_bytes,
        "live_bytes": checked.live_bytes,
        "damaged": damage.damaged,
        "mismatched": damage.mismatched,
        "last_written_ms": checked.last_wall_ms,
    })
}
