# Driftline: agent, collector and command line in one image. Debian 12, because BCC is the distribution's.
FROM debian:12-slim AS build
WORKDIR /src
# A virtual environment over the distribution's packages: bcc's module is one of them, and must not come from PyPI.
# Versions are not pinned: the suite is, by the base image, and exact versions disappear from its mirrors.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-venv python3-bpfcc libbpf1 \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv --system-site-packages /opt/driftline
COPY pyproject.toml README.md LICENSE ./
COPY LICENSES ./LICENSES
COPY bpf ./bpf
COPY agent ./agent
COPY collector ./collector
RUN /opt/driftline/bin/pip install --no-cache-dir --disable-pip-version-check '.[postgresql]'

FROM debian:12-slim
LABEL org.opencontainers.image.title="driftline" \
      org.opencontainers.image.description="eBPF runtime drift detection agent for containers, and its collector" \
      org.opencontainers.image.licenses="Apache-2.0 AND GPL-2.0-only"
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-bpfcc libbpf1 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/driftline /opt/driftline
ENV PATH=/opt/driftline/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# Root inside: the capabilities it is given decide what it may do (docs/install.md), and /proc of others needs uid 0
ENTRYPOINT ["driftline"]
CMD ["agent", "--standalone"]
