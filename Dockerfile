# The service (the default target), and its tests (--target test).
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS page
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY client/package.json client/
# With the optional packages: the bundler of the page is one, and its binary another.
RUN npm ci --omit=dev --ignore-scripts
COPY src/rollout src/rollout
COPY client/src/api.ts client/src/events.ts client/src/
COPY ui ui
COPY tsconfig.json ./
RUN npm run build:ui


FROM ${NODE_IMAGE} AS production
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# npm looks for the workspace; of what is installed here nothing needs it.
COPY client/package.json client/
# Nothing that is needed to run is built or fetched by an install script.
RUN npm ci --omit=dev --omit=optional --ignore-scripts
COPY migrations migrations
COPY src src
RUN find src -name '*.test.ts' -delete


FROM ${NODE_IMAGE} AS test
# All of /app belongs to the user that the tests run as, as a clone belongs to its developer.
RUN mkdir /app && chown node:node /app
WORKDIR /app
USER node
COPY --chown=node:node package.json package-lock.json .npmrc ./
COPY --chown=node:node client/package.json client/
# With the optional packages: the tests start the embedded PostgreSQL, and some are about it.
RUN npm ci && npm cache clean --force
COPY --chown=node:node . .
CMD ["npm", "test"]


FROM ${NODE_IMAGE}
WORKDIR /app
# In the order of how seldom they change. All of it is root's, so the service cannot change its own code.
COPY --from=production /app/node_modules node_modules
COPY --from=production /app/package.json ./
COPY --from=production /app/migrations migrations
COPY --from=production /app/src src
COPY --from=page /app/ui/dist ui/dist
USER node
# In a container 127.0.0.1 would be reached by nobody. What is published is up to whoever runs it.
ENV NODE_ENV=production HOST=0.0.0.0
EXPOSE 8080
# The slim image has no curl. The start period covers the wait for a database that is not up yet (DATABASE_WAIT_SECONDS).
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "require(process.env.TLS_CERT ? 'https' : 'http').get({ host: '127.0.0.1', port: process.env.PORT || 8080, path: '/readyz', rejectUnauthorized: false }, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
# In exec form node itself is process 1 and gets SIGTERM; below a shell or npm it would not.
ENTRYPOINT ["node", "src/main.ts"]
CMD ["serve"]
