#!/usr/bin/env bash
# Shows that the loom tests of src/handoff can fail: breaks each ordering and each step of
# the protocols in turn, in a copy of the sources, and expects at least one test to catch
# it. Prints which tests catch which mutation.
#
#     tests/loom-mutations.sh            all of them
#     tests/loom-mutations.sh WORD...    those whose name contains a word
#
# A mutation names a text that must occur exactly once in its file. If the text has changed,
# the script fails, so that no mutation silently stops working. Mutations marked `blind`
# change nothing that a test can see, as src/handoff.rs explains: if one is caught, the
# explanation is wrong, and the script fails too.
#
# Exit status: 0 as expected, 1 otherwise.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Only the handoff module, as a crate of its own, with the versions of the project's lock.
mkdir -p "$work/src"
cp "$root/Cargo.lock" "$work/"
printf 'pub mod handoff;\n' >"$work/src/lib.rs"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "kad-node"
version = "0.0.0"
edition = "2024"

[target.'cfg(loom)'.dependencies]
loom = "0.7"

[profile.dev]
debug = false

[profile.dev.package."*"]
opt-level = 3
TOML

# With 2 preemptions every mutation shows, in a tenth of the time that 3 take.
export LOOM_MAX_PREEMPTIONS=2 RUSTFLAGS='--cfg loom' RUST_BACKTRACE=0
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}/loom-mutations
# The tests take seconds; on a busy machine longer.
test_seconds_max=300

fresh_sources() {
    rm -rf "$work/src/handoff"
    cp -r "$root/src/handoff" "$root/src/handoff.rs" "$work/src/"
}

# Builds, then runs each test as a process of its own, because a broken ring may crash its
# process. Prints the names of the tests that failed. Status 2 when the sources do not build
# or a test does not end.
failing_tests() {
    (cd "$work" && cargo test --lib --no-run) >"$work/build" 2>&1 || {
        cat "$work/build" >&2
        return 2
    }
    local program
    program=$(sed -nE 's/.*Executable unittests .*\((.*)\)$/\1/p' "$work/build")
    (cd "$work" && "$program" --list) | sed -n 's/: test$//p' |
        (cd "$work" && xargs -P 2 -I TEST bash -c '
            exec 2>/dev/null # where bash would report each abort
            timeout "$1" "$2" --exact TEST >/dev/null
            case $? in
                0) ;;
                124) exit 255 ;;
                *) echo TEST ;;
            esac' - "$test_seconds_max" "$program") |
        sed 's/.*:://' | sort
}

failures=0
count=0
words=("$@")

