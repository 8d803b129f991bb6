# Two images, each with its hash-locked dependencies and nothing of the other:
#   docker build -t ranker .                                   the service, for CPUs: OpenVINO, ONNX Runtime, FastAPI
#   docker build -t ranker:cuda --build-arg VARIANT=cuda .     the service, for CUDA
#   docker build -t ranker-train --target train .              what trains and scores: TensorFlow, Ray
FROM python:3.11-slim-bookworm AS base
# Copies of artifacts in stores go below /var/cache, which any user of the container may write to.
RUN useradd --system --uid 10001 --no-create-home ranker && install --directory --mode 1777 /var/cache/ranker
ENV PATH=/opt/ranker/bin:$PATH XDG_CACHE_HOME=/var/cache PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001

FROM python:3.11-slim-bookworm AS build-train
WORKDIR /build
COPY lock lock
RUN python -m venv /opt/ranker \
 && /opt/ranker/bin/pip install --no-cache-dir --disable-pip-version-check --no-compile --require-hashes -r lock/train.txt \
 && cd /opt/ranker/lib/python3.11/site-packages \
 && rm -rf tensorflow/include pyarrow/include pyarrow/src pyarrow/tests
COPY pyproject.toml README.md LICENSE ./
COPY ranker ranker
COPY training training
RUN /opt/ranker/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps . \
 && rm /opt/ranker/bin/ranker-serve

FROM base AS train
COPY --from=build-train /opt/ranker /opt/ranker
USER root
# KubeRay starts Ray in a login shell, whose PATH is Debian's.
RUN ln -s /opt/ranker/bin/ray /opt/ranker/bin/ranker-train /usr/local/bin/
USER 10001
ENTRYPOINT ["ranker-train"]

FROM python:3.11-slim-bookworm AS build
ARG VARIANT=cpu
WORKDIR /build
COPY lock lock
# What is removed is 120 MB that serving never loads: headers, tests, other devices, readers of other models.
RUN python -m venv /opt/ranker \
 && case "$VARIANT" in \
      cpu) lock=lock/serve.txt ;; \
      cuda) lock=lock/serve-cuda.txt ;; \
      *) echo "VARIANT is cpu or cuda, got $VARIANT" >&2; exit 2 ;; \
    esac \
 && /opt/ranker/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r "$lock" \
 && cd /opt/ranker/lib/python3.11/site-packages \
 && (cd pyarrow && rm -rf include src tests libarrow_flight* libarrow_python_flight* _flight*) \
 && if [ -d openvino ]; then cd openvino && rm -rf include tools cmake torch libs/cache.json \
      frontend/pytorch frontend/tensorflow frontend/paddle frontend/jax libs/libopenvino_pytorch* libs/libopenvino_tensorflow* \
      libs/libopenvino_paddle* libs/libopenvino_gguf* libs/libopenvino_jax* libs/libopenvino_auto* libs/libopenvino_hetero* \
      libs/libopenvino_intel_gpu* libs/libopenvino_intel_npu*; fi
COPY pyproject.toml README.md LICENSE ./
COPY ranker ranker
COPY serving serving
RUN /opt/ranker/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps . \
 && /opt/ranker/bin/pip uninstall --yes pip setuptools

FROM base
COPY --from=build /opt/ranker /opt/ranker
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=2)"]
ENTRYPOINT ["ranker-serve"]
CMD ["/artifacts", "--host", "0.0.0.0", "--port", "8000"]
