#!/opt/infraaudit/bin/python3
"""Exit 0 where the code location on port 4000 has loaded and serves: gRPC's own health check.

Deliberately absent: Dagster, whose own check takes 2 CPU seconds each time.
"""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

with grpc.insecure_channel("127.0.0.1:4000") as channel:
    try:
        answer = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service="DagsterApi"), timeout=5
        )
    except grpc.RpcError as error:
        sys.exit(f"the code location does not answer: {error.code().name}")
sys.exit(answer.status != health_pb2.HealthCheckResponse.SERVING)
