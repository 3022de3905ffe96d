#!/bin/sh
# Make ../gen from the .proto files beside this script. PYTHON: an interpreter with grpcio-tools.
# Files are known to protobuf under their place in the package, so that no other program's cri.proto clashes with ours.
set -eu
cd "$(dirname "$0")/../../../.."
at=driftline/identify/engines
"${PYTHON:-python3}" -m grpc_tools.protoc "-I$at/gen=$at/proto" --python_out=. --pyi_out=. "$at/gen/containerd.proto" "$at/gen/cri.proto"
