# Two targets:
#   node      compiles the programs in the public Rust image (the default);
#   packaged  takes the programs that docker/package.sh has compiled, for
#             machines that cannot pull images.
# Both give the same image: two static programs on nothing, run by nobody.
#
# `packaged` stands first, because the classic builder makes every stage up to
# the one it was asked for; it needs no image but `scratch`.

FROM scratch AS packaged
COPY target/image/ /
USER 65532:65532
EXPOSE 9001/udp
# A PING over loopback: the node answers, whatever address it announces.
HEALTHCHECK --interval=15s --timeout=5s --start-period=5s --retries=3 CMD ["/kad-node", "ping", "127.0.0.1:9001"]
ENTRYPOINT ["/kad-node"]
CMD ["--listen", "0.0.0.0:9001"]

FROM rust:1-bookworm AS build
WORKDIR /build
COPY . .
# The cache mounts keep the registry and the compiled dependencies from one build
# to the next, whatever has changed in the sources.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    CARGO_TARGET_DIR=/build/target docker/package.sh /image

FROM scratch AS node
COPY --from=build /image/ /
USER 65532:65532
EXPOSE 9001/udp
HEALTHCHECK --interval=15s --timeout=5s --start-period=5s --retries=3 CMD ["/kad-node", "ping", "127.0.0.1:9001"]
ENTRYPOINT ["/kad-node"]
CMD ["--listen", "0.0.0.0:9001"]
