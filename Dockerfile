# The program alone, linked statically, in an image with nothing else:
#
#   docker build -t redkit .
#   docker run --rm -v /var/lib/redis:/data redkit check-aof /data/appendonlydir
#
# and with a shell, for init containers that look before they leap (docs/deploy):
#
#   docker build --target shell -t redkit:shell .
#
# Written with care and not built where it was written, which had no container engine.

FROM rust:1-alpine AS build
# Lua is built from its source.
RUN apk add --no-cache musl-dev make gcc
WORKDIR /src
COPY . .
# Alpine's own target is musl, whose programs Rust links statically.
RUN cargo build --release --locked && strip target/release/redkit
# Temporary files go to /tmp, which an empty image has not.
RUN mkdir -m 1777 /empty

FROM alpine:3 AS shell
COPY --from=build /src/target/release/redkit /usr/bin/redkit
ENTRYPOINT ["redkit"]

FROM scratch
COPY --from=build /empty /tmp
COPY --from=build /src/target/release/redkit /redkit
COPY --from=build /src/LICENSE-MIT /src/LICENSE-APACHE /
ENTRYPOINT ["/redkit"]
