# Two targets:
#   node      compiles the programs in the public Rust image (the default);
#   packaged  takes the programs that docker/package.sh has compiled, for
#             machines that cannot pull images.
# Both give the same image: two static programs on nothing, run by nobody.

# What both are beside the programs.
FROM scratch AS bare
USER 65532:65532
EXPOSE 9001/udp
# A PING over loopback: the node answers, whatever address it announces.
HEALTHCHECK --interval=15s --timeout=5s --start-period=5s --retries=3 CMD ["/kad-node", "ping", "127.0.0.1:9001"]
ENTRYPOINT ["/kad-node"]
CMD ["--listen", "0.0.0.0:9001"]

# It stands before `build`, because the classic builder makes every stage up to the
# one it was asked for; so far it needs no image but `scratch`.
FROM bare AS packaged
COPY target/image/ /

FROM rust:1-bookworm AS build
WORKDIR /build
COPY . .
# The cache mounts keep the registry and the compiled dependencies from one build
# to the next, whatever has changed in the sources.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    CARGO_TARGET_DIR=/build/target docker/package.sh /image

FROM bare AS node
COPY --from=build /image/ /
