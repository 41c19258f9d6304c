//! The kernel's choice among a node's sockets, made by the steer byte.
//!
//! The sockets of a node's shards share its address (`SO_REUSEPORT`). Left to
//! itself the kernel picks one by a hash of both ends' addresses; a classic BPF
//! program that any user may attach makes it pick the shard that acts on the
//! datagram. It sees the UDP payload from offset 0, and what it returns is a
//! socket's place in the order in which they were bound; for a number that no
//! socket has, the kernel takes its hash.
//!
//! Nothing depends on it but speed: a shard checks which shard owns a
//! datagram, and passes on what landed wrongly.
#![allow(unsafe_code)] // SO_ATTACH_REUSEPORT_CBPF takes a pointer to the program.

use std::io;
use std::os::fd::AsRawFd;

use libc::{c_void, sock_filter, sock_fprog, socklen_t};

use super::settings::ShardCount;
use crate::wire::{MAGIC, STEER_OFFSET};

/// What the kernel is told of a datagram that is none of ours: no socket's place.
const HASH: u32 = u32::MAX;

const LOAD_LENGTH: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_LEN;
const LOAD_BYTE: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_ABS;
const JUMP_IF_AT_LEAST: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
const JUMP_IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const MULTIPLY: u32 = libc::BPF_ALU | libc::BPF_MUL | libc::BPF_K;
const SHIFT_RIGHT: u32 = libc::BPF_ALU | libc::BPF_RSH | libc::BPF_K;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
const RETURN_ACCUMULATOR: u32 = libc::BPF_RET | libc::BPF_A;

/// Where the steer byte is, and the length from which a datagram has one.
const STEER: u32 = STEER_OFFSET as u32;
const STEERED_BYTES: u32 = STEER + 1;
const _: () = assert!(STEER == 3, "the wire's description and the program agree");

/// Instructions of the program.
const INSTRUCTIONS: usize = 9;

/// The program for `shards`: [`ShardPosition::of_steer`](crate::node::ShardPosition::of_steer) in
/// the kernel's words. Loads beyond a datagram's end would steer it to the first
/// socket, so the length is looked at first.
const fn program(shards: ShardCount) -> [sock_filter; INSTRUCTIONS] {
    [
        instruction(LOAD_LENGTH, 0, 0),
        instruction(JUMP_IF_AT_LEAST, STEERED_BYTES, 6),
        instruction(LOAD_BYTE, 0, 0),
        instruction(JUMP_IF_EQUAL, MAGIC as u32, 4),
        instruction(LOAD_BYTE, STEER, 0),
        instruction(MULTIPLY, shards.get() as u32, 0),
        instruction(SHIFT_RIGHT, u8::BITS, 0),
        instruction(RETURN_ACCUMULATOR, 0, 0),
        instruction(RETURN, HASH, 0),
    ]
}

/// An instruction that, where it compares and does not find what it looks for,
/// skips `otherwise` instructions.
const fn instruction(code: u32, operand: u32, otherwise: u8) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: otherwise, k: operand }
}

/// Makes the kernel steer among the sockets of the group that `socket` is in, bound
/// in the order of the shards.
///
/// # Errors
/// When the kernel does not take the program: then it goes by its hash.
pub(super) fn attach(socket: &impl AsRawFd, shards: ShardCount) -> io::Result<()> {
    let mut program = program(shards);
    let program = sock_fprog { len: INSTRUCTIONS as u16, filter: program.as_mut_ptr() };
    // SAFETY: the program and the instructions that it points to live until the
    // call returns; the kernel copies them.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const program).cast::<c_void>(),
            size_of::<sock_fprog>() as socklen_t,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
