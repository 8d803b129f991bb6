"""Reads and moves rows of a table that a server holds: a server, a worker and a chief over loopback.

The worker draws the row numbers of a batch, reads the rows and applies the gradient of their sum of squares with
Adagrad, whose moments lie beside the rows on the server: what a step of parameter-server training does with a table,
and nothing else. The processes have a network namespace of their own, whose loopback carries no other bytes.
"""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.costs.inputs import ROOT, Inputs
from benchmarks.costs.processes import Found, cpu_of

PORTS = {"ps": 22001, "worker": 22002, "chief": 22003}
WARM_STEPS = 5
APART = ["unshare", "--user", "--map-root-user", "--net"]


def tables(inputs: Inputs, rows: int, batch: int, width: int, steps: int) -> Found:
    """Processor seconds of server and worker, and bytes on the wire, a step of ``batch`` rows of ``width`` floats."""
    del inputs
    command = [*APART, sys.executable, "-m", "benchmarks.costs.tables", "all", str(rows), str(batch), str(width)]
    ended = subprocess.run([*command, str(steps)], cwd=ROOT, capture_output=True, text=True, check=False)
    lines = [line for line in ended.stdout.splitlines() if line.startswith("{")]
    if ended.returncode or not lines:
        reason = "a network namespace of its own is needed (unshare, as root or with user namespaces)"
        raise RuntimeError(f"tables: {reason}:\n{ended.stderr[-2000:]}")
    found: Found = json.loads(lines[-1])
    return found


def everything(rows: str, batch: str, width: str, steps: str) -> None:
    """Start the server and the worker, then be the chief."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with ExitStack() as running:
        pids = {}
        for role in ("ps", "worker"):
            command = [sys.executable, "-m", "benchmarks.costs.tables", role]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            running.callback(process.wait)
            running.callback(process.kill)
            pids[role] = process.pid
        print(json.dumps(_chief(pids, int(rows), int(batch), int(width), int(steps))), flush=True)


def serve(role: str) -> None:
    """Be a server or a worker until killed."""
    tf, resolver = _tensorflow(role)
    os.environ["GRPC_FAIL_FAST"] = "use_caller"
    tf.distribute.Server(resolver.cluster_spec(), job_name=role, task_index=0, protocol="grpc", start=True).join()


def _tensorflow(role: str) -> tuple[Any, Any]:
    cluster = {job: [f"127.0.0.1:{port}"] for job, port in PORTS.items()}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": {"type": role, "index": 0}})
    import ranker  # noqa: F401, I001 - selects Keras 2 before TensorFlow is imported
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf, tf.distribute.cluster_resolver.TFConfigClusterResolver()


def _chief(pids: dict[str, int], rows: int, batch: int, width: int, steps: int) -> Found:
    tf, resolver = _tensorflow("chief")
    strategy = tf.distribute.ParameterServerStrategy(resolver)
    coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
    with strategy.scope():
        table = tf.Variable(tf.random.uniform([rows, width], -0.01, 0.01))
        optimizer = tf.keras.optimizers.legacy.Adagrad(0.02)
        optimizer._create_all_weights([table])

    def of_replica() -> Any:
        numbers = tf.random.uniform([batch], 0, rows, tf.int32)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(tf.nn.embedding_lookup(table, numbers)))
        optimizer.apply_gradients([(tape.gradient(loss, table), table)])
        return loss

    step = tf.function(lambda: strategy.run(of_replica), autograph=False)

    def run(count: int) -> None:
        for _ in range(count):
            coordinator.schedule(step)
        coordinator.join()

    run(WARM_STEPS)
    before, carried = {role: cpu_of(pid) for role, pid in pids.items()}, _carried()
    run(steps)
    after, more = {role: cpu_of(pid) for role, pid in pids.items()}, _carried()
    return {
        "server_cpu_s": (after["ps"] - before["ps"]) / steps,
        "worker_cpu_s": (after["worker"] - before["worker"]) / steps,
        "wire_bytes": (more - carried) / steps,
    }


def _carried() -> int:
    """Bytes that the loopback of this namespace has carried."""
    line = next(line for line in Path("/proc/net/dev").read_text().splitlines() if line.strip().startswith("lo:"))
    return int(line.split(":")[1].split()[0])


if __name__ == "__main__":
    if sys.argv[1] == "all":
        everything(*sys.argv[2:])
        os._exit(0)
    serve(sys.argv[1])
