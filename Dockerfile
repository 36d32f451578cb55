# The server alone: it needs a PostgreSQL beside it (NIMBUS_DATABASE_URL), as docker-compose.yml provides. The embedded
# PostgreSQL is for running Nimbus without a container.
FROM node:22-bookworm-slim AS dashboard
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY sdk/typescript/package.json ./sdk/typescript/
COPY frontend/package.json ./frontend/
RUN npm ci --no-progress
COPY sdk/typescript ./sdk/typescript
COPY frontend ./frontend
RUN npm run build && npm run pack -w @nimbus-analytics/sdk

FROM python:3.13-slim-bookworm AS python
WORKDIR /src
COPY --from=dashboard /src/sdk/dist ./sdk/dist
COPY sdk/python ./sdk/python
RUN python3 sdk/python/backend/nimbus_build.py sdk/dist

FROM maven:3-eclipse-temurin-17 AS kotlin
WORKDIR /src
COPY sdk/kotlin ./sdk/kotlin
RUN mvn -f sdk/kotlin -B -q -ntp -Dmaven.test.skip package

FROM golang:1.26-bookworm AS build
WORKDIR /src
# First what changes seldom, so that a change of the sources does not download the modules again. The SDK is a module of
# its own that go.mod points to.
COPY go.mod go.sum ./
COPY sdk/go/go.mod sdk/go/go.sum ./sdk/go/
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
COPY --from=dashboard /src/frontend/dist ./frontend/dist
COPY --from=python /src/sdk/dist ./sdk/dist
COPY --from=kotlin /src/sdk/kotlin/target ./sdk/kotlin/target
RUN go run ./sdk/mavenrepo -project sdk/kotlin -out sdk/dist
ARG VERSION=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.buildVersion=${VERSION}" -o /out/nimbus ./cmd/nimbus
RUN mkdir /out/backups

# No shell and no package manager; root certificates and time zones are there. It runs as uid 65532.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/nimbus /nimbus
# A volume that is mounted here belongs to the account that writes to it.
COPY --from=build --chown=65532:65532 /out/backups /backups
ENV NIMBUS_ADDR=:8080
EXPOSE 8080
ENTRYPOINT ["/nimbus"]
CMD ["serve"]
