# build -> test (only with --target test) -> the runtime: the two binaries, their libraries and nothing else.
#   docker build -t sigserve . && docker run -p 8001:8001 -p 8002:8002 -v "$PWD/deploy/examples/repository:/models:ro" sigserve
# Needs no capability and no writable file system; to train, mount /models writable for uid 65532.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
COPY deploy/install_packages.sh deploy/show_progress.sh deploy/
RUN deploy/install_packages.sh build
COPY CMakeLists.txt CMakePresets.json ./
COPY proto proto
COPY model model
COPY server server
COPY client client
RUN cmake --preset release -DSIGSERVE_TESTS=OFF && cmake --build --preset release
COPY deploy/make_image_root.sh deploy/
RUN deploy/make_image_root.sh /image build/release/bin/sigserve build/release/bin/sigctl

FROM build AS test
COPY . .
RUN tests/run.sh --fast

FROM scratch
LABEL org.opencontainers.image.title="sigserve" org.opencontainers.image.version="0.2.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image /
USER 65532:65532
EXPOSE 8001 8002
# Asks port 8001. For another --grpc_address, also set SIGSERVE_ADDRESS to it (HOST:PORT, as seen from inside); with TLS,
# SIGSERVE_CA_FILE and, as certificates seldom name 127.0.0.1, SIGSERVE_SERVER_NAME.
HEALTHCHECK --interval=5s --timeout=3s CMD ["/usr/bin/sigctl", "health"]
ENTRYPOINT ["/usr/bin/sigserve", "--repository=/models"]
