# Two targets:
#   node      compiles the programs in the public Rust image (the default);
#   packaged  takes the programs that docker/package.sh has compiled, for
#             machines that cannot pull images.
# Both give the same image: two static programs and an empty folder for --data, which
# belong to the user that runs them, without root.

# Everything in the image except the programs.
FROM scratch AS bare
USER 65532:65532
EXPOSE 9001/udp
# A PING over loopback: the node answers, whatever address it announces.
HEALTHCHECK --interval=15s --timeout=5s --start-period=5s --retries=3 CMD ["/kad-node", "ping", "127.0.0.1:9001"]
ENTRYPOINT ["/kad-node"]
CMD ["--listen", "0.0.0.0:9001"]

# This stage comes before `build`, because the classic builder makes every stage up to the
# requested one; up to here it needs only the image `scratch`.
FROM bare AS packaged
COPY --chown=65532:65532 target/image/ /

FROM rust:1-bookworm AS build
WORKDIR /build
COPY . .
# The cache mounts keep the registry and the compiled dependencies between builds, even
# when the sources have changed.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    CARGO_TARGET_DIR=/build/target docker/package.sh /image

FROM bare AS node
COPY --from=build --chown=65532:65532 /image/ /
