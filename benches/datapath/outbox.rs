//! The client's outbox: sends requests of many sockets in one system call, so that the
//! client is not the slower side.
#![allow(unsafe_code)] // The kernel reads memory by pointer.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use io_uring::types::Fd;
use io_uring::{IoUring, opcode};

/// Most messages that wait to be sent.
const MESSAGES_MAX: usize = 1024;

/// Messages that are sent together, on `flush` or when it is full.
pub(crate) struct Outbox {
    ring: IoUring,
    buffers: Box<[u8]>,
    message_bytes: usize,
    count: usize,
}

impl Outbox {
    /// For messages of so many bytes.
    pub(crate) fn new(message_bytes: usize) -> io::Result<Self> {
        Ok(Self {
            ring: IoUring::builder()
                .setup_single_issuer()
                .setup_coop_taskrun()
                .build(MESSAGES_MAX as u32)?,
            buffers: vec![0; MESSAGES_MAX * message_bytes].into_boxed_slice(),
            message_bytes,
            count: 0,
        })
    }

    /// Adds the message that `write` writes, to be sent by `socket`, which is
    /// connected and outlives the next [`Self::flush`].
    pub(crate) fn add(
        &mut self,
        socket: &UdpSocket,
        write: impl FnOnce(&mut [u8]),
    ) -> io::Result<()> {
        if self.count == MESSAGES_MAX {
            self.flush()?;
        }
        let buffer = &mut self.buffers[self.count * self.message_bytes..][..self.message_bytes];
        write(buffer);
        let send = opcode::Send::new(Fd(socket.as_raw_fd()), buffer.as_ptr(), buffer.len() as u32)
            .flags(libc::MSG_DONTWAIT)
            .build();
        // SAFETY: the buffer is this message's until `flush` has seen it sent.
        unsafe { self.ring.submission().push(&send) }.expect("room for as many as buffers");
        self.count += 1;
        Ok(())
    }

    /// Sends the waiting messages.
    ///
    /// # Errors
    /// The error of the last message that was not sent.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let mut missing = self.count;
        let mut outcome = Ok(());
        while missing > 0 {
            match self.ring.submit_and_wait(missing) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            for completion in self.ring.completion() {
                missing -= 1;
                if completion.result() < 0 {
                    outcome = Err(io::Error::from_raw_os_error(-completion.result()));
                }
            }
        }
        self.count = 0;
        outcome
    }
}
