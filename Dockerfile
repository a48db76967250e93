# syntax=docker/dockerfile:1
# The bot as an image: docker build -t watchkeeper . (no other context than this folder, see .dockerignore).
#   docker run --read-only --tmpfs /tmp -v watchkeeper:/data -p 127.0.0.1:8080:8080 --env-file … watchkeeper

FROM python:3.11-slim AS build
ENV UV_PROJECT_ENVIRONMENT=/opt/watchkeeper \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir --root-user-action=ignore uv==0.13.8
WORKDIR /src
# The dependencies alone first: this layer is rebuilt only where the lock changes.
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --frozen --no-dev --no-install-project
# demo/ and tests/ stay out; `watchkeeper demo` then says that it is not part of this installation.
COPY bot ./bot
COPY handlers ./handlers
COPY k8s ./k8s
COPY migrations ./migrations
RUN uv sync --frozen --no-dev --no-editable

FROM python:3.11-slim
LABEL org.opencontainers.image.title="Watchkeeper" \
      org.opencontainers.image.description="The on-call watch of a Kubernetes cluster, living in Slack." \
      org.opencontainers.image.licenses="MIT"
# Nothing in here can install anything.
RUN rm -rf /usr/local/lib/python3.11/ensurepip /usr/local/lib/python3.11/site-packages/* /usr/local/bin/pip* \
           /usr/local/bin/idle* /usr/local/bin/pydoc* \
 && install -d -o 10001 -g 10001 -m 0700 /data
COPY --from=build /opt/watchkeeper /opt/watchkeeper
# Inside a container "this machine alone" would be nobody: probes and published ports come from outside of it.
ENV PATH=/opt/watchkeeper/bin:$PATH \
    HOME=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    WATCHKEEPER_DATA_DIR=/data \
    WATCHKEEPER_LISTEN_HOST=0.0.0.0 \
    WATCHKEEPER_LISTEN_PORT=8080 \
    WATCHKEEPER_LOG_FORMAT=json
# A number, so that Kubernetes can prove runAsNonRoot. It owns /data and nothing else.
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# http.client, not urllib: proxy settings must not send a probe of ourselves elsewhere.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['WATCHKEEPER_LISTEN_PORT']), timeout=4); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["watchkeeper"]
CMD ["serve"]