wanted() {
    ((${#words[@]})) || return 0
    local word
    for word in "${words[@]}"; do
        [[ $1 != *"$word"* ]] || return 0
    done
    return 1
}

# mutation caught|blind NAME FILE OLD NEW
mutation() {
    local expected=$1 name=$2 file=$work/src/handoff/$3 old=$4 new=$5
    wanted "$name" || return 0
    count=$((count + 1))
    fresh_sources
    local source before after tests verdict
    source=$(<"$file")
    before=${source%%"$old"*}
    after=${source#*"$old"}
    if [[ $before == "$source" || $after == *"$old"* ]]; then
        printf 'FAIL  %s: this text does not stand exactly once in %s:\n%s\n' "$name" "$3" "$old"
        failures=$((failures + 1))
        return 0
    fi
    printf '%s\n' "$before$new$after" >"$file"

    if ! tests=$(failing_tests); then
        verdict=FAIL tests="does not build, or does not end in $test_seconds_max s"
    elif [[ $expected == caught && -n $tests ]] || [[ $expected == blind && -z $tests ]]; then
        verdict=ok
    else
        verdict=FAIL
    fi
    [[ $verdict == ok ]] || failures=$((failures + 1))
    local test
    for test in ${tests:-"(no test)"}; do
        printf '%-5s %-50s %s\n' "$verdict" "$name" "$test"
        verdict='' name=''
    done
}

fresh_sources
if ! broken=$(failing_tests) || [[ -n $broken ]]; then
    printf 'FAIL  the sources as they are: %s\n' "$broken"
    exit 1
fi
printf '%-5s %-50s %s\n' '' 'mutation' 'caught by'

# ---- ring: orderings -------------------------------------------------------------

mutation caught 'publish: the tail stored Relaxed' ring.rs \
    'index.store(self.tail, Ordering::Release)' \
    'index.store(self.tail, Ordering::Relaxed)'
mutation caught 'look: the tail loaded Relaxed' ring.rs \
    'self.tail_seen = self.shared.producer.index.load(Ordering::Acquire)' \
    'self.tail_seen = self.shared.producer.index.load(Ordering::Relaxed)'
mutation caught 'release: the head stored Relaxed' ring.rs \
    'index.store(self.head, Ordering::Release)' \
    'index.store(self.head, Ordering::Relaxed)'
mutation caught 'push: the head loaded Relaxed' ring.rs \
    'self.head_seen = self.shared.consumer.index.load(Ordering::Acquire)' \
    'self.head_seen = self.shared.consumer.index.load(Ordering::Relaxed)'
mutation caught 'producer gone: stored Relaxed' ring.rs \
    'producer.gone.store(true, Ordering::Release)' \
    'producer.gone.store(true, Ordering::Relaxed)'
mutation caught 'producer gone: loaded Relaxed' ring.rs \
    'producer.gone.load(Ordering::Acquire)' \
    'producer.gone.load(Ordering::Relaxed)'

# ---- ring: steps -----------------------------------------------------------------

mutation caught 'publish: one slot that is not written yet' ring.rs \
    'index.store(self.tail, Ordering' \
    'index.store(self.tail.wrapping_add(1), Ordering'
mutation caught 'push: visible before it is published' ring.rs \
    'self.tail = self.tail.wrapping_add(1);' \
    'self.tail = self.tail.wrapping_add(1); self.publish();'
mutation caught 'push: one message more than there are slots' ring.rs \
    'let capacity = self.capacity();' \
    'let capacity = self.capacity() + 1;'
mutation caught 'push: full without a second look' ring.rs \
    'self.head_seen = self.shared.consumer.index.load(Ordering::Acquire);' \
    ''
mutation caught 'push: room taken for granted at the second look' ring.rs \
    'return Err(message);' \
    'self.head_seen = self.tail;'
mutation caught 'take: the slot given back before it is read' ring.rs \
    'let message = unsafe { self.shared.read(self.head) };
        self.head = self.head.wrapping_add(1);' \
    'let slot = self.head;
        self.head = self.head.wrapping_add(1);
        self.release();
        let message = unsafe { self.shared.read(slot) };'
mutation caught 'pop: the slot not given back' ring.rs \
    'let message = self.take()?;
        self.release();' \
    'let message = self.take()?;'
mutation caught 'drain: the slots not given back' ring.rs \
    'if self.consumer.head != self.first {' \
    'if false {'
mutation caught 'is_empty: by the tail seen last' ring.rs \
    'self.shared.producer.index.load(Ordering::Relaxed) == self.head' \
    'self.tail_seen == self.head'
mutation caught 'producer dropped: the last batch unpublished' ring.rs \
    'self.publish();
        // Release: a thread' \
    '// Release: a thread'
mutation caught 'producer dropped: gone before the last batch' ring.rs \
    'self.publish();
        // Release: a thread that sees the flag sees the last batch too.
        self.shared.producer.gone.store(true, Ordering::Release);' \
    'self.shared.producer.gone.store(true, Ordering::Release);
        self.publish();'
mutation caught 'producer dropped: not said' ring.rs \
    'self.shared.producer.gone.store(true, Ordering::Release);' \
    ''
mutation caught 'consumer dropped: without its head' ring.rs \
    'self.release();
        self.shared.consumer.gone' \
    'self.shared.consumer.gone'
mutation caught 'consumer dropped: not said' ring.rs \
    'self.shared.consumer.gone.store(true, Ordering::Relaxed);' \
    ''
mutation caught 'ring dropped: messages leaked' ring.rs \
    'while head != tail {' \
    'while false {'
mutation caught 'ring dropped: a message dropped again' ring.rs \
    'let mut head = self.consumer.index.load(Ordering::Relaxed);' \
    'let mut head = self.consumer.index.load(Ordering::Relaxed);
        if head != tail { drop(unsafe { self.read(head) }); }'

# ---- waker: orderings ------------------------------------------------------------

mutation caught 'wake: Relaxed' waker.rs \
    'fetch_add(SIGNAL, Ordering::Release)' \
    'fetch_add(SIGNAL, Ordering::Relaxed)'
mutation caught 'begin_wait: Relaxed' waker.rs \
    'swap(WAITING, Ordering::Acquire)' \
    'swap(WAITING, Ordering::Relaxed)'
mutation caught 'end_wait: Relaxed' waker.rs \
    'swap(RUNNING, Ordering::Acquire)' \
    'swap(RUNNING, Ordering::Relaxed)'

# ---- waker: read-modify-write only -----------------------------------------------

mutation caught 'wake: a look before the read-modify-write' waker.rs \
    'if self.word.0.fetch_add' \
    'if self.word.0.load(Ordering::SeqCst) == WAITING && self.word.0.fetch_add'
mutation caught 'wake: a load and a store' waker.rs \
    'if self.word.0.fetch_add(SIGNAL, Ordering::Release) == WAITING {' \
    'let before = self.word.0.load(Ordering::SeqCst);
        self.word.0.store(before + SIGNAL, Ordering::SeqCst);
        if before == WAITING {'
mutation caught 'begin_wait: a plain store' waker.rs \
    'let before = self.word.0.swap(WAITING, Ordering::Acquire);' \
    'let before = self.word.0.load(Ordering::SeqCst);
        self.word.0.store(WAITING, Ordering::SeqCst);'
mutation caught 'end_wait: a plain store' waker.rs \
    'let before = self.word.0.swap(RUNNING, Ordering::Acquire);' \
    'let before = self.word.0.load(Ordering::SeqCst);
        self.word.0.store(RUNNING, Ordering::SeqCst);'

# ---- waker: steps ----------------------------------------------------------------

mutation caught 'begin_wait: not armed' waker.rs \
    'self.word.0.swap(WAITING, Ordering::Acquire)' \
    'self.word.0.load(Ordering::SeqCst)'
mutation caught 'begin_wait: armed after the look' waker.rs \
    'let before = self.word.0.swap(WAITING, Ordering::Acquire);
        self.is_signalled |= before >= SIGNAL;
        let idle = !self.is_signalled || is_idle();' \
    'let idle = !self.is_signalled || is_idle();
        let before = self.word.0.swap(WAITING, Ordering::Acquire);
        self.is_signalled |= before >= SIGNAL;'
mutation caught 'begin_wait: no look' waker.rs \
    'let idle = !self.is_signalled || is_idle();' \
    'drop(is_idle); let idle = true;'
mutation caught 'begin_wait: a look though nothing was published' waker.rs \
    'let idle = !self.is_signalled || is_idle();' \
    'let idle = is_idle();'
mutation caught 'begin_wait: its signal forgotten' waker.rs \
    'self.is_signalled |= before >= SIGNAL;
        let idle' \
    'let _ = before;
        let idle'
mutation caught 'begin_wait: old signals kept' waker.rs \
    'swap(WAITING, Ordering::Acquire)' \
    'fetch_or(WAITING, Ordering::Acquire)'
mutation caught 'begin_wait: armed though not idle' waker.rs \
    'if !idle {' \
    'if false {'
mutation caught 'end_wait: still armed' waker.rs \
    'self.word.0.swap(RUNNING, Ordering::Acquire)' \
    'self.word.0.load(Ordering::SeqCst)'
mutation caught 'end_wait: old signals kept' waker.rs \
    'swap(RUNNING, Ordering::Acquire)' \
    'fetch_and(!WAITING, Ordering::Acquire)'
mutation caught 'end_wait: its signal forgotten' waker.rs \
    'self.word.0.swap(RUNNING, Ordering::Acquire);
        self.is_signalled |= before >= SIGNAL;' \
    'self.word.0.swap(RUNNING, Ordering::Acquire);
        let _ = before;'
mutation caught 'take_signal: kept' waker.rs \
    'std::mem::take(&mut self.is_signalled)' \
    'self.is_signalled'
mutation caught 'wake: no signal left' waker.rs \
    'fetch_add(SIGNAL, Ordering::Release)' \
    'fetch_add(0, Ordering::Release)'
mutation caught 'wake: needed though signalled' waker.rs \
    'fetch_add(SIGNAL, Ordering::Release) == WAITING' \
    'fetch_add(SIGNAL, Ordering::Release) & WAITING != 0'
mutation caught 'wake: needed though running' waker.rs \
    'fetch_add(SIGNAL, Ordering::Release) == WAITING' \
    'fetch_add(SIGNAL, Ordering::Release) <= WAITING'
mutation caught 'wake: never needed' waker.rs \
    'fetch_add(SIGNAL, Ordering::Release) == WAITING' \
    'fetch_add(SIGNAL, Ordering::Release) == u64::MAX'

# ---- what loom cannot see --------------------------------------------------------

mutation blind 'padding: both ends on one line' ring.rs \
    '#[repr(align(128))]
struct End' \
    'struct End'
mutation blind 'push: a look at the head for each message' ring.rs \
    'if self.tail.wrapping_sub(self.head_seen) == capacity {
            self.head_seen' \
    '{
            self.head_seen'
mutation blind 'publish: a store for no message' ring.rs \
    'if batch > 0 {' \
    '{'

if ((count == 0)); then
    printf 'FAIL  no mutation has a name with: %s\n' "$*"
    exit 1
fi
if ((failures > 0)); then
    printf '%d of %d not as expected\n' "$failures" "$count"
    exit 1
fi
printf 'all %d as expected\n' "$count"
