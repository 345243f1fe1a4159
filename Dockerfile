# The serving image: Debian's Python, ONNX Runtime and the package serve; nothing that trains.
#
#   docker build -t tapeline/serve .
#   docker run -p 8501:8501 -v "$PWD/models:/models:ro" tapeline/serve
#
# BASE_IMAGE may be any image of Debian 13 (trixie), such as one that carries a company's certificates.
ARG BASE_IMAGE=debian:trixie-slim

FROM ${BASE_IMAGE} AS python
# Debian drops a package's old version when it publishes the fixed one: a pin would break the build.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/*

FROM python AS build
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends binutils locales python3-pip \
 && localedef --inputfile=en_US --charmap=UTF-8 en_US.UTF-8 \
 && python3 -m venv --without-pip /opt/venv
COPY requirements/serve.txt /tmp/
# Two packages bring debugging symbols of 7 and 12 MB, one its C++ sources, one a second page for /docs.
RUN python3 -m pip --python /opt/venv/bin/python install --require-hashes --no-deps \
    --only-binary :all: --no-cache-dir --no-compile --requirement /tmp/serve.txt \
 && find /opt/venv -type d -name tests -prune -exec rm -r {} + \
 && find /opt/venv \( -name redoc.standalone.js -o -path '*/simdjson/simdjson.*' \) -delete \
 && find /opt/venv \( -name 'csimdjson*.so' -o -path '*/uvloop/loop*.so' \) -exec strip --strip-debug {} +
COPY serve /opt/tapeline/serve
# Compiled once here, because the server may not write; unchecked, because nothing changes any more.
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv /opt/tapeline

FROM python
ARG BASE_IMAGE
LABEL org.opencontainers.image.title="tapeline serve" \
      org.opencontainers.image.description="Serves ONNX models over TensorFlow Serving's REST API and the Open Inference Protocol V2" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin tapeline \
 && install --directory /models
# ONNX Runtime's StringNormalizer loads only where this locale exists.
COPY --from=build /usr/lib/locale/locale-archive /usr/lib/locale/locale-archive
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/tapeline /opt/tapeline
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/tapeline \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LANG=en_US.UTF-8 \
    ORT_DISABLE_TELEMETRY=1
USER 10001:10001
EXPOSE 8501
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-ISc", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8501/v2/health/live', timeout=2)"]
ENTRYPOINT ["python", "-m", "serve"]
