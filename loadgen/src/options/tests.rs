//! What the command line takes and refuses.

use super::*;

fn parse_line(line: &str) -> Result<Options, String> {
    let words = std::iter::once("loadgen").chain(line.split_whitespace());
    parse_from(words).map(|cli| cli.options).map_err(program::one_line)
}

#[test]
fn the_command_line_is_consistent() {
    use clap::CommandFactory as _;
    Cli::command().debug_assert();
}

#[test]
fn defaults_are_those_of_the_interface() {
    let options = parse_line("").expect("no flag is required");
    assert_eq!(options.rate(), Rate::PerSecond(100_000));
    assert_eq!(options.duration, Duration::from_secs(10));
    assert_eq!(options.warmup, Duration::from_secs(1));
    assert_eq!(options.drop, [Percent::ZERO]);
    assert_eq!(options.mix.to_string(), "get=100");
    assert_eq!((options.keys, &options.value_size), (10_000, &ValueSizes::all(100)));
    assert_eq!((options.timeout(), options.retries), (Duration::from_millis(250), 3));
    assert_eq!(options.arrivals, Arrivals::Uniform);
    assert_eq!((options.seed, options.threads, options.burst), (1, 1, 1));
}

#[test]
fn a_search_begins_at_the_rate_or_low() {
    let lowest = |line: &str| parse_line(line).expect(line).rate();
    assert_eq!(lowest("--search p99<2ms --search timed-out==0"), Rate::PerSecond(1_000));
    assert_eq!(lowest("--search p99<2ms --rate 50k"), Rate::PerSecond(50_000));
}

#[test]
fn a_window_is_shared_by_the_threads() {
    let pace = |line: &str| {
        let options = parse_line(line).expect(line);
        options.pace(options.rate())
    };
    assert_eq!(pace("--rate max"), Pace::Closed { window: 64 });
    assert_eq!(pace("--rate max --window 90 --threads 2"), Pace::Closed { window: 45 });
    assert_eq!(pace("--rate max --burst 64"), Pace::Closed { window: 128 });
}

#[test]
fn threads_spin_only_where_a_core_is_left() {
    let options = parse_line("--threads 2").expect("valid");
    assert_eq!(options.waiting(2), Waiting::Sleep);
    assert_eq!(options.waiting(3), Waiting::Spin);
    let options = parse_line("--wait spin").expect("valid");
    assert_eq!(options.waiting(1), Waiting::Spin);
}

#[test]
fn an_error_is_one_line_with_the_value_and_the_remedy() {
    for (line, value, remedy) in [
        ("--rate fast", "'fast'", "or max"),
        ("--rate 0", "'0'", "1 to"),
        ("--duration 10", "'10'", "10s"),
        ("--duration 1ms", "'1ms'", "10ms to"),
        ("--warmup 600years", "'600years'", "0s to"),
        ("--timeout 0s", "'0s'", "1ms to 1m"),
        ("--drop 101", "'101'", "0 to 100"),
        ("--drop 0,ten", "'ten'", "0 to 100"),
        ("--mix get=90,steal=10", "'steal'", "get, put"),
        ("--keys 0", "'0'", "1 to"),
        ("--value-size 2000", "2000", "1132 bytes"),
        ("--value-size 17MiB", "17MiB", "1 to 16777216"),
        ("--value-size 100:0", "'100:0'", "a weight"),
        ("--value-size big", "'big'", "100:90,1kB:10"),
        ("--key-dist normal", "'normal'", "zipf"),
        ("--key-dist zipf:0", "'zipf:0'", "above 0"),
        ("--burst 65", "'65'", "1 to 64"),
        ("--threads 0", "'0'", "1 to"),
        ("--arrivals late", "'late'", "poisson"),
        ("--wait long", "'long'", "sleep"),
        ("--io epoll", "'epoll'", "mmsg"),
        ("--assert p99", "'p99'", "p99<2ms"),
        ("--window 5", "--window", "--rate max"),
        ("--rate max --arrivals poisson", "poisson", "--rate"),
        ("--rate max --window 7 --burst 8", "--window 7", "at least 8"),
        ("--keys 10M --value-size 1000", "10000000", "fewer"),
        ("--server-pid 1", "--server-pid", "--target"),
        ("--io mmsg --target a:1", "'--io mmsg'", "--target"),
        ("--io auto --target a:1", "'--io auto'", "--target"),
        ("--mix lookup=1 --burst 8", "'--burst 8'", "--mix"),
        ("--mix lookup=1 --peers 3", "'--peers 3'", "--mix"),
        ("--colour", "'--colour'", ""),
        ("compare a.json", "<FILE>", "2 values"),
        ("merge a.json", "<FILE>", "2 values"),
        ("--search p99", "'p99'", "p99<2ms"),
        ("--search p99<2ms --rate max", "'--rate max'", "number"),
        ("--search p99<2ms --hgrm x", "--hgrm", "--json"),
        ("--network ours", "'ours'", "--network-name"),
        ("--network-name=", "'' for '--network-name", "a name"),
        ("--network 1", "'1'", "2 to"),
        ("--network 5 --target a:1", "--network", "cannot be used with"),
        ("--network 5 --io mmsg", "--io", "--network"),
        ("--delay 5ms", "--network", "required"),
        ("--sweep 9k", "'9k'", "FROM..TO"),
        ("--sweep 1k..9k --rate 1k", "--sweep", "cannot be used with"),
        ("--sweep 1k..9k --search p99<2ms", "--sweep", "cannot be used with"),
    ] {
        let said = parse_line(line).expect_err(line);
        assert!(said.starts_with("error: "), "{line}: {said}");
        assert!(said.contains(value) && said.contains(remedy), "{line}: {said}");
        assert!(!said.contains('\n'), "{line}: {said}");
    }
}
