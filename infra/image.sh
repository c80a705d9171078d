#!/usr/bin/env bash
# Builds the image, and pushes it, under the name and tag of infra/kubernetes/kustomization.yaml: the one place that has them.
# A tag v<version> of the repository publishes it, too: .github/workflows/image.yml.
#
#   infra/image.sh build [docker build's options]
#   infra/image.sh push
#   infra/image.sh name       prints name:tag, for docker run
#
# IMAGE_NAME: another name, with the same tag.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
value() { sed -n "s/^ *$1: *\"\?\([^ \"]*\).*/\1/p" infra/kubernetes/kustomization.yaml; }
image=${IMAGE_NAME:-$(value newName)}
image=${image,,}:$(value newTag)  # lower case, as names of images are

case ${1:-} in
  build) docker build -f infra/Dockerfile -t "$image" --build-arg REVISION="$(git rev-parse HEAD)" "${@:2}" . ;;
  push) docker push "$image" ;;
  name) echo "$image" ;;
  *)
    printf 'error: infra/image.sh %s\n  allowed: build [options], push, name\n  to do:   infra/image.sh build\n' "$*" >&2
    exit 2
    ;;
esac
