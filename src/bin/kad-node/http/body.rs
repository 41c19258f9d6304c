//! Bodies in memory: each is counted while it is there, and none may stall.
//!
//! The body of a put is kept whole: its key is the hash of all of it, and only then it is
//! known which shard takes it. The body of a get is the value itself, which the store and
//! all answers share; it goes out in chunks, so that no answer holds another one up.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::counters::Counters;
use super::limits::{BODY_BYTES_MAX, BODY_TIME_MAX, CHUNK_BYTES_MAX, STALL_MAX};
use super::problem::Problem;

/// The memory that bodies may take together.
#[derive(Clone)]
pub(crate) struct BodyMemory {
    bytes: Arc<Semaphore>,
    counters: Arc<Counters>,
}

/// A body's part of the memory, until it is dropped.
pub(crate) struct BodyBytes {
    permits: OwnedSemaphorePermit,
    counters: Arc<Counters>,
}

impl BodyMemory {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        Self { bytes: Arc::new(Semaphore::new(BODY_BYTES_MAX)), counters }
    }

    /// Takes `bytes` of it.
    ///
    /// # Errors
    /// When other bodies take so much that these do not fit.
    pub(crate) fn take(&self, bytes: usize) -> Result<BodyBytes, Problem> {
        let permits = self.permits(bytes)?;
        Ok(BodyBytes { permits, counters: Arc::clone(&self.counters) })
    }

    fn permits(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let permits = u32::try_from(bytes).ok();
        let permits =
            permits.and_then(|bytes| Arc::clone(&self.bytes).try_acquire_many_owned(bytes).ok());
        let Some(permits) = permits else {
            self.counters.refused_body_bytes.add(1);
            return Err(Problem::busy(format!(
                "bodies take the {BODY_BYTES_MAX} bytes that they may: try again"
            )));
        };
        self.counters.body_bytes.add(bytes as u64);
        Ok(permits)
    }
}

impl BodyBytes {
    /// Takes more of `memory`, so that the part is `bytes` at least.
    fn grow(&mut self, memory: &BodyMemory, bytes: usize) -> Result<(), Problem> {
        let more = bytes.saturating_sub(self.permits.num_permits());
        self.permits.merge(memory.permits(more)?);
        Ok(())
    }
}

impl Drop for BodyBytes {
    fn drop(&mut self) {
        self.counters.body_bytes.sub(self.permits.num_permits() as u64);
    }
}

/// Reads a request's body of `limit_bytes` at most, frame by frame. One that waits to be told
/// to go on is refused before it is sent, where it is announced to be too large.
///
/// # Errors
/// When it is too large, stalls, or finds no memory.
pub(crate) async fn read(
    memory: &BodyMemory,
    headers: &HeaderMap,
    mut body: Body,
    limit_bytes: usize,
) -> Result<(Vec<u8>, BodyBytes), Problem> {
    let read = keep(memory, headers, &mut body, limit_bytes).await;
    // To ask one for its body that waits to be told to go on would be to tell it.
    if read.is_err() && !headers.contains_key(header::EXPECT) {
        tokio::spawn(discard(body));
    }
    read
}

/// Reads what still comes of a body that is refused, while the answer leaves: a connection that
/// is closed while more comes is reset, and its client may never see the answer (RFC 9112, 9.6).
async fn discard(mut body: Body) {
    let deadline = Instant::now() + BODY_TIME_MAX;
    let mut bytes = 0;
    while bytes < BODY_BYTES_MAX
        && let Ok(Some(Ok(frame))) =
            timeout_at(deadline.min(Instant::now() + STALL_MAX), body.frame()).await
    {
        bytes += frame.data_ref().map_or(0, Bytes::len);
    }
}

async fn keep(
    memory: &BodyMemory,
    headers: &HeaderMap,
    body: &mut Body,
    limit_bytes: usize,
) -> Result<(Vec<u8>, BodyBytes), Problem> {
    let counters = &memory.counters;
    let too_large = |bytes| {
        counters.refused_too_large.add(1);
        Problem::too_large(bytes, limit_bytes)
    };
    // Its bytes would be others than the client's (RFC 9112, 6.1).
    let codings = headers.get_all(header::TRANSFER_ENCODING);
    if let Some(other) =
        codings.iter().find(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        let other = String::from_utf8_lossy(other.as_bytes());
        let detail = format!("the transfer coding '{other}' is not known: send chunked alone");
        return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, detail));
    }
    let announced = headers.get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|field| field.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > limit_bytes) {
        return Err(too_large(announced));
    }
    let mut taken = memory.take(announced.unwrap_or(0))?;
    let mut bytes = Vec::with_capacity(announced.unwrap_or(0));
    let deadline = Instant::now() + BODY_TIME_MAX;
    loop {
        let frame = timeout_at(deadline.min(Instant::now() + STALL_MAX), body.frame()).await;
        let frame = frame.map_err(|_| {
            counters.bodies_late.add(1);
            Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")
        })?;
        let Some(frame) = frame else { return Ok((bytes, taken)) };
        let cut = |_| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "the body ends early, or is not as its header says",
            )
        };
        let Ok(data) = frame.map_err(cut)?.into_data() else { continue };
        if bytes.len() + data.len() > limit_bytes {
            return Err(too_large(None));
        }
        taken.grow(memory, bytes.len() + data.len())?;
        bytes.extend_from_slice(&data);
    }
}

/// A value as it is sent: chunk by chunk, none of which is a copy.
pub(crate) struct Chunks(Bytes);

impl Chunks {
    pub(crate) const fn new(value: Bytes) -> Self {
        Self(value)
    }
}

impl HttpBody for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.0.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.0.len().min(CHUNK_BYTES_MAX);
        Poll::Ready(Some(Ok(Frame::data(self.0.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}

/// A body, and what is held until it has been sent or dropped.
pub(crate) struct Held<H> {
    body: Body,
    _held: H,
}

impl<H> Held<H> {
    pub(crate) const fn new(body: Body, held: H) -> Self {
        Self { body, _held: held }
    }
}

impl<H: Unpin> HttpBody for Held<H> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_goes_out_in_chunks_that_are_no_copies() {
        let value: Arc<[u8]> = (0..=u8::MAX).cycle().take(2 * CHUNK_BYTES_MAX + 5).collect();
        let at = value.as_ptr();
        let mut chunks = Chunks::new(Bytes::from_owner(Arc::clone(&value)));
        assert_eq!(chunks.size_hint().exact(), Some(value.len() as u64));
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut sent = 0;
        while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut chunks).poll_frame(&mut context) {
            let chunk = frame.into_data().expect("data");
            assert!(!chunk.is_empty() && chunk.len() <= CHUNK_BYTES_MAX);
            assert_eq!(chunk.as_ptr(), at.wrapping_add(sent));
            sent += chunk.len();
        }
        assert_eq!((sent, chunks.is_end_stream()), (value.len(), true));
    }

    #[test]
    fn bodies_beyond_the_memory_are_refused_and_counted_until_others_are_gone() {
        let counters = Arc::new(Counters::default());
        let memory = BodyMemory::new(Arc::clone(&counters));
        let first = memory.take(BODY_BYTES_MAX - 1).expect("there is room");
        let Err(busy) = memory.take(2) else { panic!("there is no room") };
        assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(counters.refused_body_bytes.value(), 1);
        assert_eq!(counters.body_bytes.value(), BODY_BYTES_MAX as u64 - 1);
        drop(first);
        assert_eq!(counters.body_bytes.value(), 0);
        memory.take(BODY_BYTES_MAX).expect("all of it is free again");
    }
}
