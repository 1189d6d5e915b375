# One small image: the wheels are built where there are compilers, and run where there are none.
FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/catchment
WORKDIR /src
# `--build-arg LOCK=requirements-otel.lock` adds what traces need.
ARG LOCK=requirements.lock
COPY ${LOCK} ./requirements.lock
RUN /opt/catchment/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY domain domain
COPY application application
COPY adapters adapters
COPY entrypoints entrypoints
RUN /opt/catchment/bin/pip install --no-deps --no-build-isolation .

# What `--profile test` runs: the same, and the tests with what they need.
FROM build AS test
COPY requirements-dev.lock ./
RUN /opt/catchment/bin/pip install --require-hashes -r requirements-dev.lock
COPY tests tests
ENV PATH=/opt/catchment/bin:$PATH PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --uid 10001 --home-dir /tmp catchment
USER catchment
CMD ["pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "tests/domain", "tests/application", "tests/contract", "tests/adapters/http"]

# What was needed to build, and what the framework brings for tests alone, does not run.
FROM build AS lean
RUN /opt/catchment/bin/pip uninstall -y \
    faker polyfactory hatchling editables pathspec pluggy trove-classifiers setuptools pip

FROM python:3.11-slim
RUN rm -rf /usr/local/lib/python3.11/site-packages/* /usr/local/lib/python3.11/ensurepip /usr/local/bin/pip*
# Folders a volume is mounted on: a new volume takes their owner over.
RUN useradd --system --uid 10001 --home-dir /data catchment \
    && install -d -o catchment /data /secrets /secrets/app /secrets/postgres /secrets/rabbitmq
COPY --from=lean /opt/catchment /opt/catchment
ENV PATH=/opt/catchment/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CATCHMENT_HOST=0.0.0.0 \
    CATCHMENT_LOG_FORMAT=json
USER catchment
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health/ready', timeout=2)"]
CMD ["catchment", "serve"]
