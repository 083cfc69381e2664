# The tool as an image. All that goes in is the package that `npm pack` makes, so that image and package are the same files:
#
#   npm pack --pack-destination build/image && mv build/image/*.tgz build/image/tollgate.tgz
#   docker build --file Dockerfile --tag tollgate build/image
#   docker run --rm --interactive tollgate check - < policy.yaml
#
# No step runs a program: any builder can do it, for any platform, without a network of its own. Another base has Node.js 20.12 or
# newer at /nodejs/bin/node, as distroless has; a release names it by its digest.
ARG BASE=gcr.io/distroless/nodejs22-debian12:nonroot
FROM ${BASE}

ADD tollgate.tgz /opt/

# Nobody in particular: nothing is written but what a command is asked for, so the root file system may be read-only.
USER 65532:65532
WORKDIR /work
ENTRYPOINT ["/nodejs/bin/node", "/opt/package/scripts/bin.mjs"]
CMD ["--help"]
