//! Gets of 1 MiB between two network namespaces, beside TCP (CUBIC) by the same path.

use std::fs::File;
use std::net::{IpAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{setsockopt, sockopt::TcpCongestion};

use super::{Outcome, VALUE_BYTES, median, nodes, tcp};

/// Values of each subject, in turn.
const GETS: usize = 7;

/// From here on what this thread opens, and the threads that it starts, are in `namespace`.
fn enter(namespace: &str) -> Outcome<()> {
    let file = File::open(format!("/run/netns/{namespace}"))?;
    Ok(setns(file, CloneFlags::CLONE_NEWNET)?)
}

pub(super) fn measure(holder: &str, address: IpAddr, reader: &str) -> Outcome<()> {
    enter(holder)?;
    let listener = TcpListener::bind((address, 0))?;
    setsockopt(&listener, TcpCongestion, &"cubic".into())?;
    let origin = nodes::node((address, 0).into(), 1, 0)?;
    let keys: Vec<_> = (0..GETS).map(|number| nodes::value(0, number)).collect();
    for value in &keys {
        nodes::put(&origin, value.clone())?;
    }
    enter(reader)?;
    let probe = TcpStream::connect(listener.local_addr()?)?;
    let any = (probe.local_addr()?.ip(), 0).into();
    drop((probe, listener.accept()?));
    let reader = nodes::node(any, 2, 0)?;
    nodes::join(&reader, &origin)?;
    let (mut gets, mut tcps) = (Vec::new(), Vec::new());
    for value in &keys {
        let started = Instant::now();
        nodes::begin_get(&reader, value.key())?;
        nodes::end_get(&reader)?;
        gets.push(started.elapsed().as_secs_f64());
        let started = Instant::now();
        over_tcp(&listener)?;
        tcps.push(started.elapsed().as_secs_f64());
    }
    let (get, tcp) = (median(gets), median(tcps));
    let kib_per_second = |seconds: f64| (VALUE_BYTES >> 10) as f64 / seconds;
    println!("get {:.0} KiB/s, TCP {:.0} KiB/s", kib_per_second(get), kib_per_second(tcp));
    println!("throughput, get / TCP  {:.2}", tcp / get);
    Ok(())
}

/// A connection for one value: what comes before it counts as it does for a get.
fn over_tcp(listener: &TcpListener) -> Outcome<()> {
    let receiver = TcpStream::connect(listener.local_addr()?)?;
    let (sender, _) = listener.accept()?;
    thread::scope(|scope| {
        scope.spawn(move || tcp::send(sender, 1));
        tcp::receive(receiver)
    })
}
