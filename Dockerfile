# One image for both roles: the API is its command, a worker is
# `node --enable-source-maps --max-semi-space-size=64 --require=./dist/workers/thread-pool.cjs dist/workers/main.js`.
ARG NODE_IMAGE=node:24.21.0-bookworm-slim
# What runs has no shell, no package manager and no npm. Any image with Node 24 will do: RUNTIME_IMAGE=node:24.21.0-bookworm-slim has a shell to look around with.
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian12:nonroot

FROM ${NODE_IMAGE} AS build
WORKDIR /app
# The lockfile alone first: sources change more often than dependencies do.
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json ./
COPY shared ./shared
COPY server ./server
COPY workers ./workers
COPY client ./client
RUN npm run build && npm prune --omit=dev --no-audit --no-fund
# What is built, such as a commit: docker build --build-arg REVISION=$(git rev-parse HEAD). The label `revision` of build_info has it.
ARG REVISION=unknown
RUN echo "$REVISION" > revision

FROM ${RUNTIME_IMAGE}
# The container is the border: a published port must reach the API, whatever ENVIRONMENT says. A worker resolves names in the pool of
# threads, also if it is started without its --require.
ENV NODE_ENV=production HTTP_HOST=:: UV_THREADPOOL_SIZE=64
# Where both images have node. The distroless one has it as its entrypoint, too, which would stand before each command.
ENV PATH=/nodejs/bin:/usr/local/bin:/usr/bin:/bin
ENTRYPOINT []
WORKDIR /app
COPY --from=build /app/package.json /app/revision ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY docs/openapi.yaml ./docs/openapi.yaml
COPY vendor ./vendor
COPY --from=build /app/server/admin-page/page.css ./server/admin-page/page.css
COPY LICENSE ./
# Files belong to root and the process does not: it cannot change its own code. It writes no file, so its root may be read-only. A number, so that
# Kubernetes sees that it is not root, and so that any image will do.
USER 65532:65532
EXPOSE 8080 9464
# For the API; who runs a worker asks its own port instead, or switches this off (see docker-compose.yml).
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.HTTP_PORT || 8080}/readyz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# The exec form: node is process 1 and gets SIGTERM itself. Both programs handle it, and start no children to reap.
CMD ["node", "--enable-source-maps", "--max-semi-space-size=32", "dist/server/main.js"]
