//! What was asked for, by name, as results show it.

use kad_node::quantity::Percent;

use crate::corpus::Popularity;
use crate::options::{Options, Rate};
use crate::quantity::show_count;
use crate::run::Runner;
use crate::schedule::Arrivals;
use crate::worker::Waiting;

/// Every parameter that makes a difference, defaults included.
pub fn describe(options: &Options, runner: &Runner) -> Vec<(String, String)> {
    let time = |duration| humantime::format_duration(duration).to_string();
    let rate = match options.rate() {
        _ if options.sweep.is_some() => "swept".into(),
        Rate::PerSecond(rate) if options.seeks_rate() => {
            format!("sought from {} a second", show_count(rate))
        }
        Rate::PerSecond(rate) => format!("{} a second", show_count(rate)),
        Rate::Max => format!("as answers come, {} in flight", options.window()),
    };
    let arrivals = match (options.rate(), options.arrivals) {
        (Rate::Max, _) => "closed loop",
        (_, Arrivals::Uniform) => "uniform",
        (_, Arrivals::Poisson) => "poisson",
    };
    let popularity = match options.key_dist {
        Popularity::Uniform => "uniform".into(),
        Popularity::Zipf { exponent } => format!("zipf {exponent}"),
    };
    let waiting = match runner.waiting() {
        Waiting::Spin => "spinning",
        Waiting::Sleep => "sleeping",
    };
    let drops: Vec<String> = options.drop.iter().map(Percent::to_string).collect();
    [
        ("target", runner.describe_target()),
        ("rate", rate),
        ("arrivals", arrivals.into()),
        ("duration", format!("{} after {}", time(options.duration), time(options.warmup))),
        ("mix", options.mix.to_string()),
        ("keys", format!("{}, {popularity}", show_count(options.keys))),
        ("values", format!("{} bytes", options.value_size)),
        ("drop", drops.join(", ")),
        ("timeout", format!("{} and {} retries", time(options.timeout()), options.retries)),
        ("burst", options.burst.to_string()),
        ("peers", options.peers.to_string()),
        ("threads", format!("{}, {waiting}", options.threads)),
        ("seed", options.seed.to_string()),
        (
            "network",
            options.network_name.clone()
                + if options.network_key.is_empty() { "" } else { ", with a key" },
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}
