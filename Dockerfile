# Lanewise in a container: both planes by default; `control` or `proxy` as the argument runs one of them.
#
#   docker build -t lanewise .
#   docker run -p 8080:8080 -p 8090:8090 -p 8091:8091 -v lanewise:/var/lib/lanewise \
#     -e LANEWISE_CONTROL_HOST=0.0.0.0 -e LANEWISE_PROXY_HOST=0.0.0.0 -e LANEWISE_ADMIN_HOST=0.0.0.0 \
#     -e LANEWISE_TOKENS=ops:operator:<secret> lanewise
#
# The hosts default to loopback, which inside a container nobody else reaches. Once the control plane listens
# elsewhere, it starts only with LANEWISE_TOKENS.

FROM node:24-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build

FROM node:24-slim
ENV NODE_ENV=production \
    LANEWISE_DATA_DIR=/var/lib/lanewise \
    # A third less memory under load; see docs/operations.md.
    NODE_OPTIONS=--max-semi-space-size=16 \
    MALLOC_TRIM_THRESHOLD_=131072 \
    MALLOC_MMAP_THRESHOLD_=131072 \
    HEALTH_URL=http://127.0.0.1:8080/healthz
WORKDIR /opt/lanewise
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev && npm cache clean --force \
    && install -d -o node -g node -m 700 /var/lib/lanewise
COPY --from=build /build/dist dist
USER node
VOLUME /var/lib/lanewise
EXPOSE 8080 8090 8091
# For `proxy` alone: HEALTH_URL=http://127.0.0.1:8091/healthz.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["node", "-e", "fetch(process.env.HEALTH_URL).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/src/cli/main.js"]
CMD ["standalone"]
